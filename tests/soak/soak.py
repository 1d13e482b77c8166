"""Months in minutes: mixed traffic, all background work at a shortened day, restarts and kills; then the books must balance.

    tests/soak/run --seconds 600 --seed 7

The traffic is that of the power-cut campaign (tests/crash/workload.py: every outcome is judged), and what people leave behind: uploads
never completed, bodies cut off half-way, connections that say nothing, versions that only rules take away. The first half runs
without a restart, and memory and descriptors must stay flat; in the second the store is stopped and killed under load, again
and again. In the end: what was acknowledged is there, rules have ended what they name, usage equals a full recount, a backup restores
to the same, `caisson check --strict` finds neither damage nor leaks, and an emptied store has given its bytes back.
"""
import argparse
import base64
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import xml.etree.ElementTree as xml

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [TESTS, os.path.join(TESTS, "crash")]

from s3lib import Client  # noqa: E402
from store import Store, check  # noqa: E402
from verdict import judge  # noqa: E402
from workload import CREATE, KINDS, NS, VERSIONING, Shared, Worker, make_buckets  # noqa: E402

BUCKET, LEFT = "soak", "soak-left"
BUCKETS = [BUCKET, BUCKET + "-versions", BUCKET + "-other", LEFT]
DAY = 2
FLAGS = ["--reap-grace", "3000", "--reap-interval", "500", "--sweep-interval", "1000", "--lifecycle-interval", "500",
         "--lifecycle-day-seconds", str(DAY), "--head-timeout", "2000", "--rate-interval", "2000", "--idle-timeout", "30000"]
RULES = (b"<LifecycleConfiguration>"
         b"<Rule><ID>u</ID><Status>Enabled</Status><Filter/><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
         b"</AbortIncompleteMultipartUpload></Rule>"
         b"<Rule><ID>n</ID><Status>Enabled</Status><Filter/><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
         b"</NoncurrentVersionExpiration></Rule>"
         b"<Rule><ID>m</ID><Status>Enabled</Status><Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"
         b"</Expiration></Rule></LifecycleConfiguration>")
SETTLE = 60			# seconds that rules and the reaper may take when the traffic has ended
EMPTY_BYTES = 4 << 20		# what blobs of an emptied store may take on disk: the newest volume
GROWTH = 8 << 20		# bytes of memory, beside the index's caches, that may come between the first and the last third of the first half


class Person(Worker):
    """A worker that leaves things lying about in a bucket of its own: only rules and the reaper clean up there."""

    def leave_upload(self, key):
        made = self.ask("POST", LEFT, key, query={"uploads": ""})
        upload = re.search(rb"<UploadId>([^<]+)", made.body).group(1).decode()
        for n in range(self.random.randrange(4)):
            self.ask("PUT", LEFT, key, query={"partNumber": n + 1, "uploadId": upload}, body=self.fresh(self.random.choice([9000, 700000])))

    def leave_version(self, key):
        if self.random.random() < 0.3:
            self.ask("DELETE", LEFT, key, ok=(204,))
        else:
            self.ask("PUT", LEFT, key, body=self.fresh())

    def leave_body(self, key):
        """Promise more than is sent, on a connection that is then dropped, by whomever; or say nothing at all."""
        with contextlib.suppress(OSError), socket.create_connection((self.client.host, self.client.port), timeout=10) as s:
            if self.random.random() < 0.3:
                return
            headers = {}
            self.client.sign("PUT", f"/{LEFT}/{key}", "", headers)
            text = "".join(f"{n}: {v}\r\n" for n, v in headers.items())
            s.sendall(f"PUT /{LEFT}/{key} HTTP/1.1\r\n{text}Content-Length: 3000000\r\n\r\n".encode() + b"x" * self.random.randrange(2000000))


LEAVINGS = {"leave_upload": 0.5, "leave_version": 1, "leave_body": 0.7}


