"""Objects: bytes in, the same bytes out; keys, sizes, versions, and what is refused."""
import concurrent.futures
import hashlib
import http.client
import json
import random
import socket
import urllib.parse
import urllib.request

import pytest

from s3lib import Client, refused

MIB = 1 << 20


def content(size, seed=1):
    return random.Random(seed).randbytes(size)


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 65536, 100000, 262144, 262145, MIB - 1, MIB, MIB + 1, 4 * MIB, 5 * MIB + 3,
                                  20 * MIB])
def test_sizes(s3, bucket, size):
    body = content(size)
    etag = f'"{hashlib.md5(body).hexdigest()}"'
    assert s3.put_object(Bucket=bucket, Key="k", Body=body)["ETag"] == etag
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["ETag"] == etag and got["ContentLength"] == size and got["AcceptRanges"] == "bytes"
    assert got["ContentType"] == "binary/octet-stream"
    assert got["Body"].read() == body
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["ETag"] == etag and head["ContentLength"] == size and head["LastModified"] == got["LastModified"]


def test_overwrite(s3, bucket):
    for size in (10, 100000, 0, 5 * MIB, 4096, 20):
        body = content(size, size)
        s3.put_object(Bucket=bucket, Key="k", Body=body)
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


KEYS = ["a", "/", "//", "/lead", "trail/", "a//b", ".", "..", "a/../b", "a b", " lead", "trail ", "a+b", "100%", "%41", "a&b=c", "q?x=1", "#frag",
        "é", "日本語", "\U0001f600", "a\tb", "a\nb", "a\x01b", "<tag>", '"quoted"', "it's", "back\\slash", "a;b:c,d", "~tilde", "(1)*!",
        "x" * 1024, "é" * 512]


@pytest.mark.parametrize("key", KEYS, ids=lambda k: ascii(k[:20]))
def test_keys(s3, raw, bucket, key):
    body = key.encode()
    assert raw.call("PUT", bucket, key, body=body).status == 200
    assert raw.call("GET", bucket, key).body == body
    assert raw.call("HEAD", bucket, key).status == 200
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert raw.call("DELETE", bucket, key).status == 204
    assert raw.call("GET", bucket, key).code == "NoSuchKey"


@pytest.mark.parametrize("key", ["x" * 1025, "é" * 512 + "x"], ids=["ascii", "utf8"])
def test_long_keys(raw, bucket, key):
    for method in ("PUT", "GET", "DELETE"):
        answer = raw.call(method, bucket, key)
        assert (answer.status, answer.code) == (400, "KeyTooLongError"), answer
    assert raw.call("HEAD", bucket, key).status == 400


def test_nothing_there(s3, raw, bucket):
    with refused("NoSuchKey", 404) as r:
        s3.get_object(Bucket=bucket, Key="gone")
    assert r.error["Error"]["Key"] == "gone"
    with refused("404", 404):
        s3.head_object(Bucket=bucket, Key="gone")
    answer = raw.call("HEAD", bucket, "gone")
    assert answer.status == 404 and answer.body == b""
    with refused("NoSuchBucket", 404):
        s3.get_object(Bucket="no-such-bucket-here", Key="k")
    with refused("NoSuchBucket", 404):
        s3.put_object(Bucket="no-such-bucket-here", Key="k", Body=b"x")
    with refused("NoSuchBucket", 404):
        s3.delete_object(Bucket="no-such-bucket-here", Key="k")
    assert s3.delete_object(Bucket=bucket, Key="gone")["ResponseMetadata"]["HTTPStatusCode"] == 204


# ---- versions ----

def test_versions(s3, raw, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"null")
    answer = raw.call("GET", bucket, "k")
    assert "x-amz-version-id" not in answer.headers
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    one = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
    two = s3.put_object(Bucket=bucket, Key="k", Body=b"two")["VersionId"]
    assert one != two and one != "null"
    for version, body in (("null", b"null"), (one, b"one"), (two, b"two")):
        got = s3.get_object(Bucket=bucket, Key="k", VersionId=version)
        assert got["Body"].read() == body and got["VersionId"] == version
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == two

    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True
    answer = raw.call("GET", bucket, "k")
    assert (answer.status, answer.code) == (404, "NoSuchKey")
    assert answer.headers["x-amz-delete-marker"] == "true" and answer.headers["x-amz-version-id"] == marker["VersionId"]
    for method in ("GET", "HEAD"):
        answer = raw.call(method, bucket, "k", query={"versionId": marker["VersionId"]})
        assert answer.status == 405 and answer.code in ("MethodNotAllowed", None)
        assert answer.headers["x-amz-delete-marker"] == "true" and answer.headers["allow"] == "DELETE"
        assert "last-modified" in answer.headers
    assert s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])["DeleteMarker"] is True
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"two"
    gone = s3.delete_object(Bucket=bucket, Key="k", VersionId=two)
    assert gone["VersionId"] == two and "DeleteMarker" not in gone
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"one"
    with refused("NoSuchVersion", 404):
        s3.get_object(Bucket=bucket, Key="k", VersionId=two)

    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"null 2").get("VersionId", "null") == "null"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"null 2"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=one)["Body"].read() == b"one"


