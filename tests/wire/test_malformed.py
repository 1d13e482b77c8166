"""Heads that are not HTTP: each gets S3's error XML and the end of the connection; none reaches a handler."""
import pytest

from wire import Wire, head, is_well, memory_is_flat

HOST = b"Host: localhost\r\n"

MALFORMED = {
    "noise": b"\x00\x01\x02\x03\r\n\r\n",
    "tls hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40 + b"\r\n\r\n",
    "words": b"hello, is anybody there\r\n\r\n",
    "no version": b"GET /\r\n" + HOST + b"\r\n",
    "http/0.9": b"GET / HTTP/0.9\r\n" + HOST + b"\r\n",
    "http/2": b"GET / HTTP/2.0\r\n" + HOST + b"\r\n",
    "http/1.2": b"GET / HTTP/1.2\r\n" + HOST + b"\r\n",
    "h2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "lower-case http": b"GET / http/1.1\r\n" + HOST + b"\r\n",
    "two blanks": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "blank behind": b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n",
    "tab": b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "blank before": b" GET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "no target": b"GET HTTP/1.1\r\n" + HOST + b"\r\n",
    "relative target": b"GET bucket/key HTTP/1.1\r\n" + HOST + b"\r\n",
    "fragment": b"GET /bucket#x HTTP/1.1\r\n" + HOST + b"\r\n",
    "blank in target": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "nul in target": b"GET /a\x00b HTTP/1.1\r\n" + HOST + b"\r\n",
    "delete byte in target": b"GET /a\x7fb HTTP/1.1\r\n" + HOST + b"\r\n",
    "star with GET": b"GET * HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "other host in target": b"GET http://elsewhere/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "no colon": b"GET / HTTP/1.1\r\n" + HOST + b"header\r\n\r\n",
    "no name": b"GET / HTTP/1.1\r\n" + HOST + b": value\r\n\r\n",
    "blank in name": b"GET / HTTP/1.1\r\n" + HOST + b"a b: c\r\n\r\n",
    "blank behind name": b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "nul in value": b"GET / HTTP/1.1\r\n" + HOST + b"a: b\x00c\r\n\r\n",
    "escape in value": b"GET / HTTP/1.1\r\n" + HOST + b"a: b\x1bc\r\n\r\n",
    "cr in value": b"GET / HTTP/1.1\r\n" + HOST + b"a: b\rc\r\n\r\n",
    "folded": b"GET / HTTP/1.1\r\n" + HOST + b"a: b\r\n c\r\n\r\n",
    "folded by tab": b"GET / HTTP/1.1\r\n" + HOST + b"a: b\r\n\tc\r\n\r\n",
    "first header folded": b"GET / HTTP/1.1\r\n a: b\r\n" + HOST + b"\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: localhost\n\n",
    "one bare line feed": b"GET / HTTP/1.1\r\nHost: localhost\n\r\n",
    "carriage returns": b"GET / HTTP/1.1\rHost: localhost\r\r",
    "length negative": b"PUT /b/k HTTP/1.1\r\n" + HOST + b"Content-Length: -5\r\n\r\nhello",
    "length plus": b"PUT /b/k HTTP/1.1\r\n" + HOST + b"Content-Length: +5\r\n\r\nhello",
    "length hex": b"PUT /b/k HTTP/1.1\r\n" + HOST + b"Content-Length: 0x5\r\n\r\nhello",
    "length empty": b"PUT /b/k HTTP/1.1\r\n" + HOST + b"Content-Length:\r\n\r\nhello",
    "length float": b"PUT /b/k HTTP/1.1\r\n" + HOST + b"Content-Length: 5.0\r\n\r\nhello",
    "length list": b"PUT /b/k HTTP/1.1\r\n" + HOST + b"Content-Length: 5, 5\r\n\r\nhello",
    "length 2^63": b"PUT /b/k HTTP/1.1\r\n" + HOST + b"Content-Length: 9223372036854775808\r\n\r\nhello",
    "length 2^64": b"PUT /b/k HTTP/1.1\r\n" + HOST + b"Content-Length: 18446744073709551616\r\n\r\nhello",
    "length 2^64 + 5": b"PUT /b/k HTTP/1.1\r\n" + HOST + b"Content-Length: 18446744073709551621\r\n\r\nhello",
    "broken percent in query": b"GET /b?prefix=%zz HTTP/1.1\r\n" + HOST + b"\r\n",
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed(store, what):
    with Wire(store) as wire:
        answer = wire.ask(MALFORMED[what] + b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n")
        if answer is not None:          # carriage returns alone are half a head: closed in time
            assert answer.status == 400 and answer.closes, answer
            assert answer.code in ("InvalidRequest", "InvalidURI"), answer
            assert answer.headers["content-type"] == "application/xml"
            assert answer.headers["x-amz-request-id"].encode() in answer.body
        assert wire.is_closed(), "something was answered behind a broken head"


def test_malformed_many_times(store):
    for flood in range(2):              # the first makes the server as large as it gets
        with memory_is_flat(store, 16384 if flood else 1 << 20):
            for _ in range(20):
                for data in MALFORMED.values():
                    with Wire(store) as wire:
                        wire.send(data)
    is_well(store)


def test_broken_at_every_byte(store):
    """A good request with one byte of its head replaced never hangs or kills, and never answers twice."""
    good = head(store, "GET", "/")
    for at in range(0, len(good) - 4, 3):
        for byte in (b"\x00", b"\n", b"\xff"):
            with Wire(store) as wire:
                wire.send(good[:at] + byte + good[at + 1:])
                wire.socket.shutdown(1)
                answer = wire.read()
                assert answer is None or answer.status in (200, 400, 403, 404, 405, 501), (at, byte, answer)
                assert wire.is_closed(), (at, byte)
    is_well(store)


@pytest.mark.parametrize("method", ["BREW", "TRACE", "get", "PATCH", "PROPFIND", "X" * 200])
def test_strange_methods(store, method):
    with Wire(store) as wire:
        answer = wire.ask(f"{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer is not None and answer.status in (400, 403, 405, 501) and answer.code, answer
    is_well(store)
