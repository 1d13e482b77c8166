"""RenameObject: what the source may be called, conditions on both ends, client tokens, and that nobody sees half of it."""
import threading
import time
import urllib.parse
import uuid

import pytest

from s3lib import Client
from uploads import PART, Upload, content, refused, sse


def rename(raw, bucket, source, key, **headers):
    headers = {n.replace("_", "-"): v for n, v in headers.items()}
    if source is not None:
        headers["x-amz-rename-source"] = source
    return raw.call("PUT", bucket, key, query={"renameObject": ""}, headers=headers)


def keys(s3, bucket):
    return [c["Key"] for c in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.mark.parametrize("size", [0, 100, 20000, 400000])
def test_everything_moves(s3, raw, bucket, size):
    body = content(size, size)
    s3.put_object(Bucket=bucket, Key="a", Body=body, Metadata={"m": "1"}, ContentType="text/x", Tagging="t=1", StorageClass="STANDARD_IA")
    before = s3.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    answer = rename(raw, bucket, "a", "b")
    assert answer.status == 200 and answer.body == b"", answer
    refused(raw.call("GET", bucket, "a"), 404, "NoSuchKey")
    after = s3.head_object(Bucket=bucket, Key="b", ChecksumMode="ENABLED")
    for field in before:
        if field != "ResponseMetadata":
            assert after[field] == before[field], field
    assert raw.call("GET", bucket, "b").body == body
    assert keys(s3, bucket) == ["b"]


def test_multipart_and_customer_key(raw, bucket):
    key, body = b"k" * 32, content(1, PART)
    upload = Upload(raw, bucket, "a", **sse(key))
    upload.put(1, body, **sse(key))
    upload.put(2, b"end", **sse(key))
    upload.complete()
    assert rename(raw, bucket, "a", "b").status == 200
    assert raw.call("GET", bucket, "b", headers=sse(key)).body == body + b"end"
    assert raw.call("GET", bucket, "b", query={"partNumber": 2}, headers=sse(key)).body == b"end"


def test_replaces(s3, raw, bucket):
    raw.call("PUT", bucket, "a", body=b"new")
    raw.call("PUT", bucket, "b", body=b"old")
    assert rename(raw, bucket, "a", "b").status == 200
    assert raw.call("GET", bucket, "b").body == b"new" and keys(s3, bucket) == ["b"]


@pytest.mark.parametrize("key", ["a", "a b+c", "dir/ä", "q?x=1&y", "per%41", "/lead", "a//b"])
@pytest.mark.parametrize("form", ["{k}", "/{k}", "/{b}/{k}", "{b}/{k}"])
def test_source_forms(raw, bucket, key, form):
    raw.call("PUT", bucket, key, body=b"x")
    answer = rename(raw, bucket, urllib.parse.quote(form.format(b=bucket, k=key)), "to")
    assert answer.status == 200, answer
    assert raw.call("GET", bucket, "to").status == 200
    assert raw.call("GET", bucket, key).status == 404


def test_literal_key_wins(raw, bucket):
    raw.call("PUT", bucket, f"{bucket}/k", body=b"literal")
    raw.call("PUT", bucket, "k", body=b"qualified")
    assert rename(raw, bucket, f"{bucket}/k", "to").status == 200
    assert raw.call("GET", bucket, "to").body == b"literal"
    assert rename(raw, bucket, f"{bucket}/k", "to").status == 200
    assert raw.call("GET", bucket, "to").body == b"qualified"


@pytest.mark.parametrize("source,status,code", [
    (None, 400, "InvalidRequest"), ("", 400, "InvalidRequest"), ("%zz", 400, "InvalidArgument"), ("/", 404, "NoSuchKey"),
    ("%ff", 400, "InvalidArgument"), ("none", 404, "NoSuchKey"), ("/none", 404, "NoSuchKey"), ("other-bucket/none", 404, "NoSuchKey"),
    ("k", 400, "InvalidRequest"), ("/k", 400, "InvalidRequest"), ("x" * 1025, 400, "InvalidArgument")])
def test_bad_sources(raw, bucket, source, status, code):
    raw.call("PUT", bucket, "k", body=b"x")
    refused(rename(raw, bucket, source, "k"), status, code)
    assert raw.call("GET", bucket, "k").body == b"x"


def test_versioned_buckets(s3, raw, bucket):
    raw.call("PUT", bucket, "a", body=b"x")
    for state in ("Enabled", "Suspended"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": state})
        refused(rename(raw, bucket, "a", "b"), 409, "InvalidBucketState")
    assert raw.call("GET", bucket, "a").body == b"x"


BEFORE = "Mon, 01 Jan 2001 00:00:00 GMT"
AFTER = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 86400))


