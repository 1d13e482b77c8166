"""Kill the store at each crash point (src/tbl/crash.h), the first time, the second, ...; and once more while it recovers.

    tests/crash/points.py [--times N] [--seed S] [--build build]
    tests/crash/points.py --pairs [--minutes M] [--from N]         each point, and then each, itself too, while it recovers: 576 pairs;
                                                                   ended early, it says at which N to go on

A new store is killed at the Nth time that it comes to the point, from its first start on. It is started again, in every second run with a
further point armed, and compared with what the clients were told. A point that no run reaches is a fault: then nothing shows that it is safe.
"""
import argparse
import itertools
import os
import random
import re
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]

from s3lib import Client  # noqa: E402
from store import TOP, Store, check  # noqa: E402
from verdict import judge  # noqa: E402
from workload import KINDS, Shared, Worker, make_buckets  # noqa: E402

BUCKET = "points"
FLAGS = ["--reap-grace", "0", "--reap-interval", "100", "--sweep-interval", "1000", "--lifecycle-interval", "200",
         "--lifecycle-day-seconds", "1"]
# Every kind of operation in turn, so that each point is reached soon; the sizes likewise.
ORDER = ["put", "put", "put", "put", "rename", "put", "rename", *[k for k in KINDS if k not in ("put", "race")], "delete", "version_put", "backup"]
SIZES = [100, 20000, 600000, 1 << 20]
WAIT = 12			# seconds for a store to come to its point
# What a kill leaves without an owner is met by the sweep only after the next start.
LEADS_TO = {"sweep_judged": "blob_committed"}


def points():
    with open(os.path.join(TOP, "src/tbl/crash.h")) as table:
        return re.findall(r"^CRASH\((\w+),", table.read(), re.M)


