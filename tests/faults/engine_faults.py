"""The Nth call of each kind of one engine fails, N = 1, 2, 3, ... until the work is through before the Nth: once, or for ever.

The driver (blob_driver.c, kv_driver.c) goes on after errors and says what was acknowledged; then the store is judged without faults: what was
acknowledged is there. After failing flushes and writes the power is cut as well: what a failed flush covered must not have been acknowledged.
"""
import os
import random
import shutil
import signal
import tempfile

import states
import shim
from engine_cuts import BLOBS, marks, path_of, run
from shim import FAULTS, HARMLESS, ONCE


def campaign(build, seed, stride=1, threads=2, steps=12, driver=BLOBS):
    """stride: try only each so-manieth N, beginning at a random one. Returns {runs, hits, faults}."""
    chance = random.Random(seed)
    total = {"runs": 0, "hits": 0, "faults": []}
    for call, errors in FAULTS.items():
        for error in errors:
            for forever in (False, True):
                if forever and error in ONCE:
                    continue
                nth = chance.randrange(stride) + 1
                while one(path_of(build, driver), build, chance, call, error, nth, forever, threads, steps, total):
                    nth += stride
    return total


def one(driver, build, chance, call, error, nth, forever, threads, steps, total):
    """False: the work was through before the Nth call."""
    name = f"{call} {nth}{' and on' if forever else ''}: {error}"
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        top, log, cut_top = (os.path.join(folder, n) for n in ("store", "log", "cut"))
        control = shim.Control(os.path.join(folder, "control"))
        os.mkdir(top)
        image = states.Image(top)
        control.arm(call, error, nth, forever)
        done = run(driver, ["work", top, str(threads), str(steps), "5"],
                   shim.environment(build, top, control.path, log))
        hit = control.hit()
        total["runs"] += 1
        total["hits"] += hit > 0
        entries = states.read_log(log)
        # Without memory a program ends, RocksDB now and then by a null pointer; and it fails an assertion of its own when it cannot write
        # the head of its diary as it opens.
        ended = (done.returncode == -signal.SIGABRT and (call == "memory" or done.stdout.endswith("opening\n")) or
                 done.returncode == -signal.SIGSEGV and call == "memory")
        if not ended and (done.returncode not in (0, 3) or done.stderr):
            total["faults"].append(f"{name}: ended with {done.returncode}: {done.stderr[-1500:]}")
            return False
        if hit and error in HARMLESS and "failed" in done.stdout:
            total["faults"].append(f"{name}: is to be got over, but: {done.stdout[-500:]}")
        judged = run(driver, ["judge", top], lines=done.stdout)
        if judged.returncode != 0 or judged.stderr:
            total["faults"].append(f"{name}: {judged.stdout[-1000:]}{judged.stderr[-1000:]}")
        if call in ("sync", "write") and entries and not total["faults"]:
            length = entries[-1].end
            states.Cut(image, entries, length).build(chance.random(), cut_top)
            judged = run(driver, ["judge", cut_top], lines=marks(entries, length))
            if judged.returncode != 0 or judged.stderr:
                total["faults"].append(f"{name}, then a power cut: {judged.stdout[-1000:]}{judged.stderr[-1000:]}")
            shutil.rmtree(cut_top)
        return hit > 0 and len(total["faults"]) < 5
