"""SSE-C: the key goes in with the bytes and must come again; whatever is wrong with it has its error."""
import base64
import hashlib
import os
import random

import pytest

from s3lib import refused

MIB = 1 << 20
KEY, OTHER = b"k" * 32, b"o" * 32


def sse(key=KEY, **change):
    headers = {"algorithm": "AES256", "key": base64.b64encode(key).decode(), "key-md5": base64.b64encode(hashlib.md5(key).digest()).decode()}
    headers.update({n.replace("_", "-"): v for n, v in change.items()})
    return {f"x-amz-server-side-encryption-customer-{n}": v for n, v in headers.items() if v is not None}


def without_key():
    return {n: v for n, v in sse().items() if not n.endswith("-key")}


def content(size):
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 65535, 65536, 65537, 131072, 300000, MIB - 1, MIB, MIB + 1, 5 * MIB + 11])
def test_sizes(raw, bucket, size):
    body = content(size)
    put = raw.call("PUT", bucket, "k", headers=sse(), body=body)
    assert put.status == 200, put
    assert put.headers["x-amz-server-side-encryption-customer-algorithm"] == "AES256"
    assert put.headers["x-amz-server-side-encryption-customer-key-md5"] == sse()["x-amz-server-side-encryption-customer-key-md5"]
    assert put.headers["etag"] != f'"{hashlib.md5(body).hexdigest()}"'
    got = raw.call("GET", bucket, "k", headers=sse())
    assert got.status == 200 and got.body == body and got.headers["etag"] == put.headers["etag"]
    assert got.headers["content-length"] == str(size)
    assert got.headers["x-amz-server-side-encryption-customer-algorithm"] == "AES256"
    head = raw.call("HEAD", bucket, "k", headers=sse())
    assert head.status == 200 and head.headers["content-length"] == str(size)
    assert f"<Size>{size}</Size>".encode() in raw.call("GET", bucket, query={"list-type": 2}).body


@pytest.mark.parametrize("size", [100, 300000])
def test_reading_needs_the_key(raw, bucket, size):
    raw.call("PUT", bucket, "k", headers=sse(), body=content(size))
    answer = raw.call("GET", bucket, "k")
    assert (answer.status, answer.code) == (400, "InvalidRequest"), answer
    assert raw.call("HEAD", bucket, "k").status == 400
    answer = raw.call("GET", bucket, "k", headers=sse(OTHER))
    assert (answer.status, answer.code) == (403, "AccessDenied"), answer
    assert raw.call("HEAD", bucket, "k", headers=sse(OTHER)).status == 403


def test_key_where_none_belongs(raw, bucket):
    raw.call("PUT", bucket, "k", body=b"plain")
    answer = raw.call("GET", bucket, "k", headers=sse())
    assert (answer.status, answer.code) == (400, "InvalidRequest"), answer


BAD = [
    (sse(algorithm="AES128"), "InvalidEncryptionAlgorithmError"), (sse(algorithm=""), "InvalidEncryptionAlgorithmError"),
    (sse(algorithm=None), "InvalidArgument"), (sse(key_md5=None), "InvalidArgument"), (without_key(), "InvalidArgument"),
    (sse(key_md5=base64.b64encode(bytes(16)).decode()), "InvalidRequest"), (sse(key_md5="junk"), "InvalidRequest"),
    (sse(b"k" * 31), "InvalidArgument"), (sse(b"k" * 33), "InvalidArgument"), (sse(b"k" * 16), "InvalidArgument"), (sse(b""), "InvalidArgument"),
]


@pytest.mark.parametrize("headers,code", BAD, ids=range(len(BAD)))
def test_bad_keys(raw, bucket, headers, code):
    raw.call("PUT", bucket, "k", headers=sse(), body=b"x")
    for method, body in (("PUT", b"y"), ("GET", b"")):
        answer = raw.call(method, bucket, "k", headers=headers, body=body)
        assert (answer.status, answer.code) == (400, code), answer
    assert raw.call("GET", bucket, "k", headers=sse()).body == b"x"


def test_sdk(s3, bucket):
    body = content(200000)
    put = s3.put_object(Bucket=bucket, Key="k", Body=body, SSECustomerAlgorithm="AES256", SSECustomerKey=KEY)
    assert put["SSECustomerAlgorithm"] == "AES256"
    got = s3.get_object(Bucket=bucket, Key="k", SSECustomerAlgorithm="AES256", SSECustomerKey=KEY)
    assert got["Body"].read() == body
    with refused("AccessDenied", 403):
        s3.get_object(Bucket=bucket, Key="k", SSECustomerAlgorithm="AES256", SSECustomerKey=OTHER)


def test_checksums_are_of_the_plain_bytes(raw, bucket):
    body = content(100000)
    answer = raw.call("PUT", bucket, "k", headers={**sse(), "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
                                                   "content-md5": base64.b64encode(hashlib.md5(body).digest()).decode()}, body=body)
    assert answer.status == 200
    answer = raw.call("PUT", bucket, "k2", headers={**sse(), "content-md5": base64.b64encode(bytes(16)).decode()}, body=body)
    assert (answer.status, answer.code) == (400, "BadDigest")


def test_overwrite_with_another_key(raw, bucket):
    for key in (KEY, OTHER, None, KEY):
        headers = sse(key) if key else {}
        assert raw.call("PUT", bucket, "k", headers=headers, body=b"v" * 5000).status == 200
        assert raw.call("GET", bucket, "k", headers=headers).body == b"v" * 5000


@pytest.mark.parametrize("size", [3000, 50000, 2 * MIB])
def test_nothing_plain_on_disk(new_store, size):
    """Neither the bytes nor the key can be found in the store's files."""
    store = new_store()
    s3 = store.client()
    s3.create_bucket(Bucket="sealed", CreateBucketConfiguration={"LocationConstraint": "x"})
    secret, mark = os.urandom(32), os.urandom(24).hex().encode()
    body = mark * (size // len(mark))
    s3.put_object(Bucket="sealed", Key="k", Body=body, SSECustomerAlgorithm="AES256", SSECustomerKey=secret)
    s3.put_object(Bucket="sealed", Key="plain", Body=body[::-1])
    assert store.stop() == 0
    found = set()
    for folder, _, names in os.walk(store.data):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                data = file.read()
            found |= {what for what, needle in (("bytes", mark), ("key", secret), ("key", base64.b64encode(secret)), ("control", mark[::-1]))
                      if needle in data}
    assert "control" in found or size <= 4096, "the search itself does not work"
    assert not found & {"bytes", "key"}
    store.start()
