"""The short form of the power cuts: 50 on each file system. And: each planted bug can still be planted (tests/planted)."""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "planted")]

from bugs import BUGS  # noqa: E402
from disk import available  # noqa: E402
from planted import TOP, is_there  # noqa: E402
from power import campaign  # noqa: E402


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_power_cuts(kind, build):
    if not available(kind):
        pytest.skip("needs root and loop devices")
    total = campaign(kind, cuts=50, seed=os.environ.get("CAISSON_SEED", "1"), build=build)
    assert total["faults"] == []
    assert total["operations"] > 100


def test_planted_bugs_fit():
    assert [b.name for b in BUGS if not is_there(b, TOP)] == []
