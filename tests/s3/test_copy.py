"""Copies: directives, conditions, versions, keys; bytes shared where they can be and read where they must."""
import base64
import hashlib
import time
import urllib.parse

import pytest

from uploads import MIB, PART, Upload, content, etag_of, md5, refused, sse, text

SIZES = [0, 1, 5000, 70000, 300000, 3 * MIB + 5]


def copy(raw, bucket, key, source, **headers):
    return raw.call("PUT", bucket, key, headers={"x-amz-copy-source": source, **{n.replace("_", "-"): v for n, v in headers.items()}})


@pytest.fixture
def other(s3):
    import uuid
    from conftest import empty
    name = "t-" + uuid.uuid4().hex[:20]
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "US-TEST-02A"})
    yield name
    empty(s3, name)
    s3.delete_bucket(Bucket=name)


@pytest.mark.parametrize("size", SIZES)
def test_sizes(raw, bucket, other, size):
    """Into the same bucket and another; the source may go, the copies stay."""
    body = content(size, size)
    raw.call("PUT", bucket, "s", body=body)
    for to in (bucket, other):
        answer = copy(raw, to, "c", f"/{bucket}/s")
        assert answer.status == 200 and text(answer, "ETag") == f'"{md5(body)}"', answer
        assert text(answer, "LastModified").endswith("Z")
    assert copy(raw, bucket, "cc", f"{other}/c").status == 200
    assert raw.call("DELETE", bucket, "s").status == 204
    for to, key in ((bucket, "c"), (other, "c"), (bucket, "cc")):
        got = raw.call("GET", to, key)
        assert got.status == 200 and got.body == body and got.headers["etag"] == f'"{md5(body)}"'
    assert raw.call("DELETE", other, "c").status == 204
    assert raw.call("GET", bucket, "cc").body == body


def test_odd_keys(raw, bucket):
    for key in ("a b", "a+b", "ä/ö", "q?versionId=x", "per%cent", "a//b", "&<>\"'"):
        raw.call("PUT", bucket, key, body=key.encode())
        answer = copy(raw, bucket, "to " + key, urllib.parse.quote(f"/{bucket}/{key}"))
        assert answer.status == 200, (key, answer)
        assert raw.call("GET", bucket, "to " + key).body == key.encode()


@pytest.mark.parametrize("source,status,code", [
    ("{b}/none", 404, "NoSuchKey"), ("t-none-such/k", 404, "NoSuchBucket"), ("{b}", 400, "InvalidArgument"), ("{b}/", 400, "InvalidArgument"),
    ("/", 400, "InvalidArgument"), ("{b}/s?versionId=junk", 400, "InvalidArgument"), ("{b}/s%zz", 400, "InvalidArgument"),
    ("{b}/s?versionId=" + "0" * 32, 404, "NoSuchVersion")])
def test_bad_sources(raw, bucket, source, status, code):
    raw.call("PUT", bucket, "s", body=b"x")
    refused(copy(raw, bucket, "c", source.format(b=bucket)), status, code)


def test_metadata_directive(s3, bucket):
    s3.put_object(Bucket=bucket, Key="s", Body=b"x", ContentType="text/a", Metadata={"a": "1"}, CacheControl="max-age=1", Tagging="t=1",
                  WebsiteRedirectLocation="/old", StorageClass="STANDARD_IA")
    source = {"Bucket": bucket, "Key": "s"}
    s3.copy_object(Bucket=bucket, Key="c", CopySource=source, ContentType="text/ignored", Metadata={"ignored": "1"})
    got = s3.head_object(Bucket=bucket, Key="c")
    assert (got["ContentType"], got["Metadata"], got["CacheControl"]) == ("text/a", {"a": "1"}, "max-age=1")
    assert "WebsiteRedirectLocation" not in got and "StorageClass" not in got
    s3.copy_object(Bucket=bucket, Key="r", CopySource=source, MetadataDirective="REPLACE", ContentType="text/b", Metadata={"b": "2"})
    got = s3.head_object(Bucket=bucket, Key="r")
    assert (got["ContentType"], got["Metadata"]) == ("text/b", {"b": "2"}) and "CacheControl" not in got
    s3.copy_object(Bucket=bucket, Key="i", CopySource=source, StorageClass="STANDARD_IA", WebsiteRedirectLocation="/new")
    got = s3.head_object(Bucket=bucket, Key="i")
    assert (got["StorageClass"], got["WebsiteRedirectLocation"], got["ContentType"]) == ("STANDARD_IA", "/new", "text/a")


