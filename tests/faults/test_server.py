"""The whole server under failing calls and under power cuts that keep no more than was flushed, in the short form. The long form: tests/faults/run."""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]

import server_cuts  # noqa: E402
import server_faults  # noqa: E402

SEED = os.environ.get("CAISSON_SEED", "1")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("share", [0, 1])
def test_nth_call_fails(build, share):
    total = server_faults.campaign(build, SEED, growth=40, share=(share, 2))
    assert total["faults"] == []
    assert total["hits"] > 10


@pytest.mark.timeout(600)
def test_power_cuts(build):
    total = server_cuts.campaign(build, SEED, runs=1, cuts=25)
    assert total["faults"] == []