@pytest.mark.parametrize("version", ["", "x", "0" * 31, "0" * 33, "Z" * 32, "NULL"])
def test_bad_version_ids(raw, bucket, version):
    raw.call("PUT", bucket, "k", body=b"x")
    for method in ("GET", "DELETE"):
        answer = raw.call(method, bucket, "k", query={"versionId": version})
        assert (answer.status, answer.code) == (400, "InvalidArgument"), answer


# ---- lengths and framing ----

def signed(raw, method, bucket, key, **headers):
    """Path and signed headers, for requests that are sent by hand."""
    path = urllib.parse.quote(f"/{bucket}/{key}")
    headers = {n.replace("_", "-"): v for n, v in headers.items()}
    raw.sign(method, path, "", headers)
    return path, headers


def send(store, method, path, headers, body=b""):
    """One request exactly as given; the status, code and body of its answer."""
    with socket.create_connection((store.host, store.port), timeout=20) as s:
        s.sendall(f"{method} {path} HTTP/1.1\r\n".encode() + b"".join(f"{n}: {v}\r\n".encode() for n, v in headers.items()) + b"\r\n" + body)
        answer = http.client.HTTPResponse(s, method=method)
        answer.begin()
        return answer, answer.read()


def test_length_is_required(store, raw, bucket):
    answer, body = send(store, "PUT", *signed(raw, "PUT", bucket, "k"))
    assert answer.status == 411 and b"<Code>MissingContentLength</Code>" in body
    assert raw.call("HEAD", bucket, "k").status == 404


@pytest.mark.parametrize("size", [0, 1, 5000, 300000, 3 * MIB])
def test_chunked_without_length(store, raw, bucket, size):
    body = content(size)
    path, headers = signed(raw, "PUT", bucket, "k")
    headers["transfer-encoding"] = "chunked"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 70000]), body[i:i + 70000]) for i in range(0, size, 70000)) + b"0\r\n\r\n"
    answer, text = send(store, "PUT", path, headers, chunks)
    assert answer.status == 200, text
    assert raw.call("GET", bucket, "k").body == body


@pytest.mark.parametrize("length", [(5 << 30) + 1, 1 << 50])
def test_too_large(store, raw, bucket, length):
    """Refused by the announced length, before a byte of it is sent."""
    path, headers = signed(raw, "PUT", bucket, "k")
    answer, body = send(store, "PUT", path, {**headers, "content-length": str(length), "expect": "100-continue"})
    assert answer.status == 400 and b"<Code>EntityTooLarge</Code>" in body
    assert b"<MaxSizeAllowed>5368709120</MaxSizeAllowed>" in body and f"<ProposedSize>{length}</ProposedSize>".encode() in body


def first_line(s):
    line = b""
    while not line.endswith(b"\n"):
        byte = s.recv(1)
        if not byte:
            break
        line += byte
    return line


def test_continue(store, raw, bucket):
    """100 comes for an upload that may go on, and never for one that is refused."""
    path, headers = signed(raw, "PUT", bucket, "k", **{"if-none-match": "*"})
    headers.update({"content-length": "5", "expect": "100-continue"})
    head = f"PUT {path} HTTP/1.1\r\n".encode() + b"".join(f"{n}: {v}\r\n".encode() for n, v in headers.items()) + b"\r\n"
    with socket.create_connection((store.host, store.port), timeout=20) as s:
        s.sendall(head)
        assert first_line(s) == b"HTTP/1.1 100 Continue\r\n"
        assert first_line(s) == b"\r\n"
        s.sendall(b"hello")
        assert first_line(s) == b"HTTP/1.1 200 OK\r\n"
    with socket.create_connection((store.host, store.port), timeout=20) as s:
        s.sendall(head)
        assert first_line(s).startswith(b"HTTP/1.1 412 ")


