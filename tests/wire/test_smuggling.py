"""Two ways to read the same bytes are one too many: whatever leaves open where a request ends is refused, and the connection ends."""
import pytest

from conftest import make_bucket
from wire import Wire, head, is_well, put

SECOND = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKS = b"0\r\n\r\n"

FRAMINGS = {
    "length and chunked": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "chunked and length": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "chunked and length 0": b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
    "same length twice": b"Content-Length: 5\r\nContent-Length: 5\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 0\r\n",
    "two lengths, other case": b"content-length: 5\r\nCONTENT-LENGTH: 6\r\n",
    "length list": b"Content-Length: 5, 6\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "chunked, chunked": b"Transfer-Encoding: chunked, chunked\r\n",
    "identity": b"Transfer-Encoding: identity\r\n",
    "chunked, identity": b"Transfer-Encoding: chunked, identity\r\n",
    "identity, chunked": b"Transfer-Encoding: identity, chunked\r\n",
    "gzip, chunked": b"Transfer-Encoding: gzip, chunked\r\n",
    "xchunked": b"Transfer-Encoding: xchunked\r\n",
    "chunkedx": b"Transfer-Encoding: chunkedx\r\n",
    "quoted": b'Transfer-Encoding: "chunked"\r\n',
    "with parameter": b"Transfer-Encoding: chunked;a=b\r\n",
    "empty encoding": b"Transfer-Encoding:\r\n",
    "vertical tab": b"Transfer-Encoding: \x0bchunked\r\n",
    "form feed": b"Transfer-Encoding: chunked\x0c\r\n",
    "nul": b"Transfer-Encoding: chunked\x00\r\n",
    "blank before colon": b"Transfer-Encoding : chunked\r\n",
    "tab before colon": b"Transfer-Encoding\t: chunked\r\n",
    "folded": b"Transfer-Encoding:\r\n chunked\r\n",
    "folded length": b"Content-Length:\r\n 5\r\n",
    "bare line feed in between": b"X: y\nTransfer-Encoding: chunked\r\n",
    "carriage return in between": b"X: y\rTransfer-Encoding: chunked\r\n",
    "header hidden in value": b"X: y\r\x00\nContent-Length: 5\r\n",
}


@pytest.mark.parametrize("what", FRAMINGS)
@pytest.mark.parametrize("body", [b"hello", CHUNKS, b""], ids=["bytes", "chunks", "none"])
def test_ambiguous_framing(store, what, body):
    with Wire(store) as wire:
        answer = wire.ask(b"PUT /b/k HTTP/1.1\r\nHost: localhost\r\n" + FRAMINGS[what] + b"\r\n" + body + SECOND)
        assert answer is not None and answer.status == 400 and answer.code == "InvalidRequest" and answer.closes, answer
        assert wire.is_closed()


