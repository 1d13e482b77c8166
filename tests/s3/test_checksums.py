"""The five algorithms: in a header, in a trailer, by default; wrong ones; and what comes back."""
import base64
import hashlib
import random
import zlib

import pytest

from s3lib import refused

MIB = 1 << 20


def crc_table(poly, width):
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (poly if n & 1 else 0)
        table.append(n)
    return table


TABLES = {"CRC32C": (crc_table(0x82F63B78, 32), 4), "CRC64NVME": (crc_table(0x9A6C9329AC4BC9B5, 64), 8)}


def crc(name, body):
    table, size = TABLES[name]
    mask = (1 << 8 * size) - 1
    value = mask
    for byte in body:
        value = value >> 8 ^ table[(value ^ byte) & 255]
    return (value ^ mask).to_bytes(size, "big")


COMPUTE = {"CRC32": lambda b: zlib.crc32(b).to_bytes(4, "big"), "CRC32C": lambda b: crc("CRC32C", b), "CRC64NVME": lambda b: crc("CRC64NVME", b),
           "SHA1": lambda b: hashlib.sha1(b).digest(), "SHA256": lambda b: hashlib.sha256(b).digest()}


def value(name, body):
    return base64.b64encode(COMPUTE[name](body)).decode()


def header(name):
    return f"x-amz-checksum-{name.lower()}"


def content(size):
    return random.Random(size).randbytes(size)


def stored(raw, bucket, key="k"):
    got = raw.call("GET", bucket, key, headers={"x-amz-checksum-mode": "ENABLED"})
    return got, {n: v for n, v in got.headers.items() if n.startswith("x-amz-checksum-")}


@pytest.mark.parametrize("size", [0, 1, 4097, 300001])
@pytest.mark.parametrize("name", COMPUTE)
def test_in_header(raw, bucket, name, size):
    body = content(size)
    want = {header(name): value(name, body), "x-amz-checksum-type": "FULL_OBJECT"}
    answer = raw.call("PUT", bucket, "k", headers={header(name): want[header(name)]}, body=body)
    assert answer.status == 200, answer
    assert {n: answer.headers.get(n) for n in want} == want
    got, found = stored(raw, bucket)
    assert got.body == body and found == want
    assert "x-amz-checksum-type" not in raw.call("GET", bucket, "k").headers
    head = raw.call("HEAD", bucket, "k", headers={"x-amz-checksum-mode": "ENABLED"})
    assert head.headers[header(name)] == want[header(name)]
    if size > 1:
        part = raw.call("GET", bucket, "k", headers={"x-amz-checksum-mode": "ENABLED", "range": "bytes=1-"})
        assert part.status == 206 and header(name) not in part.headers


@pytest.mark.parametrize("size", [1, 300001])
@pytest.mark.parametrize("name", COMPUTE)
def test_wrong_header(raw, bucket, name, size):
    wrong = value(name, b"other bytes")
    answer = raw.call("PUT", bucket, "k", headers={header(name): wrong}, body=content(size))
    assert (answer.status, answer.code) == (400, "BadDigest"), answer
    assert raw.call("HEAD", bucket, "k").status == 404


