"""Power cuts under the whole server, with no more promised than POSIX promises.

The server works under the shim, which logs every change to its files, the index's among them, and every flush. At random lengths of the log the
disk is built as it may be then (states.py): what was not flushed is there or not, in any order, torn at 512 or 4096 bytes. A server is started
on it. Each key holds what was acknowledged by then, or what was under way.
"""
import os
import random
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "..", "crash")]

import shim  # noqa: E402
import states  # noqa: E402
from points import FLAGS, Sequence, damage  # noqa: E402
from store import Store  # noqa: E402
from verdict import Verdict  # noqa: E402
from workload import GONE, Shared, make_buckets  # noqa: E402

BUCKET = "cuts"
KINDS = ["put", "put", "put", "put", "delete", "copy", "tag", "put", "copy_across", "batch", "swap", "put", "rename", "list"]


class Event:
    """A change of a key: the log's length when it was asked for, and when it was acknowledged."""

    def __init__(self, state, begin):
        self.state, self.begin, self.end = state, begin, None


class Recorder(Sequence):
    def start(self):
        self.events, self.renames, self.at = {}, [], 0
        super().start()

    def choose(self):
        self.at += 1
        if self.at > self.steps:
            self.stopping = True
        return KINDS[self.at % len(KINDS)]

    def attempt(self, changes, *call, pair=None, **more):
        now = [Event(state, os.path.getsize(self.log)) for state in changes.values()]
        for key, event in zip(changes, now):
            self.events.setdefault(key, []).append(event)
        if pair:
            self.renames.append((now, pair))
        answer = super().attempt(changes, *call, pair=pair, **more)
        for event in now:
            event.end = os.path.getsize(self.log)
        return answer

    def allowed(self, key, length):
        may = [GONE]
        for event in self.events.get(key, []):
            if event.end is not None and event.end <= length:
                may = [event.state]
            elif event.begin <= length:
                may.append(event.state)
        return may

    def under_way(self, length):
        """The renames whose names nothing else has touched, as far as the log went."""
        for (event, _), pair in self.renames:
            if event.begin <= length and all(e.begin <= event.begin or e.begin > length for key in pair[:2] for e in self.events[key]):
                yield pair


def judge(build, top, workers, length):
    """Faults of a server on this disk."""
    faults = damage(build, top)
    try:
        store = Store(build, *FLAGS, data=top)
    except RuntimeError as refused:
        return faults + [f"does not start: {refused}"]
    try:
        verdict = Verdict(store, BUCKET)
        for worker in workers:
            there = {}
            for key in worker.names():
                found = verdict.check(key, lambda: [verdict.look(key)])
                there[key] = found[0] if found else GONE
                may = worker.allowed(key, length)
                if found and found[0] not in may:
                    verdict.say(f"{key}: found {found[0]}, but it may only be one of {may}")
            for source, target, before, moved in worker.under_way(length):
                if (there[source], there[target]) not in (before, (GONE, moved)):
                    verdict.say(f"rename {source} to {target}: neither done nor undone: {there[source]}, {there[target]}")
        verdict.client.close()
        code = store.stop()
        return faults + verdict.faults + ([f"exit code {code}"] if code else [])
    finally:
        if store.process.poll() is None:
            store.kill()


def one(build, chance, seed, cuts, steps, total):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        data, log, cut_top = (os.path.join(folder, n) for n in ("data", "log", "cut"))
        os.mkdir(data)
        image = states.Image(data)
        jitter = {"FAULTS_JITTER": str(chance.choice([0, 300, 2000]))}
        store = Store(build, *FLAGS, data=data, environment={**shim.environment(build, data, log=log), **jitter})
        make_buckets(store, BUCKET)
        begin = os.path.getsize(log)
        workers = [Recorder(store, BUCKET, n, f"{seed}-{n}", Shared(0)) for n in range(3)]
        for worker in workers:
            worker.steps, worker.log = steps, log
            worker.start()
        for worker in workers:
            worker.join(120)
        store.kill()
        total["faults"] += [f"FAULT {seed}: the work itself: {w.fault}" for w in workers if w.fault]
        total["operations"] += sum(w.done for w in workers)
        entries = states.read_log(log)
        ends = [e.end for e in entries if e.end > begin]
        for n in range(cuts):
            length = chance.choice(ends)
            states.Cut(image, entries, length).build(f"{seed}-{n}", cut_top)
            faults = judge(build, cut_top, workers, length)
            shutil.rmtree(cut_top)
            total["states"] += 1
            total["faults"] += [f"FAULT {seed}-{n}, log length {length}: {fault}" for fault in faults]
            if total["faults"]:
                return


def campaign(build, seed, runs=2, cuts=20, steps=40):
    """Returns {runs, states, operations, faults}."""
    os.umask(0o077)		# the states that are built hold secrets, and the server minds
    build, chance = os.path.abspath(build), random.Random(seed)
    total = {"runs": 0, "states": 0, "operations": 0, "faults": []}
    while total["runs"] < runs and not total["faults"]:
        one(build, chance, f"{seed}-{total['runs']}", cuts, steps, total)
        total["runs"] += 1
    return total
