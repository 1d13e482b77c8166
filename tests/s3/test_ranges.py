"""Parts of objects: Range, If-Range, partNumber; on each way that bytes are stored."""
import base64
import hashlib
import random

import pytest

from s3lib import refused

MIB = 1 << 20
SIZES = {"inline": 1000, "volume": 50000, "file": 3 * MIB + 17}


def content(size):
    return random.Random(size).randbytes(size)


def sse():
    key = b"0123456789abcdef0123456789abcdef"
    return {"x-amz-server-side-encryption-customer-algorithm": "AES256",
            "x-amz-server-side-encryption-customer-key": base64.b64encode(key).decode(),
            "x-amz-server-side-encryption-customer-key-md5": base64.b64encode(hashlib.md5(key).digest()).decode()}


def ranges(size):
    """(header, first, last) that select something."""
    chance = random.Random(size)
    yield from [("bytes=0-0", 0, 0), ("bytes=0-", 0, size - 1), (f"bytes={size - 1}-", size - 1, size - 1), ("bytes=-1", size - 1, size - 1),
                (f"bytes=-{size}", 0, size - 1), (f"bytes=-{size * 9}", 0, size - 1), (f"bytes=1-{size * 9}", 1, size - 1),
                (f"bytes=5-{2 ** 70}", 5, size - 1), ("bytes=10-19", 10, 19)]
    for edge in (16384, 65536, 131072, 262144, MIB):
        if size > edge + 1:
            yield from [(f"bytes={edge - 1}-{edge}", edge - 1, edge), (f"bytes={edge}-{edge}", edge, edge)]
    for _ in range(12):
        first = chance.randrange(size)
        last = min(size - 1, first + chance.choice([0, 1, 100, 70000, size]))
        yield f"bytes={first}-{last}", first, last


@pytest.mark.parametrize("key", [{}, sse()], ids=["plain", "sse-c"])
@pytest.mark.parametrize("kind", SIZES)
def test_ranges(raw, bucket, kind, key):
    size = SIZES[kind]
    body = content(size)
    assert raw.call("PUT", bucket, "k", headers=key, body=body).status == 200
    for header, first, last in ranges(size):
        answer = raw.call("GET", bucket, "k", headers={"range": header, **key})
        assert answer.status == 206, header
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{size}", header
        assert answer.headers["content-length"] == str(last - first + 1)
        assert answer.body == body[first:last + 1], header
        head = raw.call("HEAD", bucket, "k", headers={"range": header, **key})
        assert head.status == 206 and head.body == b""
        assert head.headers["content-range"] == answer.headers["content-range"]
        assert head.headers["content-length"] == answer.headers["content-length"]


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-1001", "bytes=99999999999999999999-", "bytes=-0"])
def test_nothing_selected(raw, bucket, header):
    raw.call("PUT", bucket, "k", body=content(1000))
    answer = raw.call("GET", bucket, "k", headers={"range": header})
    assert (answer.status, answer.code) == (416, "InvalidRange"), answer
    assert answer.headers["content-range"] == "bytes */1000"
    assert b"<ActualObjectSize>1000</ActualObjectSize>" in answer.body and f"<RangeRequested>{header}<".encode() in answer.body
    assert raw.call("HEAD", bucket, "k", headers={"range": header}).status == 416


@pytest.mark.parametrize("header", ["bytes=0-0", "bytes=-5", "bytes=0-"])
def test_empty_object(raw, bucket, header):
    raw.call("PUT", bucket, "k")
    assert raw.call("GET", bucket, "k").status == 200
    assert raw.call("GET", bucket, "k", headers={"range": header}).status == 416


@pytest.mark.parametrize("header", ["", "bytes", "bytes=", "bytes=x-y", "bytes=5-4", "items=0-5", "bytes=0-1,5-6", "0-5", "bytes=--5",
                                    "bytes=1-2-3", "bytes=-", "bytes=+1-2"])
def test_ignored(raw, bucket, header):
    body = content(1000)
    raw.call("PUT", bucket, "k", body=body)
    answer = raw.call("GET", bucket, "k", headers={"range": header})
    assert answer.status == 200 and answer.body == body and "content-range" not in answer.headers


def test_if_range(raw, bucket):
    body = content(1000)
    etag = raw.call("PUT", bucket, "k", body=body).headers["etag"]
    date = raw.call("HEAD", bucket, "k").headers["last-modified"]
    for value, status in [(etag, 206), (date, 206), ('"other"', 200), (etag.strip('"'), 200), (f"W/{etag}", 200),
                          ("Tue, 24 Nov 2020 17:23:00 GMT", 200)]:
        answer = raw.call("GET", bucket, "k", headers={"range": "bytes=5-9", "if-range": value})
        assert answer.status == status, value
        assert answer.body == (body[5:10] if status == 206 else body)


def test_part_numbers_of_single_upload(s3, raw, bucket):
    body = content(5000)
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    got = s3.get_object(Bucket=bucket, Key="k", PartNumber=1)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206 and got["ContentRange"] == "bytes 0-4999/5000"
    assert got["Body"].read() == body and "PartsCount" not in got
    assert raw.call("GET", bucket, "empty", query={"partNumber": 1}).status == 200
    with refused("InvalidPartNumber", 416):
        s3.get_object(Bucket=bucket, Key="k", PartNumber=2)
    for number in ("0", "10001", "x", "-1", "1.5", ""):
        answer = raw.call("GET", bucket, "k", query={"partNumber": number})
        assert (answer.status, answer.code) == (400, "InvalidArgument"), number
    answer = raw.call("GET", bucket, "k", query={"partNumber": 1}, headers={"range": "bytes=0-5"})
    assert (answer.status, answer.code) == (400, "InvalidRequest")


def test_part_numbers_of_multipart(s3, bucket):
    parts = [content(5 * MIB), content(5 * MIB + 1), content(1000)]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    done = []
    for number, body in zip((1, 3, 7), parts):
        part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=body)
        done.append({"PartNumber": number, "ETag": part["ETag"]})
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": done})
    at = 0
    for number, body in zip((1, 3, 7), parts):
        got = s3.get_object(Bucket=bucket, Key="k", PartNumber=number)
        assert got["PartsCount"] == 3 and got["Body"].read() == body
        assert got["ContentRange"] == f"bytes {at}-{at + len(body) - 1}/{sum(map(len, parts))}"
        assert s3.head_object(Bucket=bucket, Key="k", PartNumber=number)["ContentLength"] == len(body)
        at += len(body)
    for number in (2, 4, 8, 10000):
        with refused("InvalidPartNumber", 416):
            s3.get_object(Bucket=bucket, Key="k", PartNumber=number)
    whole = b"".join(parts)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == whole
    for first, last in [(5 * MIB - 1, 5 * MIB), (0, 10 * MIB), (5 * MIB, 10 * MIB + 1), (10 * MIB, len(whole) - 1), (4 * MIB, 10 * MIB + 500)]:
        assert s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={first}-{last}")["Body"].read() == whole[first:last + 1]
