"""Power cuts under one engine: a run of random work gives a log; at lengths of it the disk is built as it may be then.

Each state is judged by the engine's driver (blob_driver.c, kv_driver.c): what had been acknowledged is there and whole; of what had not, nothing
is half there. A part of the judgements runs under the shim too, and is cut in turn: a crash during the recovery from a crash.

campaign() samples; short() takes few steps and, at every moment of them, every state that the disk may be in, as far as they can be counted.
"""
import functools
import os
import random
import shutil
import subprocess
import tempfile

import states
import shim

BLOBS, INDEX = "blob_driver", "kv_driver"
SAMPLED = 8				# states, where there are too many
PASSIVE = ("LOG", "LOCK")		# the index writes a head there, and never reads it


def run(driver, arguments, environment=None, lines=""):
    return subprocess.run([driver, *arguments], input=lines, capture_output=True, text=True, timeout=120,
                          env={**os.environ, **(environment or {})})


def path_of(build, driver):
    return os.path.join(build, "tests", "faults", driver)


def marks(entries, length):
    return "".join(e.data.decode() for e in entries if e.kind == states.MARK and e.end <= length)


class Work:
    """What the driver did in a new directory: the log, and the disk before it."""

    def __init__(self, build, driver, folder, threads, steps, chance):
        self.driver = path_of(build, driver)
        top, log = os.path.join(folder, "store"), os.path.join(folder, "log")
        os.mkdir(top)
        self.image = states.Image(top)
        jitter = {"FAULTS_JITTER": str(chance.choice([0, 100, 1000]))}
        done = run(self.driver, ["work", top, str(threads), str(steps), str(chance.randrange(1 << 30))],
                   {**shim.environment(build, top, log=log), **jitter})
        self.fault = None
        if done.returncode != 0 or "failed" in done.stdout:
            self.fault = f"the work itself: {done.stdout[-500:]}{done.stderr[-1000:]}"
        self.entries = states.read_log(log)
        self.acknowledged = sum(line.startswith(("put ", "done ")) for line in done.stdout.splitlines())


def total_of(**more):
    return {"runs": 0, "states": 0, "acknowledged": 0, **more, "faults": []}


def campaign(build, seed, runs, cuts, steps=30, threads=4, driver=BLOBS):
    """Returns {runs, states, acknowledged, faults}."""
    chance, total = random.Random(seed), total_of()
    while total["runs"] < runs and not total["faults"]:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            sample(build, driver, chance, f"{seed}-{total['runs']}", folder, cuts, steps, threads, total)
        total["runs"] += 1
    return total


def sample(build, driver, chance, seed, folder, cuts, steps, threads, total):
    work, cut_top = Work(build, driver, folder, threads, steps, chance), os.path.join(folder, "cut")
    total["acknowledged"] += work.acknowledged
    if work.fault:
        total["faults"].append(f"{seed}: {work.fault}")
        return
    for n in range(cuts):
        length = chance.choice(work.entries).end
        states.Cut(work.image, work.entries, length).build(f"{seed}-{n}", cut_top)
        fault = judge(build, work.driver, cut_top, marks(work.entries, length), chance, folder, twice=n % 4 == 3)
        shutil.rmtree(cut_top)
        total["states"] += 1
        if fault:
            total["faults"].append(f"{seed}-{n}, log length {length}: {fault}")
            return


def short(build, seed, runs, limit=300, steps=2, driver=BLOBS, budget=None):
    """
    Returns {runs, moments, complete, states, ...}. One thread; at each moment every state, torn at 512 bytes or else at 4096. complete: the
    moments at which that were no more than limit; at the others a few are sampled. budget: so many of a run's states, by chance.
    """
    chance, total = random.Random(seed), total_of(moments=0, complete=0)
    while total["runs"] < runs and not total["faults"]:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            work = Work(build, driver, folder, 1, steps, chance)
            total["acknowledged"] += work.acknowledged
            total["faults"] += [f"{seed}-{total['runs']}: {work.fault}"] if work.fault else []
            disks = every(work, f"{seed}-{total['runs']}", limit, total)
            for length, name, write in disks if budget is None else chance.sample(disks, min(budget, len(disks))):
                top = os.path.join(folder, "cut")
                write(top=top)
                fault = judge(build, work.driver, top, marks(work.entries, length), chance, folder, twice=False)
                shutil.rmtree(top)
                total["states"] += 1
                if fault:
                    total["faults"].append(f"{seed}-{total['runs']}, log length {length}, state {name}: {fault}")
                    break
        total["runs"] += 1
    return total


def every(work, seed, limit, total):
    """[(length of the log, name, function that writes the disk)]"""
    disks = []
    for entry in work.entries:
        if entry.kind == states.MARK:
            continue
        cut = states.Cut(work.image, work.entries, entry.end)
        found = cut.every(limit, 512, PASSIVE) or cut.every(limit, 4096, PASSIVE)
        total["moments"] += 1
        total["complete"] += found is not None
        some = [functools.partial(cut.build, f"{seed}-{entry.end}-{n}") for n in range(SAMPLED)]
        disks += [(entry.end, n, write) for n, write in enumerate(found or some)]
    return disks


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
        length = chance.choice(entries).end
        states.Cut(image, entries, length).build(chance.random(), again)
        done = run(driver, ["judge", again], lines=lines + marks(entries, length))
        if done.returncode != 0 or done.stderr:
            fault = "in the second recovery: " + done.stdout + done.stderr
        shutil.rmtree(again)
    os.unlink(log)
    return fault