class Sequence(Worker):
    """The same operations in the same order, from a beginning that the seed shifts."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        begin = self.random.randrange(len(ORDER))
        self.turns = itertools.cycle(ORDER[begin:] + ORDER[:begin])
        self.sizes = itertools.cycle(SIZES)

    def choose(self):
        return next(self.turns)

    def backup(self, _):
        """Begins one, unless one is under way. What becomes of it: tests/job/test_backup.py."""
        self.told("POST", "/v1/caisson/backup", {"directory": self.backups, "keep": 2}, ok=(200, 409, 503))

    def fresh(self, size=None):
        return super().fresh(next(self.sizes) if size is None else size)


class Run:
    """A store in a directory of its own, and two clients who remember what they were told."""

    def __init__(self, build, seed):
        self.build, self.seed = build, seed
        self.data = tempfile.mkdtemp(prefix="caisson-points-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.before, self.shared, self.store = {}, Shared(0), None
        self.shared.may_break = True

    def armed(self, point, nth):
        """Start and work until the store is dead. True: it came to its point."""
        environment = {"CAISSON_CRASH_AT": f"{point}:{nth}"}
        try:
            self.store = Store(self.build, *FLAGS, data=self.data, environment=environment)
        except RuntimeError as ended:
            assert "ended with -9" in str(ended), ended
            return True
        try:
            make_buckets(self.store, BUCKET)
        except OSError:
            return self.dead(WAIT)
        except Exception as broken:
            if self.dead(1):
                return True
            raise AssertionError(f"make_buckets: {broken}") from broken
        workers = [Sequence(self.store, BUCKET, n, f"{self.seed}-{point}-{n}", self.shared) for n in range(2)]
        for worker in workers:
            worker.backups = self.data + "-backups"
            if worker.number in self.before:
                worker.continue_from(self.before[worker.number])
            worker.start()
        died = self.dead(WAIT)
        self.store.kill()
        for worker in workers:
            worker.stopping = True
            worker.join(60)
        self.before = {w.number: w for w in workers}
        return died

    def dead(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.store.process.poll() is not None:
                return True
            time.sleep(0.01)
        return False

    def verdict(self):
        """Faults: damage to the stopped store, then other answers than were promised, then damage again."""
        self.store = None
        if os.path.isdir(os.path.join(self.data, "index")) and os.path.exists(os.path.join(self.data, "blobs", "format")):
            faults = damage(self.build, self.data)
        else:
            faults = []		# killed before there was anything
        self.store = Store(self.build, *FLAGS, data=self.data)
        make_buckets(self.store, BUCKET)
        faults += judge(self.store, BUCKET, list(self.before.values()), self.shared).faults
        faults += [w.fault for w in self.before.values() if w.fault]
        client = Client(self.store.host, self.store.port, self.store.key, self.store.secret)
        if client.call("PUT", BUCKET, "after", body=b"x").status != 200:
            faults.append("takes no writes afterwards")
        client.close()
        return faults + self.stop() + self.leftovers()

    def stop(self):
        code = self.store.stop()
        return [f"exit code {code}"] if code else []

    def leftovers(self):
        """After a pass of the reaper and one of the sweep nothing is damaged, and nothing is left that nobody owns."""
        for seconds in (0, 1, 4):
            if seconds:
                self.store.start()
                time.sleep(seconds)
                self.stop()
            code, lines = check(self.build, self.data)
            if code == 0 and not [line for line in lines if line.startswith("leak")]:
                return []
        return lines[:5]

    def close(self):
        if self.store is not None and self.store.process.poll() is None:
            self.store.kill()
        for each in (self.data, self.data + "-backups"):
            shutil.rmtree(each, ignore_errors=True)


def damage(build, data):
    code, lines = check(build, data)
    return [line for line in lines if line.startswith("damage")] if code else []


def chain(point):
    """The kills that bring a store to this point, and at it."""
    return [LEADS_TO[point], point] if point in LEADS_TO else [point]


def one(build, seed, kills, total):
    """Killed at each (point, nth) in turn. How many of them the store came to."""
    run, reached, killed = Run(build, seed), 0, []
    try:
        for point, nth in kills:
            if not run.armed(point, nth):
                break
            killed.append(f"{point}:{nth}")
            reached += 1
        faults = run.verdict()
    except (AssertionError, RuntimeError, OSError) as broken:
        faults = [str(broken)]
    finally:
        run.close()
    total["kills"] += reached
    total["pairs"] += reached > 1
    total["faults"] += [f"killed at {', then '.join(killed)}: {fault}" for fault in faults]
    return reached


def campaign(build, seed, times=(1, 2, 5), report=print, only=None):
    """Returns {kills, pairs, faults}. Each point at each of the times; a further one follows in every second run."""
    chance, names = random.Random(seed), points()
    total = {"kills": 0, "pairs": 0, "faults": []}
    for point in only or names:
        for turn, nth in enumerate(times):
            path = chain(point)
            kills = [(p, nth if n == 0 else 1) for n, p in enumerate(path)]
            if turn % 2 and len(kills) == 1:
                kills.append((chance.choice(names), 1))
            reached = one(build, f"{seed}-{turn}", kills, total)
            if turn == 0 and reached < len(path):
                total["faults"].append(f"{point} is never reached")
            if not reached or total["faults"]:
                break
        report(f"{point}: {total['kills']} kills, {total['pairs']} of them followed by another, {len(total['faults'])} faults", flush=True)
        if total["faults"]:
            break
    return total


def matrix(build, seed, minutes, begin=0, report=print):
    """Every pair of points, in an order that the seed gives, from the begin-th on, as far as the time goes. A pair that is not reached is a
    fault too. Returns {kills, pairs, next, all, faults}."""
    todo, end = list(itertools.product(points(), points())), time.monotonic() + 60 * minutes
    total = {"kills": 0, "pairs": 0, "next": begin, "all": len(todo), "faults": []}
    random.Random(seed).shuffle(todo)
    for first, further in todo[begin:]:
        if total["faults"] or time.monotonic() > end:
            break
        kills = [(point, 1) for point in chain(first) + chain(further)]
        if one(build, f"{seed}-{first}-{further}", kills, total) < len(kills) and not total["faults"]:
            total["faults"].append(f"{further} after {first} is not reached")
        total["next"] += 1
        if total["next"] % 20 == 0:
            report(f"{total['next']} of {len(todo)} pairs, {total['kills']} kills", flush=True)
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="kill at the first to the Nth time")
    parser.add_argument("--pairs", action="store_true", help="each point followed by each other")
    parser.add_argument("--minutes", type=float, default=600, help="of pairs")
    parser.add_argument("--from", type=int, default=0, dest="begin", help="pairs: leave out so many, which another run has made")
    parser.add_argument("--only", help="these points, by comma")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--build", default="build")
    arguments = parser.parse_args()
    total = (matrix(arguments.build, arguments.seed, arguments.minutes, arguments.begin) if arguments.pairs else
             campaign(arguments.build, arguments.seed, range(1, arguments.times + 1),
                      only=arguments.only.split(",") if arguments.only else None))
    print("\n".join(total["faults"][:10]))
    if arguments.pairs:
        print(f"pairs {arguments.begin} to {total['next']} of {total['all']}; to go on: --pairs --from {total['next']} --seed {arguments.seed}")
    print(f"{total['kills']} kills, {total['pairs']} of them followed by another, {len(total['faults'])} faults, seed {arguments.seed}")
    print(f"{len(points()) - bool(total['faults'])} passed, {int(bool(total['faults']))} failed")
    return 1 if total["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
