"""The whole server while the Nth call of a kind fails: once, or for ever; N = 1, 2, 3, ... until the work is through before the Nth.

The shim (shim.c) makes the calls of the index and of the blobs fail, from the first start of a new store on. Clients go on after errors and
remember what they were told. Then the fault ends: the store comes back by itself (or, if it ended, with its next start), and is judged;
then it is killed, started again, and judged again; then looked at by `caisson check`. What was acknowledged is there, and never other bytes.
"""
import os
import random
import shutil
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "..", "crash")]

import requests  # noqa: E402
import shim  # noqa: E402
from points import FLAGS, Sequence, damage  # noqa: E402
from shim import HARMLESS, ONCE  # noqa: E402
from store import Store  # noqa: E402
from verdict import judge  # noqa: E402
from workload import Shared, make_buckets  # noqa: E402

BUCKET = "faulty"
STEPS = 40			# of each client
MISSES = 3			# runs in a row without an Nth call, after which none is left: the Nth runs differ, each by its seed
FAULTS = {**shim.FAULTS, "open": [*shim.FAULTS["open"], "EMFILE"]}	# connections need descriptors too


class Patient(Sequence):
    """Goes on after errors, for so many steps."""

    def choose(self):
        if self.steps == 0:
            self.stopping = True
        self.steps -= 1
        return super().choose()


class Run:
    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.top = tempfile.mkdtemp(prefix="caisson-faults-", dir="/dev/shm")
        self.data = os.path.join(self.top, "data")
        os.mkdir(self.data)
        self.control = shim.Control(os.path.join(self.top, "control"))
        self.store, self.workers, self.faults = None, [], []
        self.ends = (1, -signal.SIGABRT, -signal.SIGKILL)	# how it may refuse to start
        self.shared = Shared(0)
        self.shared.may_break, self.shared.may_fail = True, (500, 503, 507)

    def start(self):
        """False: it refuses to start, and says so."""
        environment = shim.environment(self.build, self.data, self.control.path)
        try:
            self.store = Store(self.build, *FLAGS, data=self.data, environment=environment)
        except RuntimeError as ended:
            if not any(f"ended with {code}" in str(ended) for code in self.ends):
                self.faults.append(str(ended))
            return False
        return True

    def work(self, seed, steps):
        """The fault is armed. Whatever breaks off or is refused is in doubt; anything else that is wrong is a fault."""
        if not self.start():
            return
        try:
            make_buckets(self.store, BUCKET)
        except (AssertionError, OSError):
            return			# nothing to lose yet
        self.workers = [Patient(self.store, BUCKET, n, f"{seed}-{n}", self.shared) for n in range(2)]
        for worker in self.workers:
            worker.steps, worker.backups = steps, self.data + "-backups"
            worker.start()
        for worker in self.workers:
            worker.join(120)

    def ready(self, seconds=25):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.store.process.poll() is not None:
                return False
            try:
                if requests.get(self.store.control + "/readyz", timeout=5).status_code == 200:
                    return True
            except OSError:
                pass
            time.sleep(0.05)
        self.faults.append("not ready after the fault is over")
        return False

    def judge(self, when):
        make_buckets(self.store, BUCKET)
        self.faults += [f"{when}: {fault}" for fault in judge(self.store, BUCKET, self.workers, self.shared).faults]

    def verdict(self):
        self.shared.may_fail = ()
        if self.store is None or self.store.process.poll() is not None or not self.ready():
            if self.store is not None and self.store.process.poll() is None:
                self.store.kill()
            if not self.start():
                self.faults.append("does not start after the fault is over: " + open(os.path.join(self.data, "test.log")).read()[-500:])
                return
        self.judge("after the fault")
        self.store.kill()
        self.start()
        self.judge("after a kill")
        code = self.store.stop()
        self.faults += [f"exit code {code}"] if code else []
        self.faults += damage(self.build, self.data)

    def close(self):
        if self.store is not None and self.store.process.poll() is None:
            self.store.kill()
        shutil.rmtree(self.top, ignore_errors=True)


def one(build, seed, call, error, nth, forever, total, steps=STEPS):
    """False: the work was through before the Nth call."""
    run = Run(build)
    label = f"{call} {nth}{' and on' if forever else ''}: {error}"
    try:
        run.control.arm(call, error, nth, forever)
        if call == "memory":
            run.ends = (*run.ends, -signal.SIGSEGV)		# RocksDB, now and then
        if error in HARMLESS:
            run.shared.may_fail, run.shared.may_break = (), False
        run.work(seed, steps)
        hit = run.control.hit()
        run.control.calm()
        run.verdict()
    except (AssertionError, OSError, RuntimeError) as broken:
        hit = 1
        run.faults.append(f"{type(broken).__name__}: {broken}")
    finally:
        run.close()
    total["runs"] += 1
    total["hits"] += hit > 0
    total["operations"] += sum(w.done for w in run.workers)
    total["faults"] += [f"FAULT {label}: {fault}" for fault in run.faults]
    return hit > 0


def cases():
    for call, errors in FAULTS.items():
        for error in errors:
            for forever in (False, True):
                if not (forever and error in ONCE):
                    yield call, error, forever


def campaign(build, seed, growth=1.5, share=(0, 1), steps=STEPS, report=None):
    """N grows by the factor, from a random beginning. share: (n, of so many) of the cases. Returns {runs, hits, operations, faults}."""
    chance = random.Random(seed)
    total = {"runs": 0, "hits": 0, "operations": 0, "faults": []}
    for number, (call, error, forever) in enumerate(cases()):
        nth, misses = chance.randrange(max(1, int(growth))) + 1, 0
        if number % share[1] != share[0]:
            continue
        while misses < (MISSES if growth == 1 else 1) and not total["faults"]:
            misses = 0 if one(build, f"{seed}-{nth}", call, error, nth, forever, total, steps) else misses + 1
            nth = max(nth + 1, int(nth * growth))
        if report:
            report(f"{call}{' and on' if forever else ''}: {error}: to the {nth - 1}th, {total['runs']} runs, {len(total['faults'])} faults", flush=True)
        if total["faults"]:
            break
    return total
