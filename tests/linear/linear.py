"""The campaign: contended operations in many short histories, some with the store killed and restarted in the middle; each is judged.

    tests/linear/run [--ops N] [--seed S] [--workers W] [--kills SHARE] [--json]        long form, a million operations

Every history has keys of its own, so that it is judged by itself, and workers (processes) play theirs side by side.
The last line is "N passed, N failed": histories.
"""
import argparse
import json
import multiprocessing
import os
import random
import sys
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from checker import Op, linearizable  # noqa: E402
from clients import ALL, MOVES, round_of  # noqa: E402
from s3lib import Client  # noqa: E402
from store import Store  # noqa: E402

CREATE = b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint></CreateBucketConfiguration>"
# clients, keys, operations of each, which: two keys that renames and copies tie together; one key under heavy fire; long and calm.
SHAPES = [(5, 2, 8, ALL), (5, 2, 8, MOVES), (8, 1, 12, ALL), (3, 2, 30, ALL)]


def connect(store):
    return Client(store.host, store.port, store.key, store.secret)


def make_bucket(store):
    bucket = "linear-" + uuid.uuid4().hex[:12]
    client = connect(store)
    assert client.call("PUT", bucket, body=CREATE).status == 200
    client.close()
    return bucket


def explain(history, label):
    text = "\n".join(map(str, sorted(history, key=lambda o: o.begin)))
    return f"{label} has no order that explains it:\n{text}"


class Tally:
    def __init__(self):
        self.operations, self.unknown, self.histories, self.kills, self.faults, self.judging = 0, 0, 0, 0, [], 0.0

    def judge(self, history, keys, label):
        began = time.monotonic()
        if not linearizable(history, keys):
            self.faults.append(explain(history, label))
        self.judging += time.monotonic() - began
        self.operations += len(history)
        self.unknown += sum(op.end is None for op in history)
        self.histories += 1

    def add(self, other):
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def contend(store, ops, seed, tally):
    """Histories on a store that runs."""
    bucket, turn = make_bucket(store), 0
    while tally.operations < ops and not tally.faults:
        clients, keys, count, mix = SHAPES[turn % len(SHAPES)]
        tally.judge(round_of(store, bucket, f"r{seed}-{turn}", clients, keys, count, mix, seed), keys, f"seed {seed} round {turn}")
        turn += 1


def aftermath(store, bucket, prefix, keys):
    """What is there after the restart must fit, too."""
    client, seen = connect(store), []
    for key in range(keys):
        begin = time.monotonic()
        answer = client.call("GET", bucket, f"{prefix}/{key}")
        found = answer.headers["etag"].strip('"') if answer.status == 200 else None
        seen.append(Op(99, "get", key, begin, time.monotonic(), answer=found))
    client.close()
    return seen


def contend_and_kill(store, ops, seed, tally):
    """Each history is cut by a kill -9 at a random moment."""
    bucket, turn, chance = make_bucket(store), 0, random.Random(seed)
    begin = tally.operations
    while tally.operations - begin < ops and not tally.faults:
        def kill():
            time.sleep(chance.uniform(0.01, 0.15))
            store.kill()
        prefix = f"k{seed}-{turn}"
        history = round_of(store, bucket, prefix, count=40, clients=4, seed=seed, during=kill)
        store.start()
        tally.kills += 1
        tally.judge(history + aftermath(store, bucket, prefix, 2), 2, f"seed {seed} round {turn} with a kill")
        turn += 1


def worker(build, ops, kills, seed, out):
    """One process, with a store of its own."""
    tally, store = Tally(), Store(build)
    try:
        contend(store, ops * (1 - kills), seed, tally)
        if not tally.faults:
            contend_and_kill(store, ops * kills, seed, tally)
    except Exception as fault:
        tally.faults.append(f"seed {seed}: {fault!r}")
    finally:
        store.close()
    out.put(tally)


def campaign(build, ops, kills=0.1, seed="1", workers=2):
    """Gives the Tally of all workers."""
    began, total, out = time.monotonic(), Tally(), multiprocessing.Queue()
    running = [multiprocessing.Process(target=worker, args=(build, ops / workers, kills, f"{seed}.{n}", out)) for n in range(workers)]
    for each in running:
        each.start()
    for each in running:
        total.add(out.get())
    for each in running:
        each.join()
    total.seconds = time.monotonic() - began
    return total


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("--ops", type=int, default=1000000)
    parse.add_argument("--kills", type=float, default=0.1)
    parse.add_argument("--seed", default="1")
    parse.add_argument("--workers", type=int, default=os.cpu_count())
    parse.add_argument("--build", default="build")
    parse.add_argument("--json", action="store_true")
    given = parse.parse_args()
    total = campaign(given.build, given.ops, given.kills, given.seed, given.workers)
    print("\n".join(total.faults))
    figures = {n: v for n, v in vars(total).items() if n != "faults"}
    print(json.dumps(figures) if given.json else "  ".join(f"{n} {v:.0f}" for n, v in figures.items()))
    print(f"{total.histories - len(total.faults)} passed, {len(total.faults)} failed")
    return 1 if total.faults else 0


if __name__ == "__main__":
    sys.exit(main())
