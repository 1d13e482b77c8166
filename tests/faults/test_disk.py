"""A disk that is full, read-only, or failing; too few descriptors; a clock that jumps.

Reads go on, deletes work on a full disk, writes get a clear S3 error, readiness says so, and service comes back by itself.
"""
import datetime
import hashlib
import os
import re
import resource
import sys
import time

import pytest
import requests

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "crash")]

import shim  # noqa: E402
from disk import Disk, available  # noqa: E402  (of tests/crash: a file system in an image)
from s3lib import Client  # noqa: E402
from store import Store  # noqa: E402

CREATE = b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint></CreateBucketConfiguration>"
BUCKET = "fault"
SIZES = {"inline": 100, "volume": 50000, "file": 900000, "direct": 3 << 20}


@pytest.fixture
def shimmed(build, tmp_path):
    """A function that starts a store under the shim: (store, control)."""
    started = []

    def start(*flags):
        control = shim.Control(str(tmp_path / "control"))
        data = tmp_path / "data"
        data.mkdir()
        store = Store(build, *flags, data=str(data), environment=shim.environment(os.path.abspath(build), str(data), control.path))
        started.append(store)
        return store, control
    yield start
    for store in started:
        if store.process.poll() is None:
            store.kill()


class Service:
    """A store with one object of each size, and how it is."""

    def __init__(self, store):
        self.store = store
        self.bodies = {}
        self.connect()
        assert self.client.call("PUT", BUCKET, body=CREATE).status == 200
        for name, size in SIZES.items():
            assert self.put(name, size).status == 200

    def connect(self):
        self.client = Client(self.store.host, self.store.port, self.store.key, self.store.secret)

    def put(self, name, size):
        body = (hashlib.sha256(name.encode()).digest() * (size // 32 + 1))[:size]
        answer = self.client.call("PUT", BUCKET, name, body=body)
        if answer.status == 200:
            self.bodies[name] = body
        return answer

    def delete(self, name):
        answer = self.client.call("DELETE", BUCKET, name)
        if answer.status == 204:
            del self.bodies[name]
        return answer

    def check_reads(self):
        for name, body in self.bodies.items():
            answer = self.client.call("GET", BUCKET, name)
            assert answer.status == 200 and answer.body == body, f"{name}: {answer}"

    def ready(self):
        answer = requests.get(self.store.control + "/readyz", timeout=10)
        return answer.status_code == 200, answer.text

    def comes_back(self, seconds=20):
        """Ready, and takes writes of every size."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if self.ready()[0] and all(self.put("again-" + name, size).status == 200 for name, size in SIZES.items()):
                    return
            except OSError:
                self.client.close()		# it is being opened anew
            time.sleep(0.1)
        raise AssertionError(f"no service after {seconds} s: {self.ready()} {self.put('again', 10)}")


@pytest.fixture(params=["ext4", "xfs"])
def small_disk(request):
    if not available(request.param):
        pytest.skip("needs root and loop devices")
    disk = Disk(request.param, megabytes=400)
    yield disk
    disk.close()


def fill(disk):
    """Until not a byte is left. The path of what fills it."""
    path = os.path.join(disk.path, "filler")
    filler = os.open(path, os.O_WRONLY | os.O_CREAT)
    for piece in (1 << 20, 4096, 512):
        try:
            while True:
                os.write(filler, bytes(piece))
        except OSError:
            pass
    os.close(filler)
    return path


@pytest.mark.parametrize("reserve", ["268435456", "0"])
def test_full(build, small_disk, reserve):
    store = Store(build, "--disk-reserve", reserve, "--reap-grace", "0", "--reap-interval", "200", data=small_disk.path)
    try:
        service = Service(store)
        for i in range(300):
            assert service.put(f"many/{i}", 50 if i % 3 else 30000).status == 200
        filler = fill(small_disk)
        if reserve != "0":
            assert not service.ready()[0] and "no room" in service.ready()[1]
        service.check_reads()
        refused = {name: service.put("more-" + name, size) for name, size in SIZES.items()}
        if reserve != "0":
            assert {a.status for a in refused.values()} == {507} and {a.code for a in refused.values()} == {"StorageFull"}, refused
            for i in range(0, 200):
                assert service.delete(f"many/{i}").status == 204
            assert service.delete("file").status == 204
        else:
            assert {a.status for a in refused.values()} <= {200, 507}, refused
        service.check_reads()
        os.unlink(filler)
        service.comes_back()
        service.check_reads()
        store.kill()
        store.start()
        service.connect()
        service.check_reads()
        assert store.stop() == 0
    finally:
        if store.process.poll() is None:
            store.kill()


@pytest.mark.parametrize("calls, error, nth, match, refusal", [
    ("sync", "EIO", 1, "/index/", (500, "InternalError")),			# a failed flush of the log
    ("write", "EIO", 1, "/index/", (500, "InternalError")),
    ("sync", "EIO", 1, "/blobs/", (500, "InternalError")),
    ("sync+write", "ENOSPC", 1, "/index/", (507, "StorageFull")),
    ("sync+write+change+allocate+mkdir+rename+unlink+truncate", "EROFS", 1, "", (503, "ServiceUnavailable")),
])
@pytest.mark.parametrize("forever", [False, True])
def test_comes_back_from(shimmed, calls, error, nth, match, refusal, forever):
    store, control = shimmed("--reap-interval", "200", "--reap-grace", "0")
    service = Service(store)
    control.arm(calls, error, nth, forever, match)
    seen = set()
    for name, size in SIZES.items():
        answer = service.put("new-" + name, size)
        seen.add((answer.status, answer.code))
    # Once: the first that needs the call is told; the index then refuses until it is opened anew.
    assert refusal in seen, seen
    assert seen <= {refusal, (200, None), (503, "ServiceUnavailable")}, seen
    if forever:
        service.check_reads()
        if match != "/blobs/":
            # A full disk is told as such, until a flush or the first write after an opening meets it: then the index has to be opened anew.
            assert service.delete("volume").status in (refusal[0], 503) or error == "EIO"
            assert not service.ready()[0]
            time.sleep(1.2)
            service.check_reads()
            assert not service.ready()[0]
    control.calm()
    service.comes_back()
    service.check_reads()
    store.kill()
    store.start()
    service.connect()
    service.check_reads()
    assert store.stop() == 0


def test_no_descriptors(shimmed):
    """Nothing can be opened: what is open goes on, the rest is told to come again. A refused upload may end its connection."""
    store, control = shimmed()
    service = Service(store)
    writers = {name: Client(store.host, store.port, store.key, store.secret) for name in SIZES}
    for writer in writers.values():
        assert writer.call("GET", BUCKET, "inline").status == 200
    _, most = resource.prlimit(store.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(store.process.pid, resource.RLIMIT_NOFILE, (3, most))		# no number below it is free
    for name in ("inline", "volume"):
        answer = service.client.call("GET", BUCKET, name)
        assert answer.status == 200 or answer.code == "SlowDown", answer
    assert service.client.call("GET", BUCKET, "direct").code == "SlowDown"
    for name, size in SIZES.items():
        service.client = writers[name]
        answer = service.put("new-" + name, size)
        assert answer.status == 200 or (answer.status == 503 and answer.code in ("SlowDown", "ServiceUnavailable")), answer
    other = Client(store.host, store.port, store.key, store.secret, timeout=2)
    try:
        other.call("GET", BUCKET, "inline")		# it waits in the queue of connections; if it comes through, well
    except OSError:
        pass
    resource.prlimit(store.process.pid, resource.RLIMIT_NOFILE, (most, most))
    service.comes_back()
    service.check_reads()
    assert store.stop() == 0


class ShiftedClient(Client):
    """Signs with the time that the store believes in."""
    shift = 0

    def now(self):
        return super().now() + datetime.timedelta(seconds=self.shift)


def test_clock_jumps(shimmed):
    """The newest version is the one written last, whatever the clock says; signatures are judged by it."""
    store, control = shimmed()
    service = Service(store)
    client = service.client = ShiftedClient(store.host, store.port, store.key, store.secret)
    assert client.call("PUT", "jumps", body=CREATE).status == 200
    assert client.call("PUT", "jumps", query={"versioning": ""},
                       body=b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>").status == 200
    order = []
    for turn, shift in enumerate([0, -86400, -86400 * 400, 86400 * 30, 0, -3600]):
        control.clock(shift)
        if turn == 4:
            store.kill()
            store.start()
            client.close()
            client.port = store.port
        if abs(shift - client.shift) > 900:
            assert client.call("GET", "jumps", "k").code == "RequestTimeTooSkewed"
        client.shift = shift
        body = b"%d" % turn
        made = client.call("PUT", "jumps", "k", body=body)
        assert made.status == 200, made
        order.insert(0, made.headers["x-amz-version-id"])
        assert client.call("GET", "jumps", "k").body == body
        assert client.call("PUT", BUCKET, "k", body=body).status == 200
        assert client.call("GET", BUCKET, "k").body == body
        listed = client.call("GET", "jumps", query={"versions": ""}).body.decode()
        assert re.findall("<VersionId>([^<]+)", listed) == order
        assert [latest == "true" for latest in re.findall("<IsLatest>([^<]+)", listed)] == [True] + [False] * turn
        service.check_reads()
    assert store.stop() == 0
