"""Crowds that behave badly, and what one client that behaves well sees of it.

    tests/abuse/run [--share F] [--seconds S] [--ratio R] [--json] [SCENE ...]      long form: everyone comes, for 20 seconds a scene

For each scene: the store's memory (before, at most, behind), its connections, and the time that a polite client's small requests take,
alone and among the crowd: 99 of 100 of them less than twice as long. The crowd shares the machine with the store, so a scene that misses
that is played again, up to three times. The last scene is a bucket of ten million keys, and the crowd those who list it.
The last line is "N passed, N failed".
"""
import argparse
import json
import os
import re
import resource
import select
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

from certificate import unverified, write_certificate  # noqa: E402
from s3lib import Client  # noqa: E402
from store import Store  # noqa: E402

CREATE = b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint></CreateBucketConfiguration>"
MIB = 1 << 20
IDLE_MAX = {"idle": 16384, "idle_tls": 49152}   # bytes that an idle connection may cost
PATIENCE = 60               # seconds in which one of the crowd must come at least: all of them take minutes on a busy machine
ATTEMPTS = 3
FLOOR_MS = 10               # below this a p99 is the scheduler's, not the store's
KEYS = 10000000
LARGE_BUCKET = "ten million keys"

# Scene: who comes; how much memory that may cost at most (a function of the crowd), in bytes.
SCENES = {
    "ten thousand idle": ({"idle": 10000}, lambda n: n * 16384 + 16 * MIB),
    "ten thousand idle, TLS": ({"idle_tls": 10000}, lambda n: n * 49152 + 32 * MIB),
    "half of them crawl": ({"idle": 5000, "crawl": 5000}, lambda n: n * 16384 + 16 * MIB),
    "uploads stall": ({"stall": 1000}, lambda n: n * 65536 + 256 * MIB),
    "downloads nobody reads": ({"sip": 1000}, lambda n: n * 16384 + 128 * MIB),
    "clients vanish": ({"vanish": 1000}, lambda n: 256 * MIB),
    "head bombs": ({"bomb_head": 200}, lambda n: 128 * MIB),
    "XML bombs": ({"bomb_xml": 100}, lambda n: 1024 * MIB),
    "all of that": ({"idle": 6000, "crawl": 2000, "stall": 300, "sip": 300, "vanish": 300, "bomb_head": 50, "bomb_xml": 30},
                    lambda n: n * 16384 + 1024 * MIB),
    LARGE_BUCKET: ({"lister": 20}, lambda n: 512 * MIB),
}


class Watched(Store):
    """A store that is asked for its memory."""
    context = None

    def end(self, faulty):
        """It must stop by itself, unless it was found faulty before."""
        try:
            self.close()
        except subprocess.TimeoutExpired:
            self.kill()
            if not faulty:
                raise

    def connect(self, timeout=30):
        return Client(self.host, self.port, self.key, self.secret, timeout=timeout, tls=self.context)

    def memory(self, what="VmRSS"):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(rf"{what}:\s+(\d+)", status.read()).group(1)) * 1024

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as control:
            control.write("5")

    def metric(self, name):
        with urllib.request.urlopen(self.control + "/metrics", timeout=60, context=self.context) as page:
            return float(re.search(rf"^{name} (\S+)$", page.read().decode(), re.M).group(1))


