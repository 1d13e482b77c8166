"""Power cuts under the blob store: one run of random work gives a log; at random lengths of it the disk is built as it may be then.

Each state is judged (tests/faults/blob_driver.c): what had been acknowledged is there and whole; what nobody owns can be swept. A part of the
judgements runs under the shim too, and is cut in turn: a crash during the recovery from a crash.
"""
import os
import random
import shutil
import subprocess
import tempfile

import states
import shim


def run(driver, arguments, environment=None, lines=""):
    return subprocess.run([driver, *arguments], input=lines, capture_output=True, text=True, timeout=120,
                          env={**os.environ, **(environment or {})})


def marks(entries, length):
    return "".join(e.data.decode() for e in entries if e.kind == states.MARK and e.end <= length)


def campaign(build, seed, runs, cuts, steps=30, threads=4):
    """Returns {runs, states, acknowledged, faults}."""
    chance = random.Random(seed)
    total = {"runs": 0, "states": 0, "acknowledged": 0, "faults": []}
    for number in range(runs):
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            one(build, chance, f"{seed}-{number}", folder, cuts, steps, threads, total)
        total["runs"] += 1
        if total["faults"]:
            break
    return total


def one(build, chance, seed, folder, cuts, steps, threads, total):
    driver = os.path.join(build, "tests", "faults", "blob_driver")
    top, log, cut_top = (os.path.join(folder, n) for n in ("store", "log", "cut"))
    os.mkdir(top)
    image = states.Image(top)
    jitter = {"FAULTS_JITTER": str(chance.choice([0, 100, 1000]))}
    done = run(driver, ["work", top, str(threads), str(steps), str(chance.randrange(1 << 30))],
               {**shim.environment(build, top, log=log), **jitter})
    if done.returncode != 0 or "failed" in done.stdout:
        total["faults"].append(f"{seed}: the work itself: {done.stdout[-500:]}{done.stderr[-1000:]}")
        return
    entries = states.read_log(log)
    total["acknowledged"] += done.stdout.count("put ")
    for n in range(cuts):
        length = chance.choice(entries).end
        states.Cut(image, entries, length).build(f"{seed}-{n}", cut_top)
        fault = judge(build, driver, cut_top, marks(entries, length), chance, folder, twice=n % 4 == 3)
        shutil.rmtree(cut_top)
        total["states"] += 1
        if fault:
            total["faults"].append(f"{seed}-{n}, log length {length}: {fault}")
            return


def judge(build, driver, top, lines, chance, folder, twice):
    if not twice:
        done = run(driver, ["judge", top], lines=lines)
        return done.stdout + done.stderr if done.returncode != 0 or done.stderr else None
    again, log = os.path.join(folder, "again"), os.path.join(folder, "log2")
    image = states.Image(top)
    done = run(driver, ["judge", top], shim.environment(build, top, log=log), lines)
    fault = done.stdout + done.stderr if done.returncode != 0 or done.stderr else None
    entries = states.read_log(log)
    if fault is None and entries:
        states.Cut(image, entries, chance.choice(entries).end).build(chance.random(), again)
        done = run(driver, ["judge", again], lines=lines)
        if done.returncode != 0 or done.stderr:
            fault = "in the second recovery: " + done.stdout + done.stderr
        shutil.rmtree(again)
    os.unlink(log)
    return fault
