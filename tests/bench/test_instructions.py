"""What small requests cost, in instructions: a gate that a busy machine cannot trip. Limits are a quarter above what was measured."""
import os

import pytest

import instructions
from contender import TOP

LIMITS = {"GET": 110000, "HEAD": 105000, "PUT": 240000}


@pytest.mark.parametrize("method", LIMITS)
def test_small_request(build, method):
    counted, functions = instructions.measure(build, method, 500)
    assert 10000 < counted < LIMITS[method], f"{counted:.0f} instructions: " + ", ".join(
        f"{name} {n:.0f}" for name, n in list(functions.items())[:20])


def test_worst_patterns(build):
    """Eight patterns, each as long as a policy, with a text as long as a head: place by place it would be several times as much."""
    counted = instructions.program(os.path.join(TOP, build, "tests", "unit_glob"), "worst")
    assert 10 ** 8 < counted < 2.2e9, counted
