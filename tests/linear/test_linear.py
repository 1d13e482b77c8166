"""Conditional writes, renames, copies and listings are linearizable, also across kills.

CAISSON_LINEAR_OPS sets how many operations (default 10,000; 1,000,000 in the long form).
"""
import os
import random
import sys
import time
import uuid

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from checker import Op, linearizable  # noqa: E402
from clients import round_of  # noqa: E402
from s3lib import Client  # noqa: E402

OPS = int(os.environ.get("CAISSON_LINEAR_OPS", "10000"))
SEED = os.environ.get("CAISSON_SEED", "1")
CREATE = b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint></CreateBucketConfiguration>"


def op(kind, begin, end, answer=None, key=0, **more):
    return Op(0, kind, key, begin, end, answer=answer, **more)


# Histories that the checker must accept or refuse: it is the test of the test.
@pytest.mark.parametrize("why, good, history", [
    ("read of an acknowledged write", True, [op("put", 0, 1, "ok", value="a"), op("get", 2, 3, "a")]),
    ("stale read", False, [op("put", 0, 1, "ok", value="a"), op("put", 2, 3, "ok", value="b"), op("get", 4, 5, "a")]),
    ("lost write", False, [op("put", 0, 1, "ok", value="a"), op("get", 2, 3, None)]),
    ("two first writers", False, [op("put-new", 0, 5, "ok", value="a"), op("put-new", 0, 5, "ok", value="b")]),
    ("one first writer", True, [op("put-new", 0, 5, "ok", value="a"), op("put-new", 0, 5, "failed", value="b")]),
    ("lost update", False, [op("put", 0, 1, "ok", value="a"), op("put-match", 2, 5, "ok", value="b", expected="a"),
                            op("put-match", 2, 5, "ok", value="c", expected="a")]),
    ("unknown write seen", True, [op("put", 0, None, value="a"), op("get", 9, 10, "a")]),
    ("unknown write seen, then gone", False, [op("put", 0, None, value="a"), op("get", 9, 10, "a"), op("get", 11, 12, None)]),
    ("neither name after a rename", False, [op("put", 0, 1, "ok", value="a"), op("rename", 2, 6, "ok", to=1),
                                            op("list", 3, 4, (False, False))]),
    ("both names during a rename", False, [op("put", 0, 1, "ok", value="a"), op("rename", 2, 6, "ok", to=1), op("list", 3, 4, (True, True))]),
    ("one name during a rename", True, [op("put", 0, 1, "ok", value="a"), op("rename", 2, 6, "ok", to=1), op("list", 3, 4, (False, True))]),
])
def test_checker(why, good, history):
    assert linearizable(history, keys=2) == good, why


def make(store):
    bucket = "linear-" + uuid.uuid4().hex[:12]
    client = Client(store.host, store.port, store.key, store.secret)
    assert client.call("PUT", bucket, body=CREATE).status == 200
    client.close()
    return bucket


def judge(history, label):
    if not linearizable(history, keys=2):
        text = "\n".join(map(str, sorted(history, key=lambda o: o.begin)))
        pytest.fail(f"{label} has no order that explains it:\n{text}")


@pytest.mark.timeout(3600 + OPS)
def test_contention(store):
    bucket, total, turn = make(store), 0, 0
    while total < OPS * 9 // 10:
        history = round_of(store, bucket, f"r{turn}", seed=SEED)
        judge(history, f"round {turn}")
        total += len(history)
        turn += 1


@pytest.mark.timeout(3600 + OPS)
def test_contention_across_kills(new_store):
    store = new_store()
    bucket, total, turn = make(store), 0, 0
    chance = random.Random(SEED)
    while total < OPS // 10:
        def kill():
            time.sleep(chance.uniform(0.01, 0.15))
            store.kill()
        history = round_of(store, bucket, f"k{turn}", count=40, clients=4, seed=SEED, during=kill)
        store.start()
        client = Client(store.host, store.port, store.key, store.secret)
        for key in range(2):		# what is there afterwards must fit, too
            begin = time.monotonic()
            answer = client.call("GET", bucket, f"k{turn}/{key}")
            found = answer.headers["etag"].strip('"') if answer.status == 200 else None
            history.append(Op(99, "get", key, begin, time.monotonic(), answer=found))
        client.close()
        judge(history, f"round {turn} with a kill")
        total += len(history)
        turn += 1