class Soak:
    def __init__(self, seconds, seed, build, clients=8):
        self.seconds, self.seed, self.build, self.clients = seconds, seed, build, clients
        self.chance = random.Random(seed)
        self.data = tempfile.mkdtemp(prefix="caisson-soak-")
        os.mkdir(os.path.join(self.data, "store"))
        # One arena of malloc: what 64 workers each keep for later would hide a leak.
        self.store = Store(build, *FLAGS, data=os.path.join(self.data, "store"), environment={"MALLOC_ARENA_MAX": "1"})
        self.before, self.faults, self.samples = {}, [], []
        self.operations = self.rounds = self.ends = 0
        self.make_left()

    def say(self, what):
        self.faults.append(what)
        print("FAULT", what, flush=True)

    def make_left(self):
        make_buckets(self.store, BUCKET)
        client = Client(self.store.host, self.store.port, self.store.key, self.store.secret)
        for query, body in (({}, CREATE), ({"versioning": ""}, VERSIONING), ({"lifecycle": ""}, RULES)):
            digest = base64.b64encode(hashlib.md5(body).digest()).decode()
            made = client.call("PUT", LEFT, query=query, body=body, headers={"content-md5": digest})
            assert made.status == 200, made
        client.close()

    # ---- rounds ----

    def round(self, seconds, end):
        """Traffic for so long; end: None (the clients stop), "stop" or "kill" (the store does, under load). Then look."""
        shared = Shared(self.rounds)
        shared.may_break = end is not None
        workers = [Person(self.store, BUCKET, n, f"{self.seed}-{self.rounds}-{n}", shared, {**KINDS, **LEAVINGS})
                   for n in range(self.clients)]
        for worker in workers:
            if worker.number in self.before:
                worker.continue_from(self.before[worker.number])
            worker.start()
        time.sleep(seconds)
        if end is not None:
            self.end(end)
        for worker in workers:
            worker.stopping = True
        for worker in workers:
            worker.join(120)
        if end is not None:
            self.damage(f"after {end} {self.ends}")
            self.store.start()
        for fault in judge(self.store, BUCKET, workers, shared).faults:
            self.say(f"round {self.rounds}: {fault}")
        self.operations += sum(w.done for w in workers)
        self.before = {w.number: w for w in workers}
        self.rounds += 1

    def end(self, how):
        self.ends += 1
        if how == "kill":
            return self.store.kill()
        code = self.store.stop(120)
        if code != 0:
            self.say(f"exit code {code} on SIGTERM")

    def damage(self, when, *flags):
        code, lines = check(self.build, self.store.data, *flags)
        found = [line for line in lines if line.startswith("damage") or (flags and line.startswith("leak"))]
        self.faults += [f"{when}: {line}" for line in found[:10]]
        if not found and code != 0 and flags:
            self.say(f"{when}: {lines[-3:]}")

    def sample(self):
        """
        When nothing is asked of it: memory beside the caches of the index, which fill up to their limits, and descriptors with and
        without those of the index's files.
        """
        time.sleep(0.3)
        with urllib.request.urlopen(self.store.control + "/metrics") as metrics:
            cached = int(re.search(rb"^caisson_index_memory_bytes (\d+)", metrics.read(), re.M)[1])
        pid = self.store.process.pid
        with open(f"/proc/{pid}/statm") as statm:
            resident, shared = (int(n) * os.sysconf("SC_PAGESIZE") for n in statm.read().split()[1:3])
        open_files = []
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                open_files.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
            except FileNotFoundError:
                pass
        own = [f for f in open_files if not f.startswith(os.path.join(self.store.data, "index/"))]
        memory = resident - shared - cached
        self.samples.append((memory, len(own), len(open_files)))
        print(f"round {self.rounds}: {self.operations} operations, {memory >> 20} + {cached >> 20} MiB, {len(own)} + {len(open_files) - len(own)} "
              f"descriptors, {self.disk() >> 20} MiB of blobs", flush=True)

    def flat(self):
        """The first sample is of a store that is still warming up."""
        third = len(self.samples) // 3
        first, last = self.samples[1:1 + third], self.samples[-third:]
        for n, what, slack in ((0, "bytes of memory", GROWTH), (1, "descriptors", 2), (2, "descriptors, files of the index among them", 40)):
            was, became = (statistics.median(s[n] for s in part) for part in (first, last))
            if became > was + slack:
                self.say(f"{what} went from {was} to {became}")

    # ---- the end ----

    def disk(self):
        total = 0
        for folder, _, names in os.walk(os.path.join(self.store.data, "blobs")):
            for name in names:
                try:
                    total += os.stat(os.path.join(folder, name)).st_blocks * 512
                except FileNotFoundError:
                    pass
        return total

    def list(self, client, bucket):
        """Every version (key, version id, size or None for a marker), and every upload."""
        found, uploads, query = [], [], {"versions": ""}
        while True:
            root = xml.fromstring(client.call("GET", bucket, query=query).body)
            for e in root:
                if e.tag in (NS + "Version", NS + "DeleteMarker"):
                    size = e.findtext(NS + "Size")
                    found.append((e.findtext(NS + "Key"), e.findtext(NS + "VersionId"), None if size is None else int(size)))
            if root.findtext(NS + "IsTruncated") != "true":
                break
            query.update({"key-marker": root.findtext(NS + "NextKeyMarker"), "version-id-marker": root.findtext(NS + "NextVersionIdMarker")})
        root = xml.fromstring(client.call("GET", bucket, query={"uploads": ""}).body)
        uploads = [(u.findtext(NS + "Key"), u.findtext(NS + "UploadId")) for u in root.iter(NS + "Upload")]
        return found, uploads

    def wait(self, what, probe):
        """probe gives what is still wrong."""
        deadline = time.monotonic() + SETTLE
        wrong = probe()
        while wrong and time.monotonic() < deadline:
            time.sleep(0.5)
            wrong = probe()
        if wrong:
            self.say(f"{what}: {str(wrong)[:500]}")

    def cli(self, *words):
        done = subprocess.run([self.store.binary, *words, "--url", self.store.control, "--data-dir", self.store.data],
                              capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            self.say(f"caisson {' '.join(words)}: {done.stdout[-500:]}{done.stderr[-500:]}")
        return done.stdout

    def over_rules(self, client):
        """What rules should have ended."""
        found, uploads = self.list(client, LEFT)
        versions = {}
        for key, version, size in found:
            versions.setdefault(key, []).append(size)
        old = [key for key, sizes in versions.items() if len(sizes) > 1 or sizes == [None]]
        short = [k for k, _, _ in self.list(client, BUCKET)[0] if k.startswith("short/")]
        return uploads + old + short

    def usage_differs(self, client):
        wrong = []
        for bucket in BUCKETS:
            rows = json.loads(self.cli("bucket", "show", bucket, "--json"))["info"]["usage"]
            told = {r["measurementType"]: int(r["value"]) for r in rows}
            found, uploads = self.list(client, bucket)
            sizes = [size for _, _, size in found if size is not None]
            parts = [int(p.findtext(NS + "Size")) for key, upload in uploads for p in
                     xml.fromstring(client.call("GET", bucket, key, query={"uploadId": upload}).body).iter(NS + "Part")]
            counted = (len(sizes), sum(sizes), sum(parts))
            if (told["STANDARD_OBJECTS"], told["STANDARD_BYTES"], told["UPLOADS_BYTES"]) != counted:
                wrong.append(f"{bucket}: told {told}, counted {counted} in {len(found)} versions and {len(uploads)} uploads")
        return wrong

    def restored(self):
        """A backup, and what a store made of it says."""
        to, again = os.path.join(self.data, "backup"), os.path.join(self.data, "restored")
        self.cli("backup", to)
        done = subprocess.run([self.store.binary, "restore", "--from", to, "--data-dir", again], capture_output=True, text=True)
        if done.returncode != 0:
            return self.say(f"restore: {done.stdout}{done.stderr}")
        for name in ("credentials", "admin-token", "master.key"):
            if not os.path.exists(os.path.join(again, name)):
                shutil.copy(os.path.join(self.store.data, name), again)
        code, lines = check(self.build, again)
        self.faults += [f"restored: {line}" for line in lines if line.startswith("damage")]
        other = Store(self.build, *FLAGS, data=again)
        shared = Shared(-1)
        self.faults += [f"restored: {f}" for f in judge(other, BUCKET, list(self.before.values()), shared).faults]
        if other.stop() != 0:
            self.say("restored: does not stop")

    def empty(self, client):
        for bucket in BUCKETS:
            if client.call("DELETE", bucket, query={"lifecycle": ""}).status != 204:
                self.say(f"{bucket}: rules cannot be deleted")
            found, uploads = self.list(client, bucket)
            for key, version, _ in found:
                if client.call("DELETE", bucket, key, query={"versionId": version}).status != 204:
                    self.say(f"{bucket}/{key} {version} cannot be deleted")
            for key, upload in uploads:
                client.call("DELETE", bucket, key, query={"uploadId": upload})
            if client.call("DELETE", bucket).status != 204:
                self.say(f"{bucket} cannot be deleted")

    def settle(self):
        client = Client(self.store.host, self.store.port, self.store.key, self.store.secret, timeout=60)
        self.wait("not ended by its rule", lambda: self.over_rules(client))
        self.wait("usage is not what is there", lambda: self.usage_differs(client))
        if "  scrub " in subprocess.run([self.store.binary, "help"], capture_output=True, text=True).stdout:
            self.cli("scrub")
        self.restored()
        time.sleep(5)			# a grace period and a pass
        self.end("stop")
        self.damage("at the end", "--strict")
        self.store.start()
        client = Client(self.store.host, self.store.port, self.store.key, self.store.secret, timeout=60)
        self.empty(client)
        self.wait("bytes left of nothing", lambda: self.disk() > EMPTY_BYTES and self.disk())
        client.close()
        self.end("stop")
        self.damage("when empty", "--strict")

    def run(self):
        began = time.monotonic()
        left = lambda share: began + share * self.seconds - time.monotonic()
        calm = min(10.0, max(1.0, self.seconds / 30))
        while left(0.5) > 0 or len(self.samples) < 4:
            self.round(calm, None)
            self.sample()
        self.flat()
        while left(1) > 0 and not self.faults:
            self.round(self.chance.uniform(0.2, calm), self.chance.choice(["stop", "kill", "kill"]))
            print(f"round {self.rounds}: {self.operations} operations, {self.ends} ends, {self.disk() >> 20} MiB of blobs", flush=True)
        self.settle()
        text = self.store.output()
        for bad in ("panic:", "ERROR: AddressSanitizer", "runtime error:", "level=error"):
            if bad in text:
                self.say(f"log: {text[text.index(bad) - 100:][:1500]}")

    def close(self):
        if self.store.process.poll() is None:
            self.store.kill()
        if not self.faults:
            shutil.rmtree(self.data, ignore_errors=True)


def soak(seconds, seed, build):
    """The faults, and a line of figures."""
    s = Soak(seconds, seed, build)
    try:
        s.run()
    finally:
        s.close()
    return s.faults, f"{s.operations} operations in {s.rounds} rounds, {s.ends} ends, seed {seed}" + (
        f", kept: {s.data}" if s.faults else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", default=str(int(time.time())))
    parser.add_argument("--build", default="build")
    a = parser.parse_args()
    faults, figures = soak(a.seconds, a.seed, a.build)
    print("\n".join(faults[:20]))
    print(figures)
    print("0 passed, 1 failed" if faults else "1 passed, 0 failed")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
