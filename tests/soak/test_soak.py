"""The soak in its short form: see soak.py."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from soak import soak  # noqa: E402


@pytest.mark.timeout(280)
def test_soak(build):
    faults, figures = soak(40, "ci", build)
    assert faults == [], figures
