"""What an error says beside its code: the elements that clients read, with Amazon's names, and the limit in the message; and what is refused where."""
import re

import pytest

from s3lib import refused

SIZE = 100


@pytest.fixture(scope="module")
def made(store):
    s3, name = store.client(), "error-elements"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    s3.put_object(Bucket=name, Key="k", Body=bytes(range(SIZE)))
    return name


COPY = {"x-amz-copy-source": "error-elements/k"}
ARGUMENT = lambda name, value: {"ArgumentName": name, "ArgumentValue": value}

# method, key, query, headers -> status, code, elements
ERRORS = [
    ("GET", "none", {}, {}, 404, "NoSuchKey", {"Key": "none"}),
    ("GET", "", {"policy": ""}, {}, 404, "NoSuchBucketPolicy", {"BucketName": "error-elements"}),
    ("GET", "", {"cors": ""}, {}, 404, "NoSuchCORSConfiguration", {"BucketName": "error-elements"}),
    ("GET", "", {"lifecycle": ""}, {}, 404, "NoSuchLifecycleConfiguration", {"BucketName": "error-elements"}),
    ("DELETE", "", {}, {}, 409, "BucketNotEmpty", {"BucketName": "error-elements"}),
    ("GET", "k", {}, {"if-match": '"x"'}, 412, "PreconditionFailed", {"Condition": "If-Match"}),
    ("GET", "k", {}, {"if-unmodified-since": "Mon, 01 Jan 2001 00:00:00 GMT"}, 412, "PreconditionFailed", {"Condition": "If-Unmodified-Since"}),
    ("PUT", "k", {}, {"if-none-match": "*"}, 412, "PreconditionFailed", {"Condition": "If-None-Match"}),
    ("PUT", "c", {}, {**COPY, "x-amz-copy-source-if-none-match": "*"}, 412, "PreconditionFailed", {"Condition": "x-amz-copy-source-If-None-Match"}),
    ("PUT", "k", {}, {"if-match": "*", "if-none-match": "*"}, 501, "NotImplemented", {}),
    ("GET", "k", {"versionId": "junk"}, {}, 400, "InvalidArgument", ARGUMENT("versionId", "junk")),
    ("GET", "k", {"versionId": ""}, {}, 400, "InvalidArgument", ARGUMENT("versionId", "")),
    ("GET", "k", {"versionId": "0" * 32}, {}, 404, "NoSuchVersion", {"Key": "k", "VersionId": "0" * 32}),
    ("GET", "k", {"partNumber": "0"}, {}, 400, "InvalidArgument", ARGUMENT("partNumber", "0")),
    ("GET", "k", {"partNumber": "2"}, {}, 416, "InvalidPartNumber", {"PartNumberRequested": "2", "ActualPartCount": "1"}),
    ("GET", "k", {}, {"range": f"bytes={SIZE}-"}, 416, "InvalidRange", {"RangeRequested": f"bytes={SIZE}-", "ActualObjectSize": str(SIZE)}),
    ("PUT", "k", {"partNumber": "x", "uploadId": "y"}, {}, 400, "InvalidArgument", ARGUMENT("partNumber", "x")),
    ("GET", "k", {"uploadId": "nope"}, {}, 404, "NoSuchUpload", {"UploadId": "nope"}),
    ("GET", "", {"uploads": "", "key-marker": "a", "upload-id-marker": "x"}, {}, 400, "InvalidArgument", ARGUMENT("upload-id-marker", "x")),
    ("GET", "k", {"attributes": ""}, {"x-amz-object-attributes": "ETag,Bad"}, 400, "InvalidArgument", ARGUMENT("x-amz-object-attributes", "Bad")),
    ("PUT", "c", {}, {**COPY, "x-amz-metadata-directive": "bad"}, 400, "InvalidArgument", ARGUMENT("x-amz-metadata-directive", "bad")),
    ("PUT", "c", {}, {"x-amz-copy-source": "just-a-bucket"}, 400, "InvalidArgument", ARGUMENT("x-amz-copy-source", "just-a-bucket")),
    ("PUT", "c", {}, {"x-amz-copy-source": "192.168.1.1/k"}, 400, "InvalidArgument", ARGUMENT("x-amz-copy-source", "192.168.1.1/k")),
    ("PUT", "c", {}, {"x-amz-copy-source": "no-such-source/k"}, 404, "NoSuchBucket", {"BucketName": "no-such-source"}),
    ("PUT", "c", {}, {"x-amz-storage-class": "FOO"}, 400, "InvalidStorageClass", {"StorageClassRequested": "FOO"}),
    ("PUT", "c", {}, {"content-md5": "junk"}, 400, "InvalidDigest", {"Content-MD5": "junk"}),
    ("PUT", "c", {}, {"content-md5": "rL0Y20xC+Fzt72VPzMSk2A=="}, 400, "BadDigest", {"ExpectedDigest": "rL0Y20xC+Fzt72VPzMSk2A=="}),
    ("PUT", "c", {}, {"x-amz-meta-a": "x" * 2048}, 400, "MetadataTooLarge", {"MaxSizeAllowed": "2048"}),
    ("PUT", "c" * 1025, {}, {}, 400, "KeyTooLongError", {"Size": "1025", "MaxSizeAllowed": "1024"}),
    ("PUT", "c", {}, {"x-amz-tagging": "=v"}, 400, "InvalidArgument", {}),
    ("PUT", "c", {}, {"x-amz-tagging": "a=1&a=2"}, 400, "InvalidArgument", {}),
    ("PUT", "c", {}, {"x-amz-tagging": "a!=1"}, 400, "InvalidTag", {}),
    ("PUT", "c", {}, {"x-amz-tagging": "&".join(f"k{i}" for i in range(11))}, 400, "BadRequest", {}),
]

