"""Too much of something: each limit has its error, and what is beyond it is not kept in memory."""
import base64
import hashlib

import pytest

from wire import Wire, head, is_well, memory_is_flat, put

HOST = b"Host: localhost\r\n"
MIB = 1 << 20


def get(target=b"/", headers=b""):
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + headers + b"\r\n"


# what: bytes; the code of the refusal. All end the connection: where the next request begins is not known.
HEADS = {
    "header of 40 KiB": (get(headers=b"x: " + b"a" * 40000 + b"\r\n"), "InvalidRequest"),
    "header name of 40 KiB": (get(headers=b"a" * 40000 + b": x\r\n"), "InvalidRequest"),
    "header without end": (b"GET / HTTP/1.1\r\nx: " + b"a" * MIB, "InvalidRequest"),
    "target of 40 KiB": (get(b"/" + b"a" * 40000), "InvalidRequest"),
    "target without end": (b"GET /" + b"a" * MIB, "InvalidRequest"),
    "method without end": (b"G" * MIB, "InvalidRequest"),
    "blank lines without end": (b"\r\n" * (MIB // 2), "InvalidRequest"),
    "200 headers": (get(headers=b"x: a\r\n" * 200), "InvalidRequest"),
    "100,000 headers": (get(headers=b"x: a\r\n" * 100000), "InvalidRequest"),
    "200 parameters": (get(b"/?" + b"x=a&" * 200), "InvalidURI"),
}


@pytest.mark.parametrize("what", HEADS)
def test_heads(store, what):
    data, code = HEADS[what]
    with Wire(store) as wire:
        answer = wire.ask(data)
        assert answer is not None and answer.status == 400 and answer.code in (code, "InvalidRequest") and answer.closes, answer
        assert wire.is_closed()


def test_head_bombs_are_forgotten(store):
    for flood in range(2):              # the first makes the server as large as it gets
        with memory_is_flat(store, 8192 if flood else MIB):
            for _ in range(15):
                for data, _ in HEADS.values():
                    with Wire(store) as wire:
                        wire.send(data)
    is_well(store)


def test_largest_head_that_fits(store, bucket):
    """A target and headers close to their limits are taken whole, and so is the next request behind them."""
    filler = {f"x-filler-{n}": "f" * 4000 for n in range(6)}
    with Wire(store) as wire:
        wire.send(head(store, "GET", f"/{bucket}", filler, {"prefix": "a" * 1000, "list-type": 2}) * 2)
        assert wire.read().status == 200
        assert wire.read().status == 200


# key, metadata, ... in a PUT; status and code. The connection may stay.
PUTS = {
    "key of 1,024 bytes": ("k" * 1024, {}, 200, None),
    "key of 1,025 bytes": ("k" * 1025, {}, 400, "KeyTooLongError"),
    "key of 9 KiB": ("k" * 9216, {}, 400, "KeyTooLongError"),
    "key of 1,026 bytes, escaped": ("%C3%A9" * 513, {}, 400, "KeyTooLongError"),
    "2 KiB of metadata": ("k", {"x-amz-meta-a": "b" * 2047}, 200, None),
    "2 KiB and a byte of metadata": ("k", {"x-amz-meta-a": "b" * 2048}, 400, "MetadataTooLarge"),
    "metadata in 100 headers": ("k", {f"x-amz-meta-{n:02}": "b" * 20 for n in range(100)}, 400, "MetadataTooLarge"),
    "6 GiB announced": ("k", {"content-length": 6 << 30}, 400, "EntityTooLarge"),
    "8 EiB announced": ("k", {"content-length": (1 << 63) - 1}, 400, "EntityTooLarge"),
}


@pytest.mark.parametrize("what", PUTS)
def test_puts(store, bucket, what):
    key, headers, status, code = PUTS[what]
    with Wire(store) as wire:
        answer = wire.ask(put(store, f"/{bucket}/{key}", b"", **headers))
        assert (answer.status, answer.code) == (status, code), answer
        if "content-length" in headers:
            assert answer.closes and wire.is_closed()
    is_well(store)


def md5(body):
    return {"content-md5": base64.b64encode(hashlib.md5(body).digest()).decode()}


LAUGHS = b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "%s">' % (b + 1, b"&%c;" % b * 10) for b in b"abcdefghi") + b"]><Delete><Object><Key>&j;</Key></Object></Delete>"
OUTSIDE = b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>'
OBJECT = b"<Object><Key>k</Key></Object>"
ENTRY = b"<Rule><ID>x</ID><Status>Enabled</Status></Rule>"
BODIES = {
    "ten billion laughs": ("delete", LAUGHS),
    "a file of the server": ("delete", OUTSIDE),
    "1,001 keys": ("delete", b"<Delete>" + OBJECT * 1001 + b"</Delete>"),
    "half a million elements": ("delete", b"<Delete>" + b"<a/>" * 500000 + b"</Delete>"),
    "3 MiB": ("delete", b"<Delete>" + OBJECT * (3 * MIB // len(OBJECT)) + b"</Delete>"),
    "100,000 levels": ("delete", b"<a>" * 100000),
    "a name of 1 MiB": ("delete", b"<" + b"a" * MIB + b"/>"),
    "an attribute of 1 MiB": ("delete", b'<Delete a="' + b"a" * MIB + b'"/>'),
    "100,000 attributes": ("delete", b"<Delete" + b"".join(b' a%d=""' % n for n in range(100000)) + b"/>"),
    "a comment of 1 MiB": ("delete", b"<Delete><!--" + b"a" * MIB + b"--></Delete>"),
    "UTF-16": ("delete", ("\ufeff<Delete>" + OBJECT.decode() + "</Delete>").encode("utf-16")),
    "100,000 rules": ("lifecycle", b"<LifecycleConfiguration>" + ENTRY * 100000 + b"</LifecycleConfiguration>"),
    "tags without end": ("tagging", b"<Tagging><TagSet>" + b"<Tag><Key>a</Key><Value>b</Value></Tag>" * 50000),
    "deep JSON": ("policy", b"[" * MIB),
    "policy of 1 MiB": ("policy", b'{"Version": "' + b"a" * MIB + b'"}'),
}


@pytest.mark.parametrize("what", BODIES)
def test_bodies(store, bucket, what):
    call, body = BODIES[what]
    with memory_is_flat(store, 65536), Wire(store) as wire:
        answer = wire.ask(head(store, "POST" if call == "delete" else "PUT", f"/{bucket}",
                               {"content-length": len(body), **md5(body)}, {call: None}) + body)
        assert answer is not None and answer.status == 400 and answer.code in (
            "MalformedXML", "MalformedPolicy", "EntityTooLarge"), answer
        assert b"root:" not in answer.body and b"haha" not in answer.body
    is_well(store)


def test_body_bombs_together(store, bucket):
    """Many at a time cost what their workers may use, and it is given back."""
    def volley():
        wires = [Wire(store, source=f"127.0.0.{2 + n}") for n in range(16)]
        call, body = "delete", b"<Delete>" + b"<a/>" * 59000 + OBJECT * 900       # all but too much of everything
        start = head(store, "POST", f"/{bucket}", {"content-length": len(body), **md5(body)}, {call: None})
        for wire in wires:
            wire.send(start + body[:-1])
        for wire in wires:
            wire.send(body[-1:])
        for wire in wires:
            assert wire.read().status == 400
            wire.socket.close()
    volley()
    with memory_is_flat(store, 65536):
        volley()
    is_well(store)


def test_chunks_without_end(store, bucket):
    """A chunked body has no announced size: it is cut off where a PUT ends, or when its framing costs more than it carries."""
    with Wire(store) as wire, memory_is_flat(store):
        wire.send(head(store, "PUT", f"/{bucket}/k", {"transfer-encoding": "chunked"}))
        for _ in range(16):
            wire.send(b"1\r\nx\r\n" * 20000)
        wire.send(b"0\r\n\r\n")
        answer = wire.read()
        assert answer is not None and answer.status in (200, 400), answer
    is_well(store)