def test_tagging_directive(s3, bucket):
    def tags(key):
        return {t["Key"]: t["Value"] for t in s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]}
    s3.put_object(Bucket=bucket, Key="s", Body=b"x", Tagging="t=1")
    source = {"Bucket": bucket, "Key": "s"}
    s3.copy_object(Bucket=bucket, Key="c", CopySource=source)
    s3.copy_object(Bucket=bucket, Key="r", CopySource=source, TaggingDirective="REPLACE", Tagging="u=2")
    s3.copy_object(Bucket=bucket, Key="n", CopySource=source, TaggingDirective="REPLACE")
    assert (tags("c"), tags("r"), tags("n")) == ({"t": "1"}, {"u": "2"}, {})


@pytest.mark.parametrize("name", ["x-amz-metadata-directive", "x-amz-tagging-directive"])
def test_unknown_directive(raw, bucket, name):
    raw.call("PUT", bucket, "s", body=b"x")
    refused(copy(raw, bucket, "c", f"{bucket}/s", **{name: "MOVE"}), 400, "InvalidArgument")


@pytest.mark.parametrize("header,value,status,code", [
    ("x-amz-acl", "public-read", 400, "AccessControlListNotSupported"), ("x-amz-server-side-encryption", "AES256", 501, "NotImplemented"),
    ("x-amz-storage-class", "GLACIER", 400, "InvalidStorageClass"), ("x-amz-checksum-algorithm", "MD4", 400, "InvalidRequest")])
def test_refused_headers(raw, bucket, header, value, status, code):
    raw.call("PUT", bucket, "s", body=b"x")
    refused(copy(raw, bucket, "c", f"{bucket}/s", **{header: value}), status, code)


def test_onto_itself(s3, raw, bucket):
    raw.call("PUT", bucket, "k", body=b"body", headers={"content-type": "text/a", "x-amz-meta-a": "1"})
    refused(copy(raw, bucket, "k", f"{bucket}/k"), 400, "InvalidRequest")
    refused(copy(raw, bucket, "k", f"{bucket}/k", x_amz_storage_class="STANDARD"), 400, "InvalidRequest")
    for change in ({"x-amz-metadata-directive": "REPLACE", "x-amz-meta-b": "2"}, {"x-amz-storage-class": "STANDARD_IA"},
                   {"x-amz-website-redirect-location": "/x"}, {"x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "a=b"},
                   {"x-amz-checksum-algorithm": "SHA256"}):
        answer = copy(raw, bucket, "k", f"{bucket}/k", **change)
        assert answer.status == 200, (change, answer)
        assert raw.call("GET", bucket, "k").body == b"body"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = raw.call("PUT", bucket, "k", body=b"newer").headers.get("x-amz-version-id")
    raw.call("PUT", bucket, "k", body=b"newest")
    assert copy(raw, bucket, "k", f"{bucket}/k?versionId={old}").status == 200
    assert raw.call("GET", bucket, "k").body == b"newer"


def test_versions(s3, raw, bucket):
    raw.call("PUT", bucket, "k", body=b"null")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    one = raw.call("PUT", bucket, "k", body=b"one").headers["x-amz-version-id"]
    two = raw.call("PUT", bucket, "k", body=b"two").headers["x-amz-version-id"]
    for id, body in ((one, b"one"), (two, b"two"), ("null", b"null")):
        answer = copy(raw, bucket, "c", f"{bucket}/k?versionId={id}")
        assert answer.headers["x-amz-copy-source-version-id"] == id
        assert answer.headers["x-amz-version-id"] not in (None, id)
        assert raw.call("GET", bucket, "c").body == body
    marker = raw.call("DELETE", bucket, "k").headers["x-amz-version-id"]
    refused(copy(raw, bucket, "c", f"{bucket}/k"), 404, "NoSuchKey")
    refused(copy(raw, bucket, "c", f"{bucket}/k?versionId={marker}"), 400, "InvalidRequest")
    assert copy(raw, bucket, "c", f"{bucket}/k?versionId={one}").status == 200


def test_source_conditions(raw, bucket):
    etag = raw.call("PUT", bucket, "s", body=b"x").headers["etag"]
    name = "x-amz-copy-source-if-"
    before, after = ("Mon, 01 Jan 2001 00:00:00 GMT", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 86400)))
    for headers, good in (({"match": etag}, True), ({"match": "*"}, True), ({"match": '"x"'}, False), ({"none-match": etag}, False),
                          ({"none-match": '"x"'}, True), ({"modified-since": before}, True), ({"modified-since": after}, False),
                          ({"unmodified-since": after}, True), ({"unmodified-since": before}, False),
                          ({"match": etag, "unmodified-since": before}, True), ({"none-match": etag, "modified-since": before}, False)):
        answer = copy(raw, bucket, "c", f"{bucket}/s", **{name + n: v for n, v in headers.items()})
        if good:
            assert answer.status == 200, (headers, answer)
        else:
            refused(answer, 412, "PreconditionFailed")


