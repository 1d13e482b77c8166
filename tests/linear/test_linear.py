"""Conditional writes, renames, copies and listings are linearizable, also across kills: the short form of tests/linear/run.

CAISSON_LINEAR_OPS sets how many operations (default 10,000).
"""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from checker import Op, linearizable  # noqa: E402
from linear import campaign  # noqa: E402

OPS = int(os.environ.get("CAISSON_LINEAR_OPS", "10000"))


def op(kind, begin, end, answer=None, key=0, **more):
    return Op(0, kind, key, begin, end, answer=answer, **more)


# Histories that the checker must accept or refuse: it is the test of the test.
@pytest.mark.parametrize("why, good, history", [
    ("read of an acknowledged write", True, [op("put", 0, 1, "ok", value="a"), op("get", 2, 3, "a")]),
    ("stale read", False, [op("put", 0, 1, "ok", value="a"), op("put", 2, 3, "ok", value="b"), op("get", 4, 5, "a")]),
    ("read of either while a write runs", True, [op("put", 0, 1, "ok", value="a"), op("put", 2, 9, "ok", value="b"), op("get", 3, 4, "a"),
                                                 op("get", 5, 6, "b")]),
    ("new, then old, while a write runs", False, [op("put", 0, 1, "ok", value="a"), op("put", 2, 9, "ok", value="b"),
                                                  op("get", 3, 4, "b"), op("get", 5, 6, "a")]),
    ("lost write", False, [op("put", 0, 1, "ok", value="a"), op("get", 2, 3, None)]),
    ("two first writers", False, [op("put", 0, 5, "ok", new=True, value="a"), op("put", 0, 5, "ok", new=True, value="b")]),
    ("one first writer", True, [op("put", 0, 5, "ok", new=True, value="a"), op("put", 0, 5, "failed", new=True, value="b")]),
    ("refused for nothing", False, [op("put", 0, 5, "failed", new=True, value="a")]),
    ("lost update", False, [op("put", 0, 1, "ok", value="a"), op("put", 2, 5, "ok", value="b", expected="a"),
                            op("put", 2, 5, "ok", value="c", expected="a")]),
    ("deleted and replaced", False, [op("put", 0, 1, "ok", value="a"), op("delete", 2, 5, "ok", expected="a"),
                                     op("put", 2, 5, "ok", value="c", expected="a")]),
    ("unknown write seen", True, [op("put", 0, None, value="a"), op("get", 9, 10, "a")]),
    ("unknown write seen late", True, [op("put", 0, None, value="a"), op("get", 9, 10, None), op("get", 11, 12, "a")]),
    ("unknown write seen, then gone", False, [op("put", 0, None, value="a"), op("get", 9, 10, "a"), op("get", 11, 12, None)]),
    ("neither name after a rename", False, [op("put", 0, 1, "ok", value="a"), op("rename", 2, 6, "ok", to=1),
                                            op("list", 3, 4, (False, False))]),
    ("both names during a rename", False, [op("put", 0, 1, "ok", value="a"), op("rename", 2, 6, "ok", to=1), op("list", 3, 4, (True, True))]),
    ("one name during a rename", True, [op("put", 0, 1, "ok", value="a"), op("rename", 2, 6, "ok", to=1), op("list", 3, 4, (False, True))]),
    ("rename over what was there", False, [op("put", 0, 1, "ok", value="a"), op("put", 0, 1, "ok", value="b", key=1),
                                           op("rename", 2, 6, "ok", to=1, new=True)]),
    ("rename of what was replaced", False, [op("put", 0, 1, "ok", value="b"), op("rename", 2, 6, "ok", to=1, expected="a")]),
    ("copy keeps its source", False, [op("put", 0, 1, "ok", value="a"), op("copy", 2, 6, "ok", to=1), op("get", 7, 8, None)]),
])
def test_checker(why, good, history):
    assert linearizable(history, keys=2) == good, why


@pytest.mark.timeout(600 + OPS)
def test_linearizable(build):
    total = campaign(build, OPS, seed=os.environ.get("CAISSON_SEED", "1"))
    assert total.faults == []
    assert total.operations >= OPS and total.kills >= 3 and total.unknown < total.operations / 5
