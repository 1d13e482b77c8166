"""The engines of blobs and of the index by themselves, under power cuts and faults, in the short form. The long form: tests/faults/run."""
import os
import random
import subprocess
import sys
import tempfile
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import engine_cuts  # noqa: E402
import engine_faults  # noqa: E402
import shim  # noqa: E402
from engine_cuts import BLOBS, INDEX  # noqa: E402

SEED = os.environ.get("CAISSON_SEED", "1")


@pytest.fixture
def where(build):
    if not os.path.isdir("/dev/shm"):
        pytest.skip("needs /dev/shm")
    return os.path.abspath(build)


@pytest.mark.parametrize("driver, runs, cuts", [(BLOBS, 8, 60), (INDEX, 4, 25)])
def test_power_cuts(where, driver, runs, cuts):
    total = engine_cuts.campaign(where, SEED, runs, cuts, driver=driver)
    assert total["faults"] == []
    assert total["acknowledged"] > 300


@pytest.mark.parametrize("driver, runs, budget", [(BLOBS, 6, 150), (INDEX, 3, 100)])
def test_every_state(where, driver, runs, budget):
    """Two steps: at every moment all states that the disk may be in are counted; here a part of them is judged, in the long form all."""
    total = engine_cuts.short(where, SEED, runs, driver=driver, budget=budget)
    assert total["faults"] == []
    assert total["complete"] > 0.8 * total["moments"] > 0


@pytest.mark.parametrize("driver, stride, least", [(BLOBS, 5, 50), (INDEX, 50, 50)])
@pytest.mark.timeout(900)
def test_nth_call_fails(where, driver, stride, least):
    total = engine_faults.campaign(where, SEED, stride, driver=driver)
    assert total["faults"] == []
    assert total["hits"] > least


def test_full_at_the_first_write(where):
    """Each write up to the first commit, and that: RocksDB goes on with a log that has failed, into an assertion, if we let it."""
    total = {"runs": 0, "hits": 0, "faults": []}
    for nth in range(1, 17):
        engine_faults.one(engine_faults.path_of(where, INDEX), where, random.Random(SEED), "write", "ENOSPC", nth, False, 2, 6, total)
    assert total["faults"] == []
    assert total["hits"] == total["runs"]


def test_room_comes_back(where):
    """The disk is full for a while: errors then, and service after, without a restart."""
    driver = os.path.join(where, "tests", "faults", "blob_driver")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        top = os.path.join(folder, "store")
        control = shim.Control(os.path.join(folder, "control"))
        work = subprocess.Popen([driver, "work", top, "2", "1500", "9"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**os.environ, **shim.environment(where, top, control.path), "FAULTS_JITTER": "300"})
        time.sleep(0.2)
        control.arm("write+allocate+open+mkdir", "ENOSPC", forever=True)
        deadline = time.monotonic() + 20
        while control.hit() < 20 and time.monotonic() < deadline:
            time.sleep(0.005)
        control.calm()
        out, errors = work.communicate(timeout=60)
        assert work.returncode == 0, errors
        lines = out.splitlines()
        failed = [n for n, line in enumerate(lines) if line.startswith("failed-put -28")]
        assert failed, "nobody noticed"
        assert [line for line in lines[failed[-1]:] if line.startswith("put ")], "no service after the disk had room again"
        judged = engine_cuts.run(driver, ["judge", top], lines=out)
        assert judged.returncode == 0, judged.stdout