@pytest.mark.parametrize("name", COMPUTE)
@pytest.mark.parametrize("text", ["", "junk", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"])
def test_unreadable_header(raw, bucket, name, text):
    answer = raw.call("PUT", bucket, "k", headers={header(name): text}, body=b"x")
    assert (answer.status, answer.code) == (400, "InvalidRequest"), answer


def chunked(body, trailer=None, size=70000):
    chunks = [b"%x\r\n%s\r\n" % (len(body[i:i + size]), body[i:i + size]) for i in range(0, len(body), size)]
    return b"".join(chunks) + b"0\r\n" + (trailer.encode() + b"\r\n" if trailer else b"") + b"\r\n"


def put_trailer(raw, bucket, name, body, text, announced=None):
    return raw.call("PUT", bucket, "k", headers={
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(body)), "x-amz-trailer": announced or header(name)},
        body=chunked(body, f"{header(name)}:{text}" if text is not None else None))


@pytest.mark.parametrize("size", [0, 1, 4097, 300001, 3 * MIB])
@pytest.mark.parametrize("name", COMPUTE)
def test_in_trailer(raw, bucket, name, size):
    if size > MIB and name in TABLES:
        pytest.skip("too slow in Python")
    body = content(size)
    answer = put_trailer(raw, bucket, name, body, value(name, body))
    assert answer.status == 200 and answer.headers[header(name)] == value(name, body), answer
    got, found = stored(raw, bucket)
    assert got.body == body and found == {header(name): value(name, body), "x-amz-checksum-type": "FULL_OBJECT"}
    assert "content-encoding" not in got.headers


@pytest.mark.parametrize("name", COMPUTE)
def test_wrong_trailer(raw, bucket, name):
    answer = put_trailer(raw, bucket, name, content(5000), value(name, b"other"))
    assert (answer.status, answer.code) == (400, "BadDigest"), answer
    answer = put_trailer(raw, bucket, name, content(5000), None)
    assert (answer.status, answer.code) == (400, "MalformedTrailerError"), answer
    answer = put_trailer(raw, bucket, name, content(5000), "junk")
    assert (answer.status, answer.code) == (400, "InvalidRequest"), answer
    assert raw.call("HEAD", bucket, "k").status == 404


def test_trailer_names(raw, bucket):
    body = content(100)
    answer = put_trailer(raw, bucket, "CRC32", body, value("CRC32", body), announced="x-amz-checksum-md4")
    assert (answer.status, answer.code) == (400, "InvalidRequest"), answer
    answer = put_trailer(raw, bucket, "CRC32", body, value("CRC32", body), announced="x-amz-checksum-crc32c")
    assert answer.status == 400, answer


@pytest.mark.parametrize("size", [0, 100, 300001])
def test_default(raw, bucket, size):
    """Without any the store computes CRC64NVME, as Amazon does."""
    body = content(size)
    answer = raw.call("PUT", bucket, "k", body=body)
    assert answer.headers["x-amz-checksum-crc64nvme"] == value("CRC64NVME", body)
    assert stored(raw, bucket)[1] == {"x-amz-checksum-crc64nvme": value("CRC64NVME", body), "x-amz-checksum-type": "FULL_OBJECT"}


def test_two_are_refused(raw, bucket):
    body = b"x"
    answer = raw.call("PUT", bucket, "k", headers={header("CRC32"): value("CRC32", body), header("SHA1"): value("SHA1", body)}, body=body)
    assert (answer.status, answer.code) == (400, "InvalidRequest"), answer


@pytest.mark.parametrize("named,sent,status", [("CRC32", "CRC32", 200), ("CRC32", None, 400), ("CRC32", "SHA1", 400), ("MD4", None, 400),
                                               ("crc32", "CRC32", 200)])
def test_sdk_algorithm(raw, bucket, named, sent, status):
    headers = {"x-amz-sdk-checksum-algorithm": named, **({header(sent): value(sent, b"x")} if sent else {})}
    answer = raw.call("PUT", bucket, "k", headers=headers, body=b"x")
    assert answer.status == status and answer.code in (None, "InvalidRequest"), answer


@pytest.mark.parametrize("size", [10, 9 * MIB])
@pytest.mark.parametrize("name", ["CRC32", "SHA1", "SHA256"])
def test_sdk(s3, bucket, name, size):
    body = content(size)
    put = s3.put_object(Bucket=bucket, Key="k", Body=body, ChecksumAlgorithm=name)
    assert put[f"Checksum{name}"] == value(name, body) and put["ChecksumType"] == "FULL_OBJECT"
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == body and got[f"Checksum{name}"] == value(name, body)
    with refused("BadDigest", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=body, **{f"Checksum{name}": value(name, b"other")})


def test_payload_hash(raw, bucket):
    body = content(5000)
    good = hashlib.sha256(body).hexdigest()
    assert raw.call("PUT", bucket, "k", headers={"x-amz-content-sha256": good}, body=body).status == 200
    for size in (5000, 300000):
        answer = raw.call("PUT", bucket, "other", headers={"x-amz-content-sha256": good}, body=content(size)[::-1])
        assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch"), answer
    assert raw.call("HEAD", bucket, "other").status == 404