def test_destination_conditions(raw, bucket):
    raw.call("PUT", bucket, "s", body=b"s")
    refused(copy(raw, bucket, "d", f"{bucket}/s", if_match="*"), 404, "NoSuchKey")
    assert copy(raw, bucket, "d", f"{bucket}/s", if_none_match="*").status == 200
    refused(copy(raw, bucket, "d", f"{bucket}/s", if_none_match="*"), 412, "PreconditionFailed")
    refused(copy(raw, bucket, "d", f"{bucket}/s", if_match='"x"'), 412, "PreconditionFailed")
    refused(copy(raw, bucket, "d", f"{bucket}/s", if_none_match='"x"'), 400, "InvalidRequest")
    assert copy(raw, bucket, "d", f"{bucket}/s", if_match=f'"{md5(b"s")}"').status == 200


def test_multipart_source(raw, bucket, other):
    """The copy keeps parts and ETag; a copy of it, in another bucket, too."""
    bodies = (content(1, PART), content(2, 1000))
    upload = Upload(raw, bucket, "s")
    for n, body in enumerate(bodies, 1):
        upload.put(n, body)
    upload.complete()
    answer = copy(raw, other, "c", f"{bucket}/s")
    assert text(answer, "ETag") == f'"{etag_of(*bodies)}"'
    assert copy(raw, bucket, "cc", f"{other}/c").status == 200
    raw.call("DELETE", bucket, "s")
    for to, key in ((other, "c"), (bucket, "cc")):
        assert raw.call("GET", to, key).body == b"".join(bodies)
        part = raw.call("GET", to, key, query={"partNumber": 2})
        assert part.status == 206 and part.body == bodies[1] and part.headers["x-amz-mp-parts-count"] == "2"


def test_checksums(raw, bucket):
    body = content(3, 300000)
    sha = base64.b64encode(hashlib.sha256(body).digest()).decode()
    put = raw.call("PUT", bucket, "s", body=body)
    answer = copy(raw, bucket, "kept", f"{bucket}/s")
    assert text(answer, "ChecksumCRC64NVME") == put.headers["x-amz-checksum-crc64nvme"]
    answer = copy(raw, bucket, "made", f"{bucket}/s", x_amz_checksum_algorithm="SHA256")
    assert (text(answer, "ChecksumSHA256"), text(answer, "ChecksumType")) == (sha, "FULL_OBJECT")
    head = raw.call("HEAD", bucket, "made", headers={"x-amz-checksum-mode": "ENABLED"})
    assert head.headers["x-amz-checksum-sha256"] == sha
    again = copy(raw, bucket, "again", f"{bucket}/made")
    assert text(again, "ChecksumSHA256") == sha


def test_composite_becomes_full(raw, bucket):
    bodies = (content(1, PART), content(2, 1000))
    upload = Upload(raw, bucket, "s")
    for n, body in enumerate(bodies, 1):
        upload.put(n, body)
    upload.complete()
    answer = copy(raw, bucket, "c", f"{bucket}/s", x_amz_checksum_algorithm="SHA1")
    assert text(answer, "ChecksumSHA1") == base64.b64encode(hashlib.sha1(b"".join(bodies)).digest()).decode()
    assert raw.call("GET", bucket, "c").body == b"".join(bodies)


# ---- customer keys ----

