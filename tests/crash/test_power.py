"""The short form of the power cuts: 50 on each file system."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from disk import available  # noqa: E402
from power import campaign  # noqa: E402


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_power_cuts(kind, build):
    if not available(kind):
        pytest.skip("needs root and loop devices")
    total = campaign(kind, cuts=50, seed=os.environ.get("CAISSON_SEED", "1"), build=build)
    assert total["faults"] == []
    assert total["operations"] > 100
