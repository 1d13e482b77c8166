"""Clients that vanish at any point of an upload or download: nothing stays behind, of workers, memory, descriptors or bytes."""
import os
import random

import pytest

from wire import Wire, eventually, head, is_well, memory_is_flat, metric, nothing_held, put

SIZES = {"inline": 3000, "volume": 100000, "file": 2 << 20}


def chunks(body, size):
    return b"".join(b"%x\r\n%b\r\n" % (len(body[at:at + size]), body[at:at + size]) for at in range(0, len(body), size)) + b"0\r\n"


def framings(store, path, body, query=None):
    """name -> (head, body as framed)"""
    half = len(body) // 3 + 1
    aws = {"content-length": len(chunks(body, half)) + 2, "content-encoding": "aws-chunked", "x-amz-decoded-content-length": len(body)}
    return {
        "length": (head(store, "PUT", path, {"content-length": len(body)}, query), body),
        "chunked": (head(store, "PUT", path, {"transfer-encoding": "chunked"}, query), chunks(body, half) + b"a: b\r\n\r\n"),
        "aws-chunked": (head(store, "PUT", path, aws, query, payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER"), chunks(body, half) + b"\r\n"),
        "invited": (head(store, "PUT", path, {"content-length": len(body), "expect": "100-continue"}, query), body),
    }


def descriptors(store):
    return len(os.listdir(f"/proc/{store.process.pid}/fd"))


def blobs(store):
    """Bytes on disk, by file. What a volume has of unfinished objects is not committed and counts as none."""
    found = {}
    for folder, _, names in os.walk(os.path.join(store.data, "blobs")):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                found[os.path.join(folder, name)] = file.seek(0, 2)
    return found


def cut(store, data, way):
    wire = Wire(store)
    wire.send(data)
    if way == "reset":
        wire.reset()
    elif way == "close":
        wire.socket.close()
    else:
        wire.socket.shutdown(1)
        wire.read()
        wire.socket.close()


@pytest.mark.parametrize("size", SIZES)
def test_uploads(store, bucket, size):
    s3 = store.client()
    body = random.Random(size).randbytes(SIZES[size])
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    calls = framings(store, f"/{bucket}/k", body)
    calls.update({"part " + n: c for n, c in framings(store, f"/{bucket}/parts", body, {"partNumber": 1, "uploadId": upload}).items()})
    nothing_held(store, 1)
    before, files = descriptors(store), blobs(store)
    chance = random.Random(1)
    with memory_is_flat(store, 32768):
        for start, framed in calls.values():
            whole = start + framed
            points = [len(start) // 2, len(start) - 2, len(start), len(start) + 1, len(whole) - 1, len(whole) - 2, len(whole) - 3,
                      len(whole) - 6, *(chance.randrange(len(whole)) for _ in range(6))]
            for at in points:
                cut(store, whole[:at], chance.choice(["reset", "close", "shut"]))
        nothing_held(store, 1)
    assert descriptors(store) <= before + 2
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="parts", UploadId=upload)
    left = {n: s for n, s in blobs(store).items() if n not in files and s > 0}
    assert not left, left
    with Wire(store) as wire:       # and all of it would have been right
        for start, framed in calls.values():
            wire.send(start)
            if b"expect" in start:
                assert wire.read().status == 100
            assert wire.ask(framed).status == 200


def test_lost_answers(store, bucket):
    """The whole request came, and nobody waits for the answer: the write counts, and is whole."""
    body = b"x" * 100000
    for way in ("reset", "close", "shut"):
        cut(store, put(store, f"/{bucket}/{way}", body), way)
    nothing_held(store)
    for key in (k["Key"] for k in store.client().list_objects_v2(Bucket=bucket).get("Contents", [])):
        assert store.client().get_object(Bucket=bucket, Key=key)["Body"].read() == body
    is_well(store)


@pytest.mark.parametrize("size", SIZES)
def test_downloads(store, bucket, size):
    store.client().put_object(Bucket=bucket, Key="k", Body=b"x" * SIZES[size])
    chance = random.Random(size)

    def volley():
        for _ in range(40):
            wire = Wire(store, receive_buffer=4096)
            wire.send(head(store, "GET", f"/{bucket}/k") * chance.randrange(1, 4))
            if SIZES[size] > 8192:
                for _ in range(chance.randrange(3)):
                    wire.more()
            chance.choice([wire.reset, wire.socket.close])()
        nothing_held(store)
    volley()
    before = descriptors(store)
    with memory_is_flat(store):
        volley()
    assert descriptors(store) <= before + 2
    is_well(store)


def test_connections_that_say_nothing(store):
    """Thousands come and go."""
    eventually(lambda: metric(store, "caisson_connections") == 0)
    before = descriptors(store)
    for flood in range(2):
        with memory_is_flat(store, 8192 if flood else 1 << 20):
            for n in range(500):
                wire = Wire(store)
                if n % 2:
                    wire.send(b"G")
                wire.reset() if n % 3 else wire.socket.close()
            nothing_held(store)
    assert descriptors(store) <= before + 2
    is_well(store)
