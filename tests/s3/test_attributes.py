"""GetObjectAttributes: each attribute, the pages of parts, versions, keys and errors."""
import base64
import hashlib

import pytest

from uploads import PART, Upload, content, etag_of, md5, refused, sse, text, texts, xml, NS

ALL = "ETag,Checksum,ObjectParts,StorageClass,ObjectSize"


def attributes(raw, bucket, key, names=ALL, query=None, **headers):
    headers = {n.replace("_", "-"): str(v) for n, v in headers.items()}
    return raw.call("GET", bucket, key, query={"attributes": "", **(query or {})}, headers={"x-amz-object-attributes": names, **headers})


def test_single(s3, raw, bucket):
    body = content(1, 5000)
    put = raw.call("PUT", bucket, "k", body=body, headers={"x-amz-storage-class": "STANDARD_IA"})
    answer = attributes(raw, bucket, "k")
    assert answer.status == 200 and answer.headers["last-modified"], answer
    assert [text(answer, n) for n in ("ETag", "ObjectSize", "StorageClass", "ChecksumType")] == [md5(body), "5000", "STANDARD_IA", "FULL_OBJECT"]
    assert text(answer, "ChecksumCRC64NVME") == put.headers["x-amz-checksum-crc64nvme"]
    assert text(answer, "ObjectParts") is None
    got = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ETag", "ObjectSize"])
    assert (got["ETag"], got["ObjectSize"]) == (md5(body), 5000) and "Checksum" not in got and "StorageClass" not in got


@pytest.fixture
def five(raw, bucket):
    """Five parts with a composite SHA-256."""
    upload = Upload(raw, bucket, "k", x_amz_checksum_algorithm="SHA256")
    bodies = [content(n, PART + n if n < 4 else 10) for n in range(5)]
    shas = [base64.b64encode(hashlib.sha256(b).digest()).decode() for b in bodies]
    for n, (body, sha) in enumerate(zip(bodies, shas), 1):
        assert upload.put(n, body, x_amz_checksum_sha256=sha).status == 200
        upload.sums[n] = f"<ChecksumSHA256>{sha}</ChecksumSHA256>"
    done = upload.complete()
    assert done.status == 200, done
    return bodies, shas, text(done, "ChecksumSHA256")


def test_parts(s3, raw, bucket, five):
    bodies, shas, whole = five
    answer = attributes(raw, bucket, "k")
    assert text(answer, "ETag") == etag_of(*bodies)
    checksum = xml.fromstring(answer.body).find(NS + "Checksum")
    assert checksum.findtext(NS + "ChecksumSHA256") + "-5" == whole and checksum.findtext(NS + "ChecksumType") == "COMPOSITE"
    parts = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"])["ObjectParts"]
    assert (parts["TotalPartsCount"], parts["IsTruncated"], parts["MaxParts"], parts["PartNumberMarker"]) == (5, False, 1000, 0)
    assert [(p["PartNumber"], p["Size"], p["ChecksumSHA256"]) for p in parts["Parts"]] == \
        [(n, len(b), s) for n, (b, s) in enumerate(zip(bodies, shas), 1)]
    for size in (1, 2, 4, 5):
        numbers, marker = [], 0
        while marker is not None:
            page = attributes(raw, bucket, "k", "ObjectParts", x_amz_max_parts=size, x_amz_part_number_marker=marker)
            got = [int(n) for n in texts(page, "PartNumber")]
            assert len(got) <= size and text(page, "MaxParts") == str(size) and text(page, "PartNumberMarker") == str(marker)
            numbers += got
            marker = int(text(page, "NextPartNumberMarker")) if text(page, "IsTruncated") == "true" else None
        assert numbers == [1, 2, 3, 4, 5]
    page = attributes(raw, bucket, "k", "ObjectParts", x_amz_max_parts=0)
    assert texts(page, "PartNumber") == [] and text(page, "PartsCount") == "5"


def test_copies_have_the_parts_too(s3, raw, bucket, five):
    import uuid
    other = "t-" + uuid.uuid4().hex[:20]
    s3.create_bucket(Bucket=other, CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    for to in (bucket, other):
        raw.call("PUT", to, "c", headers={"x-amz-copy-source": f"{bucket}/k"})
    raw.call("DELETE", bucket, "k")
    for to in (bucket, other):
        answer = attributes(raw, to, "c", "ObjectParts")
        assert texts(answer, "PartNumber") == ["1", "2", "3", "4", "5"] and texts(answer, "ChecksumSHA256") == five[1], answer
    raw.call("DELETE", other, "c")
    raw.call("DELETE", other)


@pytest.mark.parametrize("names,code", [("", "InvalidRequest"), ("ETag,Colour", "InvalidArgument"), ("etag", "InvalidArgument"),
                                        ("ETag,", "InvalidArgument")])
def test_bad_names(raw, bucket, names, code):
    raw.call("PUT", bucket, "k", body=b"x")
    refused(attributes(raw, bucket, "k", names), 400, code)


def test_no_names(raw, bucket):
    raw.call("PUT", bucket, "k", body=b"x")
    refused(raw.call("GET", bucket, "k", query={"attributes": ""}), 400, "InvalidRequest")


@pytest.mark.parametrize("header", ["x_amz_max_parts", "x_amz_part_number_marker"])
@pytest.mark.parametrize("value", ["-1", "x", "99999999999", "1.5"])
def test_bad_numbers(raw, bucket, header, value):
    raw.call("PUT", bucket, "k", body=b"x")
    refused(attributes(raw, bucket, "k", **{header: value}), 400, "InvalidArgument")


def test_versions(s3, raw, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = raw.call("PUT", bucket, "k", body=b"old").headers["x-amz-version-id"]
    new = raw.call("PUT", bucket, "k", body=b"newer").headers["x-amz-version-id"]
    answer = attributes(raw, bucket, "k")
    assert (text(answer, "ObjectSize"), answer.headers["x-amz-version-id"]) == ("5", new)
    answer = attributes(raw, bucket, "k", query={"versionId": old})
    assert (text(answer, "ObjectSize"), answer.headers["x-amz-version-id"]) == ("3", old)
    marker = raw.call("DELETE", bucket, "k").headers["x-amz-version-id"]
    answer = refused(attributes(raw, bucket, "k"), 404, "NoSuchKey")
    assert answer.headers["x-amz-delete-marker"] == "true"
    refused(attributes(raw, bucket, "k", query={"versionId": marker}), 405, "MethodNotAllowed")
    refused(attributes(raw, bucket, "k", query={"versionId": "0" * 32}), 404, "NoSuchVersion")
    refused(attributes(raw, bucket, "none"), 404, "NoSuchKey")


def test_sse_c(raw, bucket):
    key, other = b"k" * 32, b"o" * 32
    raw.call("PUT", bucket, "k", body=b"x" * 70000, headers=sse(key))
    assert text(attributes(raw, bucket, "k", **sse(key)), "ObjectSize") == "70000"
    refused(attributes(raw, bucket, "k"), 400, "InvalidRequest")
    refused(attributes(raw, bucket, "k", **sse(other)), 403, "AccessDenied")
