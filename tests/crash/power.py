"""Cut the power again and again, and see whether anything acknowledged is lost.

    tests/crash/run --cuts 10000 --seed 7 --build build

Each round: mixed load on a store whose disk is a loop-mounted ext4 or xfs, a cut at a random moment, kill, remount, start, compare with
what the clients were told, and go on with the same disk. The seed fixes each client's operations and the
moments of the cuts (not the scheduling of threads).
"""
import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from store import TOP, Store, check  # noqa: E402
from disk import Disk, available  # noqa: E402
from verdict import judge  # noqa: E402
from workload import Shared, Worker, make_buckets  # noqa: E402

BUCKET = "crash"
# All background work runs, at a pace that lets it meet the cuts.
GRACE = 1			# seconds
FLAGS = ["--reap-grace", str(GRACE * 1000), "--reap-interval", "200", "--sweep-interval", "1000", "--lifecycle-interval", "300",
         "--lifecycle-day-seconds", "1"]
KEEP = os.environ.get("CAISSON_KEEP_DISK")	# set: the image of a disk with faults stays
BACKUP_EVERY = 3		# rounds between two backups into the same disk
AGAIN = 10			# rounds between two stops in good order, after which no bytes are left over


class Campaign:
    """One disk, its store, and the figures. total: what the summary says."""

    def __init__(self, kind, seed, build, clients=8, seconds=(0.05, 1.0)):
        self.build, self.seconds = build, seconds
        self.seed, self.clients = seed, clients
        self.chance = random.Random(f"{kind}-{seed}")
        self.disk = Disk(kind, megabytes=2048)
        self.total = {"kind": kind, "seed": seed, "cuts": 0, "operations": 0, "keys": 0, "faults": []}
        self.store, self.before = None, {}

    def start(self):
        self.store = Store(self.build, *FLAGS, data=self.disk.path)

    def round(self, number):
        """Load, cut, look. False: something is wrong."""
        shared = Shared(number)
        workers = [Worker(self.store, BUCKET, n, f"{self.seed}-{number}-{n}", shared) for n in range(self.clients)]
        for worker in workers:
            if worker.number in self.before:
                worker.continue_from(self.before[worker.number])
            worker.start()
        if number % BACKUP_EVERY == 0:
            order_backup(self.store, os.path.join(self.disk.path, "backup"))
        time.sleep(self.chance.uniform(*self.seconds))
        # A real cut ends the network too. Answers that come while the file system dies count as not come: an fsync
        # under way then may report success, since the kernel cannot tell a waiter any more that its extents were lost.
        shared.cut = True
        self.disk.cut()
        self.store.kill()
        for worker in workers:
            worker.stopping = True
            worker.join(60)
        self.before = {w.number: w for w in workers}
        self.disk.remount()
        self.total["faults"] += damage(self.build, self.disk, f"cut {number}, before the start")
        self.total["cuts"] += 1
        self.total["operations"] += sum(w.done for w in workers)
        try:
            self.start()
        except RuntimeError as refused:
            self.total["faults"].append(f"cut {number}: does not start: {refused}")
            return False
        verdict = judge(self.store, BUCKET, workers, shared)
        self.total["keys"] += verdict.keys
        self.total["faults"] += [f"cut {number}: {fault}" for fault in verdict.faults]
        return not self.total["faults"]

    def close(self):
        if self.store is not None and self.store.process.poll() is None:
            self.store.kill()
        if self.total["faults"] and KEEP:
            print(f"{self.total['kind']}: the disk is kept: {self.disk.keep()}", flush=True)
        else:
            self.disk.close()


def campaign(kind, cuts, seed, build, report=print, until=None, **more):
    """Returns {kind, seed, cuts, operations, keys, faults}. until: monotonic time at which to end early."""
    c = Campaign(kind, seed, build, **more)
    total, began = c.total, time.monotonic()
    try:
        c.start()
        make_buckets(c.store, BUCKET)
        for number in range(cuts):
            if not c.round(number) or (until and time.monotonic() > until):
                break
            if number % AGAIN == AGAIN - 1:
                total["faults"] += stop(c) + restore(c)
                c.start()
                report(f"{kind}: {number + 1} cuts, {total['operations']} operations, {len(total['faults'])} faults", flush=True)
        if c.store.process.poll() is None:
            total["faults"] += stop(c) + restore(c)
    finally:
        c.close()
    total["minutes"] = (time.monotonic() - began) / 60
    return total


def order_backup(store, directory):
    """Begin one and do not wait: the cut may come at any of its steps. The last one may still be under way."""
    request = urllib.request.Request(store.control + "/v1/caisson/backup", method="POST",
                                     data=json.dumps({"directory": directory, "keep": 2}).encode(),
                                     headers={"Authorization": "Bearer " + store.token})
    try:
        urllib.request.urlopen(request, timeout=10).read()
    except OSError:
        pass


