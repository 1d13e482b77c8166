"""The blob store by itself under power cuts and faults, in the short form. The long form: tests/faults/run."""
import os
import subprocess
import sys
import tempfile
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import blob_cuts  # noqa: E402
import blob_faults  # noqa: E402
import shim  # noqa: E402

SEED = os.environ.get("CAISSON_SEED", "1")


@pytest.fixture
def where(build):
    if not os.path.isdir("/dev/shm"):
        pytest.skip("needs /dev/shm")
    return os.path.abspath(build)


def test_power_cuts(where):
    total = blob_cuts.campaign(where, SEED, runs=8, cuts=60)
    assert total["faults"] == []
    assert total["acknowledged"] > 300


def test_few_steps_every_moment(where):
    """Short sequences: at every length of the log, several of the states each."""
    total = blob_cuts.campaign(where, SEED + "-short", runs=10, cuts=60, steps=3, threads=2)
    assert total["faults"] == []


def test_nth_call_fails(where):
    total = blob_faults.campaign(where, SEED, stride=5)
    assert total["faults"] == []
    assert total["hits"] > 50


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
        judged = blob_cuts.run(driver, ["judge", top], lines=out)
        assert judged.returncode == 0, judged.stdout
