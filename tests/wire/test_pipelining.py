"""Requests that do not wait for answers, and sides that end early."""
import re
import socket

import pytest

from wire import Wire, head, is_well, nothing_held, put

BIG = 300000


def test_behind_a_worker(store, bucket):
    """What lies behind a large body or answer is taken for exactly what it is, in order."""
    large = bytes(range(256)) * (BIG // 256)
    with Wire(store) as wire:
        wire.send(put(store, f"/{bucket}/large", large) + head(store, "GET", f"/{bucket}/large") + put(store, f"/{bucket}/small", b"s") +
                  head(store, "HEAD", f"/{bucket}/large") + head(store, "DELETE", f"/{bucket}/small") +
                  head(store, "GET", f"/{bucket}/small") + head(store, "GET", f"/{bucket}/large"))
        assert wire.read().status == 200
        assert wire.read().body == large
        assert wire.read().status == 200
        assert wire.read("HEAD").headers["content-length"] == str(len(large))
        assert wire.read().status == 204
        assert wire.read().code == "NoSuchKey"
        assert wire.read().body == large


def test_behind_chunks(store, bucket):
    chunked = head(store, "PUT", f"/{bucket}/k", {"transfer-encoding": "chunked"}) + b"5\r\nhello\r\n0\r\n\r\n"
    with Wire(store) as wire:
        wire.send((chunked + head(store, "GET", f"/{bucket}/k")) * 10)
        for _ in range(10):
            assert wire.read().status == 200
            assert wire.read().body == b"hello"


def test_cut_anywhere_into_packets(store, bucket):
    """Where packets end does not matter."""
    stream = (put(store, f"/{bucket}/a", b"first") + head(store, "PUT", f"/{bucket}/b", {"transfer-encoding": "chunked"}) +
              b"3;x=y\r\nsec\r\n3\r\nond\r\n0\r\nt: u\r\n\r\n" + head(store, "GET", f"/{bucket}/a") + head(store, "GET", f"/{bucket}/b"))
    for step in (1, 7, 64, 509):
        with Wire(store) as wire:
            for at in range(0, len(stream), step):
                wire.send(stream[at:at + step])
            assert [wire.read().status for _ in range(2)] == [200, 200]
            assert [wire.read().body for _ in range(2)] == [b"first", b"second"]


def test_behind_an_invitation(store, bucket):
    """The body is sent without waiting, with more requests behind it. The first may or may not be invited still."""
    ask = {"content-length": 5, "expect": "100-continue"}
    with Wire(store) as wire:
        wire.send((head(store, "PUT", f"/{bucket}/k", ask) + b"hello" + head(store, "GET", f"/{bucket}/k")) * 3)
        for _ in range(3):
            answer = wire.read()
            if answer.status == 100:
                answer = wire.read()
            assert answer.status == 200 and not answer.body, answer
            answer = wire.read()
            assert answer.status == 200 and answer.body == b"hello", answer


def test_refused_and_yet_sent(store, bucket):
    """A body that was not invited but sent is not taken for a request: it is thrown away, or the connection ends."""
    inner = head(store, "DELETE", f"/{bucket}/kept")
    store.client().put_object(Bucket=bucket, Key="kept", Body=b"x")
    with Wire(store) as wire:
        wire.send(head(store, "PUT", "/no-such-bucket-here/k", {"content-length": len(inner), "expect": "100-continue"}) + inner +
                  head(store, "GET", f"/{bucket}/kept"))
        assert wire.read().code == "NoSuchBucket"
        answer = wire.read()
        assert answer is None or answer.body == b"x", answer
    assert store.client().list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_answers_that_fill_the_socket(store, bucket):
    """Hundreds of requests, and nobody reads until all are sent: every answer comes, in order."""
    for n in range(8):
        store.client().put_object(Bucket=bucket, Key=str(n), Body=bytes([65 + n]) * 4096)
    with Wire(store, receive_buffer=8192) as wire:
        wire.send(b"".join(head(store, "GET", f"/{bucket}/{n % 8}") for n in range(200)))
        for n in range(200):
            assert wire.read().body == bytes([65 + n % 8]) * 4096


@pytest.mark.parametrize("what", ["head", "small", "large", "chunks"])
def test_half_closed(store, bucket, what):
    """A client that has nothing more to say still gets its answers."""
    store.client().put_object(Bucket=bucket, Key="k", Body=b"x" * BIG)
    data = {"head": head(store, "GET", f"/{bucket}/k"), "small": put(store, f"/{bucket}/new", b"hello"),
            "large": put(store, f"/{bucket}/new", b"y" * BIG),
            "chunks": head(store, "PUT", f"/{bucket}/new", {"transfer-encoding": "chunked"}) + b"5\r\nhello\r\n0\r\n\r\n"}[what]
    with Wire(store) as wire:
        wire.send(data + head(store, "GET", f"/{bucket}/k", {"range": "bytes=0-9"}))
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.read().status == 200
        assert wire.read().status == 206
        assert wire.is_closed()


def test_half_closed_too_early(store, bucket):
    for data in (b"GET / HT", head(store, "PUT", f"/{bucket}/k", {"content-length": 100}) + b"x" * 99,
                 head(store, "PUT", f"/{bucket}/k", {"content-length": BIG}) + b"x" * (BIG - 1),
                 head(store, "PUT", f"/{bucket}/k", {"transfer-encoding": "chunked"}) + b"5\r\nhello\r\n0\r\n"):
        with Wire(store) as wire:
            wire.send(data)
            wire.socket.shutdown(socket.SHUT_WR)
            answer = wire.read()
            assert answer is None or answer.code == "IncompleteBody", answer
            assert wire.is_closed()
    assert store.client().list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    nothing_held(store)
    is_well(store)


VERSIONS = {
    "1.1": ("HTTP/1.1", {}, False),
    "1.1 close": ("HTTP/1.1", {"connection": "close"}, True),
    "1.1 close among others": ("HTTP/1.1", {"connection": "x, Close"}, True),
    "1.0": ("HTTP/1.0", {}, True),
    "1.0 keep-alive": ("HTTP/1.0", {"connection": "Keep-Alive"}, False),
}


@pytest.mark.parametrize("what", VERSIONS)
def test_versions(store, bucket, what):
    version, headers, ends = VERSIONS[what]
    with Wire(store) as wire:
        assert wire.ask(put(store, f"/{bucket}/k", b"hello")).status == 200
        answer = wire.ask(head(store, "GET", f"/{bucket}/k", headers, version=version))
        assert answer.body == b"hello"
        assert answer.closes == ends
        assert wire.is_closed() if ends else wire.ask(head(store, "GET", "/")).status == 200


def test_listing_for_http_1_0(store, bucket):
    """An answer without a known length ends with the connection where chunks are not understood; never in chunks."""
    with Wire(store) as wire:
        wire.send(head(store, "GET", f"/{bucket}", version="HTTP/1.0", query={"list-type": 2}))
        while wire.more():
            pass
        assert wire.pending.startswith(b"HTTP/1.1 200 ") and b"chunked" not in wire.pending.lower()
        assert wire.pending.endswith(b"</ListBucketResult>")


# Expect in a PUT of five bytes: is it invited?
EXPECTATIONS = {
    "other case": ({"expect": "100-Continue"}, True),
    "twice": ({"expect": "100-continue", "Expect": "100-continue"}, True),
    "another": ({"expect": "the-moon"}, False),
    "none": ({"expect": ""}, False),
    "HTTP/1.0": ({"expect": "100-continue"}, False),
}


@pytest.mark.parametrize("what", EXPECTATIONS)
def test_expectations(store, bucket, what):
    headers, invited = EXPECTATIONS[what]
    with Wire(store) as wire:
        wire.send(head(store, "PUT", f"/{bucket}/k", {"content-length": 5, **headers}, version="HTTP/1.0" if what == "HTTP/1.0" else "HTTP/1.1"))
        if invited:
            assert wire.read().status == 100
        assert wire.ask(b"hello").status == 200
    assert store.client().get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello"


def test_expect_without_body(store, bucket):
    for headers in ({"expect": "100-continue"}, {"expect": "100-continue", "content-length": 0}):
        with Wire(store) as wire:
            answer = wire.ask(head(store, "GET", f"/{bucket}", headers))
            if answer.status == 100:
                answer = wire.read()
            assert answer.status == 200 and b"ListBucketResult" in answer.body


def test_absolute_form(store, bucket):
    """A proxy's way of asking. The signature covers the path, and the host must be said the same twice."""
    with Wire(store) as wire:
        assert wire.ask(put(store, f"/{bucket}/k", b"hello")).status == 200
        relative = head(store, "GET", f"/{bucket}/k")
        absolute = re.sub(rb"^GET ", f"GET http://{store.host}:{store.port}".encode(), relative)
        assert wire.ask(absolute).body == b"hello"
        answer = wire.ask(re.sub(rb"^GET ", b"GET http://elsewhere:1", relative))
        assert answer.status == 400 and answer.closes and wire.is_closed()
