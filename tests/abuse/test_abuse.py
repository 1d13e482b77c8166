"""The short form of tests/abuse/run: a tenth of the crowds, for a moment each. Times are reported there, and not judged here."""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from abuse import SCENES, campaign, show  # noqa: E402


@pytest.mark.timeout(900)
def test_abuse(build):
    rows = list(campaign(build, list(SCENES), 0.1, 1.5))
    for row in rows:
        show(row)
    assert [r["scene"] for r in rows if r["faults"]] == []
    assert len(rows) == len(SCENES)