TOLD = {"InvalidRange": f"{SIZE} bytes", "KeyTooLongError": "1,024 bytes", "MetadataTooLarge": "2 KiB", "BadRequest": "at most 10",
        "InvalidDigest": "16 bytes", "InvalidStorageClass": "STANDARD, STANDARD_IA"}


@pytest.mark.parametrize("method,key,query,headers,status,code,elements", ERRORS, ids=[f"{e[5]}-{i}" for i, e in enumerate(ERRORS)])
def test_elements(raw, made, method, key, query, headers, status, code, elements):
    answer = raw.call(method, made, key, query=query, headers=headers)
    assert (answer.status, answer.code) == (status, code), answer
    assert TOLD.get(code, ".") in re.search("<Message>(.*?)</Message>", answer.body.decode())[1], answer.body
    for name, value in elements.items():
        assert re.findall(f"<{name}>(.*?)</{name}>", answer.body.decode()) == [value], (name, answer.body)
    assert re.search(f"<Resource>/{made}" + (f"/{key}" if key else "") + "</Resource>", answer.body.decode()), answer.body
    head = raw.call("HEAD", made, key, query=query, headers=headers) if method == "GET" and not set(query) - {"versionId", "partNumber"} else None
    assert head is None or (head.status, head.body) == (status, b""), head


