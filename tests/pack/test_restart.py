"""A restart on a socket that somebody else holds, as systemd does: no client sees it."""
import http.client
import random
import socket
import threading
import time

import pytest

from s3lib import Client

RESTARTS = 3


@pytest.fixture
def held(new_store):
    """A store on two sockets that outlive it."""
    sockets = [socket.create_server(("127.0.0.1", 0), backlog=4096) for _ in range(2)]
    s3, control = (s.fileno() for s in sockets)
    yield new_store("--listen", f"fd:{s3}", "--control-listen", f"fd:{control}", "--loops", "2", pass_fds=(s3, control))
    for s in sockets:
        s.close()


class Traffic:
    """Threads that repeat their request until told to stop, and keep what went wrong."""

    def __init__(self):
        self.over, self.failures, self.done = threading.Event(), [], {}
        self.threads = []

    def add(self, name, request):
        def run():
            while not self.over.is_set():
                try:
                    request()
                    self.done[name] = self.done.get(name, 0) + 1
                except Exception as e:
                    self.failures.append(f"{name}: {e!r}")
                    return
        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def stop(self):
        self.over.set()
        for t in self.threads:
            t.join()


def sdk(store, bucket, size, tries):
    """Put and get an object with an SDK whose pool keeps its connections, and that does not try again."""
    s3 = store.client(config={"retries": {"total_max_attempts": tries}})
    body, key = random.Random(size).randbytes(size), f"sdk-{size}"

    def request():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
    return request


def plain(store, bucket, pause):
    """A client that sends its next request on the same connection unless it was told of the end of it."""
    client = Client(store.host, store.port, store.key, store.secret)

    def request():
        answer = client.call("PUT", bucket, "plain", body=b"x")
        assert answer.status == 200, answer
        time.sleep(pause * random.random())
    return request


class SlowBody:
    """A megabyte that takes most of a second to send."""

    def __len__(self):
        return 1 << 20

    def __iter__(self):
        for _ in range(16):
            yield bytes(1 << 16)
            time.sleep(0.05)


def slow(store, bucket):
    """An upload that is under way when the restart comes."""
    client = Client(store.host, store.port, store.key, store.secret)

    def request():
        answer = client.call("PUT", bucket, "slow", body=SlowBody())
        assert answer.status == 200, answer
    return request


def test_no_request_fails(held):
    s3 = held.client()
    s3.create_bucket(Bucket="held", CreateBucketConfiguration={"LocationConstraint": "local"})
    address = held.url
    traffic = Traffic()
    for i in range(4):
        traffic.add(f"plain-{i}", plain(held, "held", 0.02 * i))
    for size in (1, 5000, 3 << 20):
        traffic.add(f"sdk-{size}", sdk(held, "held", size, 1))
    traffic.add("slow", slow(held, "held"))
    try:
        for _ in range(RESTARTS):
            time.sleep(0.7)
            assert held.stop() == 0
            held.start()
            assert held.url == address
        time.sleep(0.7)
    finally:
        traffic.stop()
    assert traffic.failures == []
    assert len(traffic.done) == 8 and min(traffic.done.values()) >= 2, traffic.done


def test_stop_is_quick(held):
    """Idle connections hold up a stop by no more than the time in which they may send a last request."""
    connections = [http.client.HTTPConnection(held.host, held.port) for _ in range(20)]
    for c in connections:
        c.request("GET", "/")
        c.getresponse().read()
    began = time.monotonic()
    held.stop()
    assert time.monotonic() - began < 10
    for c in connections:
        assert c.sock is None or c.sock.recv(1) == b""
        c.close()
    held.start()
