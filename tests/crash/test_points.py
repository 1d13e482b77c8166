"""The short form of the kills: each crash point the first time, and the third with another one in the recovery."""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]

from points import campaign, points  # noqa: E402


@pytest.mark.timeout(600)
@pytest.mark.parametrize("share", [0, 1])
def test_kill_points(build, share):
    """In two halves, for two workers."""
    total = campaign(build, os.environ.get("CAISSON_SEED", "1"), times=(1, 3), only=points()[share::2])
    assert total["faults"] == []
    assert total["kills"] >= len(points()) // 2