def test_delete_marker(s3, raw, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    for method in ("GET", "HEAD"):
        answer = raw.call(method, bucket, "k", query={"versionId": marker})
        assert answer.status == 405 and answer.headers["allow"] == "DELETE" and answer.headers["x-amz-delete-marker"] == "true", answer
        assert (b"<ResourceType>DeleteMarker</ResourceType>" in answer.body) == (method == "GET")
        gone = raw.call(method, bucket, "k")
        assert (gone.status, gone.headers["x-amz-delete-marker"], gone.headers["x-amz-version-id"]) == (404, "true", marker)


RANGES = {"bytes=,": None, "bytes= -1": None, "bytes=--1": None, "bytes=0 -1": None, "bytes=0--1": None, "bytes=10-5": None, "bytes=a-z": None,
          "foo=0-1": None, "bytes=0-0,1-2": None, "bytes=00-01": "0-1", "bytes=-1": "99-99", "bytes=-101": "0-99", "bytes=0-999999": "0-99",
          "bytes=50-": "50-99", "bytes=-0": 416, "bytes=100-110": 416}


@pytest.mark.parametrize("text", RANGES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_odd_ranges(raw, made, method, text):
    """What is not one well-formed range is passed over."""
    want, answer = RANGES[text], raw.call(method, made, "k", headers={"range": text})
    status = want if want == 416 else 206 if want else 200
    assert (answer.status, answer.headers.get("content-range")) == (status, f"bytes {'*' if want == 416 else want}/{SIZE}" if want else None)


@pytest.mark.parametrize("text", ["0-2", "bytes=0", "bytes=hello-world", "bytes=0-bar", "bytes=0-2,3-5", "bytes=5-2", "bytes=-2", f"bytes=0-{SIZE}"])
def test_ranges_of_copies(s3, raw, made, text):
    upload = s3.create_multipart_upload(Bucket=made, Key="u")["UploadId"]
    answer = raw.call("PUT", made, "u", query={"partNumber": 1, "uploadId": upload}, headers={**COPY, "x-amz-copy-source-range": text})
    assert (answer.status, answer.code) == (400, "InvalidArgument") and b"<ArgumentName>x-amz-copy-source-range<" in answer.body, answer
    s3.abort_multipart_upload(Bucket=made, Key="u", UploadId=upload)


def test_parts_that_do_not_fit(s3, bucket):
    """Checksums of CompleteMultipartUpload that cannot be of these parts."""
    made = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=made, PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32")
    sha = "n2alat9FhKiZXkZO18V2LLcZFM3IT8R7DjSMvK//7WU="
    complete = lambda checksums, **more: s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=made, MultipartUpload={
        "Parts": [{"PartNumber": 1, "ETag": part["ETag"], **checksums}]}, **more)
    for code, checksums, more in [
            ("BadDigest", {"ChecksumSHA256": sha}, {}), ("InvalidArgument", {"ChecksumCRC32": "junk"}, {}),
            ("InvalidArgument", {"ChecksumCRC32": part["ChecksumCRC32"], "ChecksumSHA256": sha}, {}),
            ("InvalidPart", {"ChecksumCRC32": "AAAAAA=="}, {}),
            ("InvalidRequest", {}, {"ChecksumCRC32": "AAAAAA==", "ChecksumSHA256": sha})]:
        with refused(code, 400):
            complete(checksums, **more)
    complete({"ChecksumCRC32": part["ChecksumCRC32"]})


def test_copy_asks_for_a_checksum(s3, bucket):
    """It is of the whole, also where the source has a composite one of that algorithm; who does not ask gets the source's."""
    made = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=made, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA256")
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=made, MultipartUpload={
        "Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}]})
    for more, kind in (({}, "COMPOSITE"), ({"ChecksumAlgorithm": "SHA256"}, "FULL_OBJECT")):
        copied = s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k", **more)["CopyObjectResult"]
        assert copied["ChecksumType"] == kind and (copied["ChecksumSHA256"] == part["ChecksumSHA256"]) == (kind == "FULL_OBJECT"), copied


def test_marker_of_uploads(s3, bucket):
    """An upload id without a key means nothing, and is not said again."""
    s3.create_multipart_upload(Bucket=bucket, Key="k")
    listed = s3.list_multipart_uploads(Bucket=bucket, UploadIdMarker="junk")
    assert ([u["Key"] for u in listed["Uploads"]], listed["UploadIdMarker"]) == (["k"], "")


def test_bucket_tags_of_the_dialects(s3, bucket, new_store):
    tags = lambda n: {"TagSet": [{"Key": str(i), "Value": ""} for i in range(n)]}
    amazon = new_store("--s3-dialect", "aws").client()
    amazon.create_bucket(Bucket=bucket)
    for client, most in ((s3, 10), (amazon, 50)):
        client.put_bucket_tagging(Bucket=bucket, Tagging=tags(most))
        with refused("BadRequest", 400):
            client.put_bucket_tagging(Bucket=bucket, Tagging=tags(most + 1))