@pytest.mark.parametrize("name", [b"Transfer_Encoding", b"Transfer-Encodings", b"X-Transfer-Encoding"])
def test_other_headers_do_not_frame(store, name):
    """What only looks like a framing header means nothing: without a length the request has no body."""
    with Wire(store) as wire:
        wire.send(b"DELETE / HTTP/1.1\r\nHost: localhost\r\n" + name + b": chunked\r\n\r\n" + b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert wire.read() is not None and wire.read() is not None


CHUNKED = {
    "no digits": b";x\r\nhello\r\n0\r\n\r\n",
    "sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "blank before": b" 5\r\nhello\r\n0\r\n\r\n",
    "blank behind": b"5 \r\nhello\r\n0\r\n\r\n",
    "line feed": b"5\nhello\r\n0\r\n\r\n",
    "line feed behind the data": b"5\r\nhello\n0\r\n\r\n",
    "line feed at the end": b"5\r\nhello\r\n0\n\n",
    "carriage return": b"5\rhello\r0\r\r",
    "double carriage return": b"5\r\r\nhello\r\n0\r\n\r\n",
    "too short": b"6\r\nhello\r\n0\r\n\r\n",
    "too long": b"4\r\nhello\r\n0\r\n\r\n",
    "2^64": b"10000000000000000\r\nhello\r\n0\r\n\r\n",
    "2^64 + 5": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "2^63": b"8000000000000000\r\nhello\r\n0\r\n\r\n",
    "many zeros": b"0" * 60 + b"5\r\nhello\r\n0\r\n\r\n",
    "line feed in the extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "carriage return in the extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "nul in the extension": b"5;a\x00b\r\nhello\r\n0\r\n\r\n",
    "endless extension": b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n",
    "trailer is no header": b"5\r\nhello\r\n0\r\nGET / HTTP/1.1\r\n\r\n",
    "trailer folded": b"5\r\nhello\r\n0\r\na: b\r\n c\r\n\r\n",
    "endless trailers": b"5\r\nhello\r\n0\r\n" + b"a: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n" * 1000 + b"\r\n",
}


@pytest.mark.parametrize("what", CHUNKED)
def test_broken_chunks(store, bucket, what):
    with Wire(store) as wire:
        answer = wire.ask(head(store, "PUT", f"/{bucket}/k", {"Transfer-Encoding": "chunked"}) + CHUNKED[what] + SECOND)
        assert answer is not None and 400 <= answer.status < 500 and answer.code and answer.closes, answer
        assert wire.is_closed()
    assert store.client().list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_trailers_are_dropped(store, bucket):
    with Wire(store) as wire:
        answer = wire.ask(head(store, "PUT", f"/{bucket}/k", {"Transfer-Encoding": "chunked"}) +
                          b"5;a=b\r\nhello\r\n00003\r\n, y\r\n2;q\r\nou\r\n0\r\nX-Trailer: Content-Length: 7\r\n\r\n" + head(store, "GET", "/"))
        if answer.status == 411:        # a length is asked for: then the body must not be taken for a request
            assert answer.closes
            return
        assert answer.status == 200, answer
        assert wire.read().status == 200
    assert store.client().get_object(Bucket=bucket, Key="k")["Body"].read() == b"hello, you"


def test_body_is_never_a_request(store):
    """A body that looks like a request, refused before it was read."""
    inner = head(store, "GET", "/")
    for size in (len(inner), 20000, 150000, 500000, 3000000):
        body = inner * (size // len(inner))
        with Wire(store) as wire:
            wire.send(b"PUT /no-such-bucket-here/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            answer = wire.read()
            assert answer is not None and answer.status in (403, 404), answer
            if answer.closes:
                assert wire.is_closed()
            else:
                assert wire.ask(inner).status == 200
                wire.socket.shutdown(1)
                assert wire.is_closed()


def test_refused_upload_is_not_invited(store):
    """Expect: 100-continue is answered only after everything that can be known has been checked."""
    cases = [(b"PUT /no-such-bucket-here/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", (403, 404)),
             (head(store, "PUT", "/no-such-bucket-here/k", {"content-length": 5, "expect": "100-continue"}), (404,))]
    for data, status in cases:
        with Wire(store) as wire:
            answer = wire.ask(data)
            assert answer.status in status and answer.closes, answer
            assert wire.is_closed()
    name = make_bucket(store)
    with Wire(store) as wire:
        for _ in range(3):
            assert wire.ask(head(store, "PUT", f"/{name}/k", {"content-length": 5, "expect": "100-continue"})).status == 100
            assert wire.ask(b"hello").status == 200


def test_pipelined_requests_in_order(store, bucket):
    keys = [f"k{n:02}" for n in range(30)]
    with Wire(store) as wire:
        wire.send(b"".join(put(store, f"/{bucket}/{k}", k.encode() * 50) for k in keys))
        for k in keys:
            assert wire.read().status == 200
        wire.send(b"".join(head(store, "GET", f"/{bucket}/{k}") + head(store, "HEAD", f"/{bucket}/{k}") for k in keys))
        for k in keys:
            assert wire.read().body == k.encode() * 50
            assert wire.read("HEAD").headers["content-length"] == str(len(k) * 50)
    is_well(store)