class Polite:
    """Small requests one after the other, over one connection; their times in milliseconds."""

    def __init__(self, store, bucket):
        self.client, self.bucket, self.faults = store.connect(), bucket, []

    def once(self, turn):
        kind = turn % 4
        if kind == 0:
            return self.client.call("PUT", self.bucket, f"polite/{turn % 100}", body=b"p" * 4000)
        if kind == 1:
            return self.client.call("GET", self.bucket, "", query={"list-type": 2, "prefix": "polite/", "max-keys": 10})
        return self.client.call("GET" if kind == 2 else "HEAD", self.bucket, f"polite/{(turn - turn % 4) % 100}")

    def measure(self, seconds):
        """(half of them take so long, 99 of 100, the longest)"""
        times, turn, end = [], 0, time.monotonic() + seconds
        while time.monotonic() < end or (turn < 100 and time.monotonic() < end + 20):
            began = time.monotonic()
            try:
                answer = self.once(turn)
                if answer.status != 200:
                    self.faults.append(f"{answer.status} {answer.code}")
            except Exception as fault:
                self.faults.append(repr(fault))
            times.append((time.monotonic() - began) * 1000)
            turn += 1
        times.sort()
        return times[len(times) // 2], times[len(times) * 99 // 100], times[-1]


def gather(store, bucket, crowd):
    """The crowd, when all of it is there."""
    plan = {"host": store.host, "port": store.port, "key": store.key, "secret": store.secret, "bucket": bucket, "crowd": crowd,
            "arrive": max(1, sum(crowd.values()) / 2500)}
    running = subprocess.Popen([sys.executable, os.path.join(HERE, "crowd.py"), json.dumps(plan)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, bufsize=0)
    said = b""
    while said != b"there\n":
        come = select.select([running.stdout], [], [], PATIENCE)[0]
        last, said = said, running.stdout.readline() if come else b""
        if not said:
            running.kill()
            raise RuntimeError(f"the crowd did not come: {last.decode().strip() or 'all'} are missing")
    return running


def disperse(running):
    """What became of each kind."""
    counts, _ = running.communicate(timeout=120)
    return json.loads(counts)


def settle(store, most, seconds=90):
    """Wait until the server has noticed that they are gone."""
    deadline = time.monotonic() + seconds
    while store.metric("caisson_connections") > most or store.metric("caisson_workers_busy") > 0:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def scene(store, bucket, name, share, seconds):
    """One row of the table, with its faults."""
    crowd, allowed = SCENES[name]
    crowd = {manner: max(1, int(many * share)) for manner, many in crowd.items()}
    many = sum(crowd.values())
    polite = Polite(store, bucket)
    alone = polite.measure(seconds / 2)
    before = store.memory()
    store.forget_peak()
    running = gather(store, bucket, crowd)
    row = {"scene": name, "clients": many, "connections": int(store.metric("caisson_connections")),
           "idle_bytes_each": (store.memory() - before) // many if set(crowd) <= set(IDLE_MAX) else None}
    among = polite.measure(seconds)
    row["counts"] = disperse(running)
    faults = polite.faults[:5]
    if not settle(store, 1):
        faults.append(f"{store.metric('caisson_connections')} connections and {store.metric('caisson_workers_busy')} workers are held still")
    polite.client.close()
    row.update(p50_alone=alone[0], p99_alone=alone[1], p50=among[0], p99=among[1], longest=among[2], ratio=among[1] / alone[1],
               memory_before=before, memory_peak=store.memory("VmHWM"), memory_after=store.memory())
    if row["memory_peak"] - before > allowed(many):
        faults.append(f"memory grew by {(row['memory_peak'] - before) // MIB} MiB, {allowed(many) // MIB} are allowed")
    if row["idle_bytes_each"] is not None and row["idle_bytes_each"] > max(IDLE_MAX[manner] for manner in crowd):
        faults.append(f"an idle connection costs {row['idle_bytes_each']} bytes")
    row["faults"] = faults
    return row


def open_store(build, *flags):
    store = Watched(build, "--head-timeout", "5000", "--idle-timeout", "3600000", "--rate-interval", "5000", *flags)
    store.context = unverified() if store.url.startswith("https") else None
    client, bucket = store.connect(), "abuse"
    assert client.call("PUT", bucket, body=CREATE).status == 200
    assert client.call("PUT", bucket, "large", body=os.urandom(16 * MIB)).status == 200
    client.close()
    return store, bucket


def attempts(store, bucket, name, share, seconds, ratio):
    """The row of a scene: the first in which the polite client waits less than so many times as long; ratio None: the first."""
    for _ in range(ATTEMPTS):
        row = scene(store, bucket, name, share, seconds)
        if ratio is None or row["faults"] or row["p99"] <= max(FLOOR_MS, ratio * row["p99_alone"]):
            return row
    row["faults"].append(f"p99 is {row['p99']:.0f} ms, alone it is {row['p99_alone']:.0f}")
    return row


def fill(store, build, bucket, keys):
    """A store with so many keys in its bucket, started again."""
    assert store.stop() == 0
    subprocess.run([os.path.join(build, "bench", "load_keys"), store.data, bucket, str(keys)], check=True, stdout=subprocess.DEVNULL)
    store.start()


def campaign(build, names, share, seconds, ratio=None):
    """Rows of the table. The scenes with TLS, and that of many keys, have a store of their own."""
    with tempfile.TemporaryDirectory(prefix="caisson-tls-") as folder:
        cert, key = write_certificate(folder)
        for flags, chosen in (([], [n for n in names if "TLS" not in n and n != LARGE_BUCKET]),
                              (["--tls-cert", cert, "--tls-key", key], [n for n in names if "TLS" in n]),
                              ([], [n for n in names if n == LARGE_BUCKET])):
            if not chosen:
                continue
            store, bucket = open_store(build, *flags)
            faulty = False
            try:
                if chosen == [LARGE_BUCKET]:
                    fill(store, build, bucket, int(KEYS * share * share))
                for name in chosen:
                    row = attempts(store, bucket, name, share, seconds, ratio)
                    faulty = faulty or row["faults"]
                    yield row
            finally:
                store.end(faulty)


def show(row):
    each = f"  {row['idle_bytes_each']} bytes each" if row["idle_bytes_each"] is not None else ""
    print(f"{'FAIL' if row['faults'] else 'ok  '} {row['scene']:24} {row['connections']:6} connections  "
          f"p99 {row['p99_alone']:6.1f} -> {row['p99']:6.1f} ms (x{row['ratio']:.1f})  longest {row['longest']:6.1f} ms  memory "
          f"{row['memory_before'] // MIB} -> {row['memory_peak'] // MIB} -> {row['memory_after'] // MIB} MiB{each}", flush=True)
    for fault in row["faults"]:
        print("     " + fault, flush=True)


def main():
    parse = argparse.ArgumentParser()
    parse.add_argument("scenes", nargs="*")
    parse.add_argument("--share", type=float, default=1.0)
    parse.add_argument("--seconds", type=float, default=20)
    parse.add_argument("--build", default="build")
    parse.add_argument("--ratio", type=float, default=2, help="p99 among the crowd may be this many times the p99 alone, or 10 ms")
    parse.add_argument("--json", action="store_true")
    given = parse.parse_args()
    rows = []
    for row in campaign(given.build, given.scenes or list(SCENES), given.share, given.seconds, given.ratio):
        show(row)
        rows.append(row)
    if given.json:
        print(json.dumps(rows))
    failed = sum(bool(r["faults"]) for r in rows)
    print(f"{len(rows) - failed} passed, {failed} failed")
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sys.exit(main())