ONE, TWO = b"1" * 32, b"2" * 32


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("old,new", [(None, ONE), (ONE, None), (ONE, TWO), (ONE, ONE)])
def test_sse_c(raw, bucket, size, old, new):
    body = content(size, size)
    raw.call("PUT", bucket, "s", body=body, headers=sse(old) if old else {})
    headers = {**(sse(old, "copy-source-") if old else {}), **(sse(new) if new else {})}
    answer = copy(raw, bucket, "c", f"{bucket}/s", **headers)
    assert answer.status == 200 and answer.code is None, answer
    assert ("x-amz-server-side-encryption-customer-algorithm" in answer.headers) == bool(new)
    raw.call("DELETE", bucket, "s")
    got = raw.call("GET", bucket, "c", headers=sse(new) if new else {})
    assert got.status == 200 and got.body == body and got.headers["etag"] == text(answer, "ETag")
    assert (got.headers["etag"] == f'"{md5(body)}"') == (new is None)
    if size > 100:
        got = raw.call("GET", bucket, "c", headers={**(sse(new) if new else {}), "range": f"bytes={size // 2}-{size // 2 + 9}"})
        assert got.body == body[size // 2:size // 2 + 10]


def test_sse_c_keys(raw, bucket):
    raw.call("PUT", bucket, "s", body=b"x", headers=sse(ONE))
    raw.call("PUT", bucket, "p", body=b"x")
    refused(copy(raw, bucket, "c", f"{bucket}/s"), 400, "InvalidRequest")
    refused(copy(raw, bucket, "c", f"{bucket}/s", **sse(TWO, "copy-source-")), 403, "AccessDenied")
    refused(copy(raw, bucket, "c", f"{bucket}/p", **sse(TWO, "copy-source-")), 400, "InvalidRequest")
    refused(copy(raw, bucket, "c", f"{bucket}/s", **sse(b"short", "copy-source-")), 400, "InvalidArgument")


def test_sse_c_multipart_source(raw, bucket):
    bodies = (content(1, PART + 3), content(2, 70000))
    upload = Upload(raw, bucket, "s", **sse(ONE))
    for n, body in enumerate(bodies, 1):
        upload.put(n, body, **sse(ONE))
    upload.complete()
    whole = b"".join(bodies)
    assert copy(raw, bucket, "same", f"{bucket}/s", **sse(ONE, "copy-source-"), **sse(ONE)).status == 200
    assert raw.call("GET", bucket, "same", headers=sse(ONE)).body == whole
    assert copy(raw, bucket, "other", f"{bucket}/s", **sse(ONE, "copy-source-"), **sse(TWO)).status == 200
    assert raw.call("GET", bucket, "other", headers=sse(TWO)).body == whole
    answer = copy(raw, bucket, "plain", f"{bucket}/s", **sse(ONE, "copy-source-"))
    assert text(answer, "ETag") == f'"{md5(whole)}"'
    assert raw.call("GET", bucket, "plain").body == whole


def test_rekey_onto_itself(raw, bucket):
    raw.call("PUT", bucket, "k", body=b"body" * 10000, headers=sse(ONE))
    assert copy(raw, bucket, "k", f"{bucket}/k", **sse(ONE, "copy-source-"), **sse(TWO)).status == 200
    assert raw.call("GET", bucket, "k", headers=sse(TWO)).body == b"body" * 10000
    refused(raw.call("GET", bucket, "k", headers=sse(ONE)), 403, "AccessDenied")


# ---- UploadPartCopy ----

def test_part_copy(raw, bucket, other):
    """Whole, ranges, of single and multipart sources, small and large, from another bucket; then the sources go."""
    big, small = content(1, 12 * MIB), content(2, 3000)
    raw.call("PUT", other, "big", body=big)
    raw.call("PUT", bucket, "small", body=small)
    first = Upload(raw, bucket, "first")
    for n, span in ((1, None), (2, f"bytes=0-{PART - 1}"), (3, f"bytes={6 * MIB + 1}-{12 * MIB - 1}")):
        answer = first.copy(n, f"{other}/big", span)
        assert answer.status == 200 and answer.code is None, answer
    assert text(answer, "ETag") == f'"{md5(big[6 * MIB + 1:])}"'
    assert first.copy(4, f"/{bucket}/small", "bytes=10-2009").status == 200
    assert first.complete().status == 200
    whole = big + big[:PART] + big[6 * MIB + 1:] + small[10:2010]
    assert raw.call("GET", bucket, "first").body == whole
    second = Upload(raw, bucket, "second")
    second.copy(1, f"{bucket}/first", f"bytes={MIB}-{len(whole) - 7}")
    second.put(2, b"tail")
    assert second.complete().status == 200
    for b, key in ((other, "big"), (bucket, "small"), (bucket, "first")):
        raw.call("DELETE", b, key)
    got = raw.call("GET", bucket, "second")
    assert got.body == whole[MIB:-6] + b"tail" and got.headers["etag"] == f'"{etag_of(whole[MIB:-6], b"tail")}"'


def test_part_copy_of_nothing(raw, bucket):
    raw.call("PUT", bucket, "s", body=b"")
    upload = Upload(raw, bucket, "k")
    assert upload.copy(1, f"{bucket}/s").status == 200
    assert upload.complete().status == 200
    assert raw.call("GET", bucket, "k").body == b""


@pytest.mark.parametrize("span,status,code", [
    ("bytes=0-100", 400, "InvalidArgument"), ("bytes=100-200", 400, "InvalidArgument"), ("bytes=5-", 400, "InvalidArgument"),
    ("bytes=-5", 400, "InvalidArgument"), ("0-5", 400, "InvalidArgument"), ("bytes=5-2", 400, "InvalidArgument")])
def test_part_copy_ranges(raw, bucket, span, status, code):
    raw.call("PUT", bucket, "s", body=bytes(100))
    refused(Upload(raw, bucket, "k").copy(1, f"{bucket}/s", span), status, code)


def test_part_copy_refused(raw, bucket):
    etag = raw.call("PUT", bucket, "s", body=b"x").headers["etag"]
    upload = Upload(raw, bucket, "k")
    refused(upload.copy(0, f"{bucket}/s"), 400, "InvalidArgument")
    refused(upload.copy(1, f"{bucket}/none"), 404, "NoSuchKey")
    refused(upload.copy(1, f"{bucket}/s", x_amz_copy_source_if_none_match=etag), 412, "PreconditionFailed")
    refused(upload.copy(1, f"{bucket}/s", **sse(ONE, "copy-source-")), 400, "InvalidRequest")
    upload.id = "0" * 32
    refused(upload.copy(1, f"{bucket}/s"), 404, "NoSuchUpload")


@pytest.mark.parametrize("old,new", [(None, ONE), (ONE, None), (ONE, TWO), (ONE, ONE)])
def test_part_copy_sse_c(raw, bucket, old, new):
    body = content(4, PART + 200000)
    raw.call("PUT", bucket, "s", body=body, headers=sse(old) if old else {})
    upload = Upload(raw, bucket, "k", **(sse(new) if new else {}))
    keys = {**(sse(old, "copy-source-") if old else {}), **(sse(new) if new else {})}
    for n, span in ((1, None), (2, "bytes=65000-199999")):
        answer = upload.copy(n, f"{bucket}/s", span, **keys)
        assert answer.status == 200 and answer.code is None, answer
    assert upload.complete().status == 200
    assert raw.call("GET", bucket, "k", headers=sse(new) if new else {}).body == body + body[65000:200000]


def test_part_copy_checksums(raw, bucket):
    body = content(5, PART)
    raw.call("PUT", bucket, "s", body=body)
    upload = Upload(raw, bucket, "k", x_amz_checksum_algorithm="SHA256")
    sha = base64.b64encode(hashlib.sha256(body).digest()).decode()
    answer = upload.copy(1, f"{bucket}/s")
    assert text(answer, "ChecksumSHA256") == sha, answer
    done = upload.complete(more=f"<ChecksumSHA256>{sha}</ChecksumSHA256>")
    assert text(done, "ChecksumSHA256").endswith("-1"), done


def test_sdk_multipart_copy(s3, bucket):
    from boto3.s3.transfer import TransferConfig
    body = content(6, 20 * MIB + 1)
    s3.put_object(Bucket=bucket, Key="s", Body=body)
    s3.copy({"Bucket": bucket, "Key": "s"}, bucket, "c", Config=TransferConfig(multipart_threshold=PART, multipart_chunksize=6 * MIB))
    got = s3.get_object(Bucket=bucket, Key="c")
    assert got["Body"].read() == body and got["ETag"].endswith('-4"')