def restore(c):
    """What is called a set is whole: the newest becomes a store, which restore itself looks through."""
    backup, to = os.path.join(c.disk.path, "backup"), os.path.join(c.disk.path, "restored")
    sets = [n for n in os.listdir(backup) if re.fullmatch(r"\d{8}T\d{6}Z", n)] if os.path.isdir(backup) else []
    if not sets:
        return []
    shutil.rmtree(to, ignore_errors=True)
    done = subprocess.run([c.store.binary, "restore", "--from", backup, "--data-dir", to], capture_output=True, text=True)
    shutil.rmtree(to, ignore_errors=True)
    c.total["restored"] = c.total.get("restored", 0) + 1
    return [] if done.returncode == 0 else [f"the set {max(sets)} is not good: {done.stdout}{done.stderr}"]


def damage(build, disk, when):
    """What caisson check finds; leaks are the reaper's, and no faults."""
    code, lines = check(build, disk.path)
    return [f"{when}: {line}" for line in lines if line.startswith("damage")] if code else []


def told(store, method, path):
    request = urllib.request.Request(store.control + path, method=method, headers={"Authorization": "Bearer " + store.token})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def one_pass(store, job):
    """A whole pass that begins now: what it could not do is a fault."""
    ticket, end = told(store, "POST", f"/v1/caisson/job/{job}/run")["ticket"], time.monotonic() + 60
    while time.monotonic() < end:
        progress = told(store, "GET", f"/v1/caisson/job/{job}")["job"]
        if progress["served"] >= ticket and not progress["running"]:
            return [f"{job}: {progress['passFailed']} steps failed"] if progress["passFailed"] else []
        time.sleep(0.02)
    return [f"{job}: no pass within a minute"]


def stop(c):
    """One pass of sweep and reaper, and the store stops in good order: it is whole, and no bytes are left that nobody owns."""
    faults = one_pass(c.store, "sweep")
    time.sleep(GRACE + 0.1)
    faults += one_pass(c.store, "reaper")
    code = c.store.stop()
    faults += [] if code == 0 else [f"exit code {code} on SIGTERM"]
    code, lines = check(c.build, c.disk.path, "--strict")
    c.total["emptied"] = c.total.get("emptied", 0) + 1
    return faults + ([f"after a stop: {line}" for line in lines if line.startswith(("damage", "leak"))] if code else [])


HEAD = """# Long runs of the power cuts

Each row was appended by the campaign itself: `tests/crash/run --cuts N --record docs/durability-runs.md`. What is counted: durability.md.

| ended (UTC) | version | file system | cuts | operations acknowledged | keys and versions compared | losses and other faults | seed | minutes |
| --- | --- | --- | ---: | ---: | ---: | ---: | --- | ---: |
"""


def record(path, build, totals):
    """A row for each file system. The version says which commit was built."""
    version = subprocess.run([os.path.join(TOP, build, "caisson"), "version"], capture_output=True, text=True).stdout.split()[-1]
    commit = os.environ.get("CAISSON_COMMIT") or subprocess.run(["git", "-C", TOP, "rev-parse", "--short", "HEAD"],
                                                                capture_output=True, text=True).stdout.strip()
    if not os.path.exists(path):
        with open(path, "w") as table:
            table.write(HEAD)
    with open(path, "a") as table:
        for t in totals:
            table.write(f"| {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} | {version} {commit} | {t['kind']} | {t['cuts']} | "
                        f"{t['operations']} | {t['keys']} | {len(t['faults'])} | {t['seed']} | {t['minutes']:.0f} |\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--minutes", type=float, help="end then, however many cuts are left")
    parser.add_argument("--load", type=float, default=1.0, help="seconds of load before a cut, at most")
    parser.add_argument("--kinds", default="ext4,xfs")
    parser.add_argument("--seed", default=str(int(time.time())))
    parser.add_argument("--build", default="build")
    parser.add_argument("--json", help="write the summary here")
    parser.add_argument("--record", help="append the figures to this table, such as docs/durability-runs.md")
    arguments = parser.parse_args()
    kinds = [k for k in arguments.kinds.split(",") if available(k)]
    if not kinds:
        raise SystemExit("needs root, loop devices and mkfs.ext4 or mkfs.xfs")
    totals, began = [], time.monotonic()
    for n, kind in enumerate(kinds):
        until = began + 60 * arguments.minutes * (n + 1) / len(kinds) if arguments.minutes else None
        totals.append(campaign(kind, arguments.cuts // len(kinds), arguments.seed, arguments.build, until=until,
                               seconds=(arguments.load / 20, arguments.load)))
    for total in totals:
        print("\n".join(total["faults"][:10]))
        print(f"{total['kind']}: {total['cuts']} cuts, {total['operations']} acknowledged operations, {total['keys']} keys compared, "
              f"{len(total['faults'])} faults, seed {total['seed']}")
    if arguments.json:
        with open(arguments.json, "w") as out:
            json.dump(totals, out, indent=1)
    if arguments.record:
        record(arguments.record, arguments.build, totals)
    failed = sum(bool(t["faults"]) for t in totals)
    print(f"{len(totals) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