def test_cut_upload_leaves_nothing(store, raw, bucket):
    path, headers = signed(raw, "PUT", bucket, "k")
    for sent in (0, 10, 100000, 2 * MIB):
        with socket.create_connection((store.host, store.port), timeout=20) as s:
            s.sendall(f"PUT {path} HTTP/1.1\r\n".encode() +
                      b"".join(f"{n}: {v}\r\n".encode() for n, v in {**headers, "content-length": str(3 * MIB)}.items()) +
                      b"\r\n" + b"x" * sent)
            s.shutdown(socket.SHUT_WR)
            assert first_line(s).startswith((b"HTTP/1.1 400 ", b""))
        assert raw.call("HEAD", bucket, "k").status == 404


# ---- many at once ----

def test_concurrent_overwrites(store, bucket):
    """Readers see one whole body or another, never a mixture."""
    bodies = {hashlib.md5(b).hexdigest(): b for b in (content(n, n) for n in (100, 5000, 300000, 2 * MIB))}

    def writer(seed):
        client = Client(store.host, store.port, store.key, store.secret)
        for body in list(bodies.values())[seed:] + list(bodies.values())[:seed]:
            assert client.call("PUT", bucket, "k", body=body).status == 200
        client.close()

    def reader(seed):
        client = Client(store.host, store.port, store.key, store.secret)
        for _ in range(20):
            answer = client.call("GET", bucket, "k")
            assert answer.status == 200 and answer.body == bodies[answer.headers["etag"].strip('"')]
        client.close()

    writer(0)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(writer, i) for i in range(4)] + [pool.submit(reader, i) for i in range(4)]:
            done.result()


def test_where_a_put_is_made(new_store, tmp_path):
    """What fits the index on a loop; what must wait for something begins anew on a worker, and nobody can tell the two apart."""
    store = new_store("--access-log", str(tmp_path / "log"))
    client, s3 = Client(store.host, store.port, store.key, store.secret), store.client()
    for bucket in ("plain", "versions", "rules", "capped"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "x"})
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_lifecycle_configuration(Bucket="rules", LifecycleConfiguration={"Rules": [
        {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 3}}]})
    cap = json.dumps({"bucketName": "capped", "settings": {"capacityCapBytes": "10000"}}).encode()
    urllib.request.urlopen(urllib.request.Request(store.control + "/v1/cwobject/bucket/settings", cap, method="PUT", headers={
        "authorization": f"Bearer {store.token}", "content-type": "application/json"})).close()
    cases = [("plain", 0, {}, 200, "loop"), ("plain", 4096, {}, 200, "loop"), ("plain", 4096, {"if-none-match": "*"}, 412, "loop"),
             ("plain", 4097, {}, 200, "worker"), ("versions", 100, {}, 200, "loop"), ("versions", 100, {}, 200, "loop"),
             ("rules", 100, {}, 200, "worker"), ("rules", 100, {}, 200, "loop"),		# its rules are kept then
             ("capped", 4096, {}, 200, "worker"), ("plain", 10, {"x-amz-checksum-crc32": "AAAAAA=="}, 400, "loop")]
    for n, (bucket, size, headers, status, _) in enumerate(cases):
        answer = client.call("PUT", bucket, "k", body=content(size, n), headers=headers)
        assert answer.status == status, (n, answer)
        assert ("x-amz-expiration" in answer.headers) == (bucket == "rules") and ("x-amz-version-id" in answer.headers) == (bucket == "versions")
        if status == 200:
            assert client.call("GET", bucket, "k").body == content(size, n)
    versions = s3.list_object_versions(Bucket="versions")["Versions"]
    assert len(versions) == 2 and s3.list_objects_v2(Bucket="plain")["KeyCount"] == 1
    puts = [line for line in (tmp_path / "log").read_text().splitlines() if " op=PutObject " in line]
    assert [line.rsplit("on=", 1)[1] for line in puts] == [where for *_, where in cases]


def test_kept_over_restart(new_store):
    store = new_store()
    s3 = store.client()
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "x"})
    bodies = {str(n): content(n, n) for n in (0, 100, 50000, 3 * MIB)}
    for key, body in bodies.items():
        s3.put_object(Bucket="kept", Key=key, Body=body, Metadata={"m": key})
    store.kill()
    store.start()
    s3 = store.client()
    for key, body in bodies.items():
        got = s3.get_object(Bucket="kept", Key=key)
        assert got["Body"].read() == body and got["Metadata"] == {"m": key}