@pytest.mark.parametrize("end", ["x-amz-rename-source-", ""])
@pytest.mark.parametrize("name,value,good", [
    ("if-match", "{etag}", True), ("if-match", "*", True), ("if-match", '"x"', False), ("if-none-match", "{etag}", False),
    ("if-none-match", "*", False), ("if-none-match", '"x"', True), ("if-modified-since", BEFORE, True), ("if-modified-since", "{after}", False),
    ("if-unmodified-since", "{after}", True), ("if-unmodified-since", BEFORE, False), ("if-modified-since", "junk", True)])
def test_conditions(raw, bucket, end, name, value, good):
    """On the source and on the destination, where an object is."""
    etags = {"x-amz-rename-source-": raw.call("PUT", bucket, "a", body=b"source").headers["etag"],
             "": raw.call("PUT", bucket, "b", body=b"destination").headers["etag"]}
    answer = rename(raw, bucket, "a", "b", **{end + name: value.format(etag=etags[end], after=AFTER)})
    if (end, name) == ("", "if-none-match") and value != "*":
        refused(answer, 400, "InvalidRequest")      # as of every write: it would pass for a promise not to replace anything
    elif good:
        assert answer.status == 200, answer
        assert raw.call("GET", bucket, "b").body == b"source"
    else:
        refused(answer, 412, "PreconditionFailed")
        assert raw.call("GET", bucket, "a").body == b"source" and raw.call("GET", bucket, "b").body == b"destination"


def test_conditions_on_absent_destination(raw, bucket):
    raw.call("PUT", bucket, "a", body=b"x")
    refused(rename(raw, bucket, "a", "b", if_match="*"), 404, "NoSuchKey")
    assert rename(raw, bucket, "a", "b", if_none_match="*").status == 200


# ---- client tokens ----

def test_token(raw, bucket):
    token = str(uuid.uuid4())
    raw.call("PUT", bucket, "a", body=b"1")
    assert rename(raw, bucket, "a", "b", x_amz_client_token=token).status == 200
    assert rename(raw, bucket, "a", "b", x_amz_client_token=token).status == 200
    assert rename(raw, bucket, f"/{bucket}/a", "b", x_amz_client_token=token).status == 200
    raw.call("PUT", bucket, "a", body=b"2")
    assert rename(raw, bucket, "a", "b", x_amz_client_token=token).status == 200
    assert raw.call("GET", bucket, "a").body == b"2" and raw.call("GET", bucket, "b").body == b"1", "renamed twice"
    refused(rename(raw, bucket, "a", "c", x_amz_client_token=token), 400, "IdempotencyParameterMismatch")
    refused(rename(raw, bucket, "b", "a", x_amz_client_token=token), 400, "IdempotencyParameterMismatch")
    assert rename(raw, bucket, "a", "b", x_amz_client_token=token + "x").status == 200
    assert raw.call("GET", bucket, "b").body == b"2"


def test_token_of_a_refused_rename_is_free(raw, bucket):
    refused(rename(raw, bucket, "a", "b", x_amz_client_token="t"), 404, "NoSuchKey")
    raw.call("PUT", bucket, "a", body=b"1")
    assert rename(raw, bucket, "a", "b", x_amz_client_token="t").status == 200
    assert raw.call("GET", bucket, "b").body == b"1"


@pytest.mark.parametrize("token", ["", "x" * 65, "with space"])
def test_bad_tokens(raw, bucket, token):
    raw.call("PUT", bucket, "a", body=b"1")
    refused(rename(raw, bucket, "a", "b", x_amz_client_token=token), 400, "InvalidArgument")


# ---- races ----

def test_exactly_one_name_is_seen(store, raw, bucket):
    """A lister, at any moment of a rename to and fro, finds the object under one name: never both, never neither."""
    raw.call("PUT", bucket, "a", body=b"x" * 20000)
    over, seen, faults = threading.Event(), set(), []

    def look():
        client = Client(store.host, store.port, store.key, store.secret)
        while not over.is_set():
            body = client.call("GET", bucket, query={"list-type": 2}).body
            names = (b"<Key>a</Key>" in body, b"<Key>b</Key>" in body)
            seen.add(names)
            if names[0] == names[1]:
                faults.append(body)
        client.close()
    watchers = [threading.Thread(target=look) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    try:
        for _ in range(60):
            assert rename(raw, bucket, "a", "b").status == 200
            assert rename(raw, bucket, "b", "a").status == 200
    finally:
        over.set()
        for watcher in watchers:
            watcher.join()
    assert not faults, faults[0]
    assert seen == {(True, False), (False, True)}


def test_sdk(s3, bucket):
    """SDKs send a token by themselves."""
    if not hasattr(s3, "rename_object"):
        pytest.skip("this boto3 has no rename_object")
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    s3.rename_object(Bucket=bucket, Key="b", RenameSource=f"/{bucket}/a")
    assert keys(s3, bucket) == ["b"]
