"""Multipart uploads: each call, each error, each limit."""
import base64
import concurrent.futures
import hashlib
import zlib

import pytest

from s3lib import Client
from uploads import MIB, NS, PART, Upload, content, etag_of, md5, refused, sse, text, texts, xml

A, B, C = content(1, PART), content(2, PART + 17), content(3, 1000)


def test_life(s3, bucket):
    """As an SDK does it, with everything that an upload may carry."""
    begun = s3.create_multipart_upload(Bucket=bucket, Key="dir/k", ContentType="text/x", Metadata={"m": "v"}, Tagging="t=1",
                                       StorageClass="STANDARD_IA", CacheControl="no-cache")
    id = begun["UploadId"]
    assert begun["Bucket"] == bucket and begun["Key"] == "dir/k"
    parts = []
    for number, body in ((2, C), (1, A)):
        part = s3.upload_part(Bucket=bucket, Key="dir/k", UploadId=id, PartNumber=number, Body=body)
        assert part["ETag"] == f'"{md5(body)}"'
        parts.insert(0, {"PartNumber": number, "ETag": part["ETag"]})
    done = s3.complete_multipart_upload(Bucket=bucket, Key="dir/k", UploadId=id, MultipartUpload={"Parts": parts})
    assert done["ETag"] == f'"{etag_of(A, C)}"' and done["Key"] == "dir/k" and done["Bucket"] == bucket
    assert done["Location"].endswith(f"/{bucket}/dir/k")
    got = s3.get_object(Bucket=bucket, Key="dir/k")
    assert got["Body"].read() == A + C
    assert (got["ContentType"], got["Metadata"], got["TagCount"], got["StorageClass"], got["CacheControl"], got["ETag"]) == \
        ("text/x", {"m": "v"}, 1, "STANDARD_IA", "no-cache", done["ETag"])
    head = s3.head_object(Bucket=bucket, Key="dir/k", PartNumber=2)
    assert head["ContentLength"] == len(C) and head["PartsCount"] == 2
    assert not s3.list_multipart_uploads(Bucket=bucket).get("Uploads")
    with pytest.raises(s3.exceptions.NoSuchUpload):
        s3.list_parts(Bucket=bucket, Key="dir/k", UploadId=id)


def test_transfer(s3, bucket, tmp_path):
    """boto3's own multipart transfer, parts in parallel."""
    path = tmp_path / "f"
    path.write_bytes(content(9, 20 * MIB + 3))
    s3.upload_file(str(path), bucket, "k")
    s3.download_file(bucket, "k", str(tmp_path / "g"))
    assert (tmp_path / "g").read_bytes() == path.read_bytes()


def test_parts_in_parallel_and_again(store, raw, bucket):
    upload = Upload(raw, bucket, "k")
    bodies = {n: content(n, PART if n < 4 else 100) for n in (1, 2, 3, 4)}

    def send(n):
        client = Client(store.host, store.port, store.key, store.secret)
        try:
            first = client.call("PUT", bucket, "k", query={"partNumber": n, "uploadId": upload.id}, body=b"to be replaced")
            last = client.call("PUT", bucket, "k", query={"partNumber": n, "uploadId": upload.id}, body=bodies[n])
            assert (first.status, last.status) == (200, 200)
            upload.etags[n] = last.headers["etag"]
        finally:
            client.close()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(send, (4, 2, 1, 3)))
    assert upload.complete().status == 200
    assert raw.call("GET", bucket, "k").body == b"".join(bodies[n] for n in (1, 2, 3, 4))


def test_subset_with_gaps(raw, bucket):
    """Parts that are not named are not in the object; numbers need not follow each other."""
    upload = Upload(raw, bucket, "k")
    for n, body in ((3, A), (7, b"not chosen"), (10000, C)):
        assert upload.put(n, body).status == 200
    assert upload.complete([(n, upload.etags[n]) for n in (3, 10000)]).status == 200
    got = raw.call("GET", bucket, "k")
    assert got.body == A + C and got.headers["etag"] == f'"{etag_of(A, C)}"'


def test_one_small_part(raw, bucket):
    for size in (0, 1, 20000):
        upload = Upload(raw, bucket, f"k{size}")
        assert upload.put(5, bytes(size)).status == 200
        assert upload.complete().status == 200
        got = raw.call("GET", bucket, f"k{size}")
        assert got.body == bytes(size) and got.headers["etag"] == f'"{etag_of(bytes(size))}"'


def test_unquoted_etags(raw, bucket):
    upload = Upload(raw, bucket, "k")
    upload.put(1, C)
    assert upload.complete([(1, md5(C))]).status == 200


def test_part_numbers(raw, bucket):
    upload = Upload(raw, bucket, "k")
    for number in (0, 10001, -1, "x", ""):
        refused(raw.call("PUT", bucket, "k", query={"partNumber": number, "uploadId": upload.id}, body=b"x"), 400, "InvalidArgument")
    for number in (1, 10000):
        assert upload.put(number, b"x").status == 200


@pytest.mark.parametrize("id", ["nonsense", "0" * 32, "F" * 32])
def test_no_such_upload(raw, bucket, id):
    query = {"uploadId": id}
    refused(raw.call("PUT", bucket, "k", query={"partNumber": 1, **query}, body=b"x"), 404, "NoSuchUpload")
    refused(raw.call("GET", bucket, "k", query=query), 404, "NoSuchUpload")
    refused(raw.call("DELETE", bucket, "k", query=query), 404, "NoSuchUpload")
    body = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"
    refused(raw.call("POST", bucket, "k", query=query, body=body), 404, "NoSuchUpload")


def test_upload_of_another_key(raw, bucket):
    upload = Upload(raw, bucket, "k")
    refused(raw.call("PUT", bucket, "other", query={"partNumber": 1, "uploadId": upload.id}, body=b"x"), 404, "NoSuchUpload")
    refused(raw.call("DELETE", bucket, "other", query={"uploadId": upload.id}), 404, "NoSuchUpload")


def test_abort(raw, bucket):
    upload = Upload(raw, bucket, "k")
    upload.put(1, C)
    assert upload.abort().status == 204
    refused(upload.put(2, C), 404, "NoSuchUpload")
    refused(upload.list(), 404, "NoSuchUpload")
    refused(upload.complete(), 404, "NoSuchUpload")
    refused(upload.abort(), 404, "NoSuchUpload")
    assert raw.call("GET", bucket, "k").status == 404


# ---- complete ----

@pytest.mark.parametrize("body", ["", "<", "<CompleteMultipartUpload/>", "<Other><Part/></Other>",
                                  "<CompleteMultipartUpload><Part/></CompleteMultipartUpload>",
                                  "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>",
                                  "<CompleteMultipartUpload><Part><ETag>x</ETag></Part></CompleteMultipartUpload>",
                                  "<CompleteMultipartUpload><Bit><PartNumber>1</PartNumber><ETag>x</ETag></Bit></CompleteMultipartUpload>"])
def test_malformed_complete(raw, bucket, body):
    upload = Upload(raw, bucket, "k")
    upload.put(1, C)
    refused(raw.call("POST", bucket, "k", query={"uploadId": upload.id}, body=body.encode()), 400, "MalformedXML")


def test_refused_completes(raw, bucket):
    """Each leaves the upload as it was, so that in the end it can be completed."""
    upload = Upload(raw, bucket, "k")
    for n, body in ((1, A), (2, C), (3, C)):
        upload.put(n, body)
    one, two, three = (upload.etags[n] for n in (1, 2, 3))
    refused(upload.complete([(2, two), (1, one)]), 400, "InvalidPartOrder")
    refused(upload.complete([(1, one), (1, one)]), 400, "InvalidPartOrder")
    refused(upload.complete([(1, one), (4, one)]), 400, "InvalidPart")
    refused(upload.complete([(1, two)]), 400, "InvalidPart")
    refused(upload.complete([(1, '"junk"')]), 400, "InvalidPart")
    refused(upload.complete([(0, one)]), 400, "InvalidArgument")
    refused(upload.complete([(10001, one)]), 400, "InvalidArgument")
    refused(upload.complete([(1, one), (2, two), (3, three)]), 400, "EntityTooSmall")
    refused(upload.complete([(2, two)], x_amz_mp_object_size="999"), 400, "InvalidRequest")
    refused(upload.complete([(2, two)], x_amz_mp_object_size="x"), 400, "InvalidRequest")
    assert raw.call("GET", bucket, "k").status == 404
    assert upload.complete([(1, one), (2, two)], x_amz_mp_object_size=str(len(A + C))).status == 200
    assert raw.call("GET", bucket, "k").body == A + C


def test_too_many_parts(raw, bucket):
    upload = Upload(raw, bucket, "k")
    refused(upload.complete([(n, '"x"') for n in range(1, 10002)]), 400, "TooManyParts")


def test_retry_of_complete(raw, bucket):
    """The answer was lost: the same request again is answered as before, as long as the object is there."""
    upload = Upload(raw, bucket, "k")
    upload.put(1, C)
    first, second = upload.complete(), upload.complete()
    assert (first.status, second.status) == (200, 200) and text(first, "ETag") == text(second, "ETag")
    refused(upload.complete([(1, '"' + "0" * 32 + '"')]), 400, "InvalidPart")
    raw.call("PUT", bucket, "k", body=b"newer")
    refused(upload.complete(), 404, "NoSuchUpload")
    assert raw.call("GET", bucket, "k").body == b"newer"


def test_conditions(raw, bucket):
    upload = Upload(raw, bucket, "k")
    upload.put(1, C)
    refused(upload.complete(if_match='"x"'), 404, "NoSuchKey")
    etag = raw.call("PUT", bucket, "k", body=b"there").headers["etag"]
    refused(upload.complete(if_none_match="*"), 412, "PreconditionFailed")
    refused(upload.complete(if_match='"x"'), 412, "PreconditionFailed")
    refused(upload.complete(if_none_match='"x"'), 400, "InvalidRequest")
    assert raw.call("GET", bucket, "k").body == b"there"
    assert upload.complete(if_match=etag).status == 200
    assert raw.call("GET", bucket, "k").body == C


def test_versions(s3, raw, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = raw.call("PUT", bucket, "k", body=b"old").headers["x-amz-version-id"]
    upload = Upload(raw, bucket, "k")
    upload.put(1, C)
    new = upload.complete().headers["x-amz-version-id"]
    assert new not in (None, old, "null")
    assert raw.call("GET", bucket, "k", query={"versionId": old}).body == b"old"
    assert raw.call("GET", bucket, "k", query={"versionId": new}).body == C


# ---- lists ----

def test_list_parts(raw, bucket):
    upload = Upload(raw, bucket, "a b", x_amz_storage_class="STANDARD_IA")
    for n in (1, 2, 5, 9):
        upload.put(n, b"x" * n)
    answer = upload.list(max_parts=2)
    assert (texts(answer, "PartNumber"), texts(answer, "Size")) == (["1", "2"], ["1", "2"])
    assert [text(answer, n) for n in ("IsTruncated", "NextPartNumberMarker", "MaxParts", "PartNumberMarker", "StorageClass", "Key", "Bucket")] == \
        ["true", "2", "2", "0", "STANDARD_IA", "a b", bucket]
    assert text(answer, "ETag") == upload.etags[1] and text(answer, "UploadId") == upload.id
    assert len(texts(answer, "DisplayName")) == 2 and text(answer, "LastModified").endswith("Z")
    answer = upload.list(part_number_marker=2, encoding_type="url")
    assert texts(answer, "PartNumber") == ["5", "9"] and text(answer, "IsTruncated") == "false"
    assert (text(answer, "Key"), text(answer, "EncodingType")) == ("a%20b", "url")
    assert texts(upload.list(part_number_marker=9), "PartNumber") == []
    assert texts(upload.list(max_parts=0), "PartNumber") == []
    for bad in ({"max_parts": "x"}, {"max_parts": -1}, {"part_number_marker": "x"}, {"encoding_type": "hex"}):
        refused(upload.list(**bad), 400, "InvalidArgument")


def test_list_thousand_parts(s3, raw, bucket):
    upload = Upload(raw, bucket, "k")
    for n in range(1, 1003):
        upload.put(n, b"x")
    first = upload.list(max_parts=5000)
    assert len(texts(first, "PartNumber")) == 1000 and text(first, "IsTruncated") == "true"
    pages = s3.get_paginator("list_parts").paginate(Bucket=bucket, Key="k", UploadId=upload.id)
    assert [p["PartNumber"] for page in pages for p in page["Parts"]] == list(range(1, 1003))


def rows(answer):
    root = xml.fromstring(answer.body)
    return ([(u.findtext(NS + "Key"), u.findtext(NS + "UploadId")) for u in root.iter(NS + "Upload")],
            [p.findtext(NS + "Prefix") for p in root.iter(NS + "CommonPrefixes")])


def test_list_uploads(raw, bucket):
    made = [(key, Upload(raw, bucket, key).id) for key in ("a/1", "a/2", "b", "b", "b", "c/1", "d e")]
    order = sorted(made)

    def page(**query):
        return raw.call("GET", bucket, query={"uploads": "", **{n.replace("_", "-"): v for n, v in query.items()}})
    answer = page()
    assert rows(answer) == (order, []) and text(answer, "IsTruncated") == "false" and text(answer, "MaxUploads") == "1000"
    assert rows(page(prefix="b"))[0] == order[2:5]
    assert rows(page(delimiter="/")) == (order[2:5] + order[6:], ["a/", "c/"])
    assert rows(page(key_marker="b"))[0] == order[5:]
    assert rows(page(key_marker="b", upload_id_marker=order[3][1]))[0] == order[4:]
    assert rows(page(upload_id_marker=order[3][1]))[0] == order
    assert rows(page(prefix="d", encoding_type="url"))[0] == [("d%20e", order[6][1])]
    assert rows(page(max_uploads=0)) == ([], [])
    for size in (1, 2, 3):
        got, more = [], {}
        while more is not None:
            answer = page(max_uploads=size, delimiter="/", **more)
            uploads, prefixes = rows(answer)
            assert len(uploads) + len(prefixes) <= size
            got += uploads + prefixes
            more = {"key_marker": text(answer, "NextKeyMarker"), "upload_id_marker": text(answer, "NextUploadIdMarker")} \
                if text(answer, "IsTruncated") == "true" else None
        assert sorted(map(str, got)) == sorted(map(str, order[2:5] + order[6:] + ["a/", "c/"])), size
    for bad in ({"max_uploads": "x"}, {"encoding_type": "hex"}, {"key_marker": "b", "upload_id_marker": "x"}):
        refused(page(**bad), 400, "InvalidArgument")


# ---- checksums ----

def b64(data):
    return base64.b64encode(data).decode()


SUMS = {"CRC32": lambda body: b64(zlib.crc32(body).to_bytes(4, "big")), "SHA1": lambda body: b64(hashlib.sha1(body).digest()),
        "SHA256": lambda body: b64(hashlib.sha256(body).digest())}


@pytest.mark.parametrize("name", ["SHA1", "SHA256", "CRC32"])
def test_composite(raw, bucket, name):
    header, tag = f"x-amz-checksum-{name.lower()}", f"Checksum{name}"
    upload = Upload(raw, bucket, "k", x_amz_checksum_algorithm=name)
    assert upload.begun.headers["x-amz-checksum-algorithm"] == name
    assert upload.begun.headers["x-amz-checksum-type"] == "COMPOSITE"
    refused(upload.put(1, A), 400, "InvalidRequest")
    refused(upload.put(1, A, **{header: SUMS[name](B)}), 400, "BadDigest")
    refused(upload.put(1, A, x_amz_checksum_crc32c="AAAAAA=="), 400, "InvalidRequest")
    for n, body in ((1, A), (2, C)):
        assert upload.put(n, body, **{header: SUMS[name](body)}).headers[header] == SUMS[name](body)
    refused(upload.complete(), 400, "InvalidRequest")
    upload.sums = {1: f"<{tag}>{SUMS[name](A)}</{tag}>", 2: f"<{tag}>{SUMS[name](A)}</{tag}>"}
    refused(upload.complete(), 400, "InvalidPart")
    upload.sums[2] = f"<{tag}>{SUMS[name](C)}</{tag}>"
    want = SUMS[name](b"".join(base64.b64decode(SUMS[name](body)) for body in (A, C)))
    refused(upload.complete(x_amz_checksum_type="FULL_OBJECT"), 400, "InvalidRequest")
    refused(upload.complete(**{header: SUMS[name](A)}), 400, "BadDigest")
    done = upload.complete(x_amz_checksum_type="COMPOSITE", **{header: want + "-2"})
    assert (text(done, tag), text(done, "ChecksumType")) == (want + "-2", "COMPOSITE"), done
    head = raw.call("HEAD", bucket, "k", headers={"x-amz-checksum-mode": "ENABLED"})
    assert (head.headers[header], head.headers["x-amz-checksum-type"]) == (want + "-2", "COMPOSITE")


def test_full_object(raw, bucket):
    upload = Upload(raw, bucket, "k", x_amz_checksum_algorithm="CRC32", x_amz_checksum_type="FULL_OBJECT")
    assert upload.begun.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    assert upload.put(1, A).headers["x-amz-checksum-crc32"] == SUMS["CRC32"](A)
    upload.put(2, C, x_amz_checksum_crc32=SUMS["CRC32"](C))
    answer = upload.list()
    assert texts(answer, "ChecksumCRC32") == [SUMS["CRC32"](A), SUMS["CRC32"](C)]
    assert (text(answer, "ChecksumAlgorithm"), text(answer, "ChecksumType")) == ("CRC32", "FULL_OBJECT")
    refused(upload.complete(x_amz_checksum_crc32=SUMS["CRC32"](A)), 400, "BadDigest")
    refused(upload.complete(x_amz_checksum_crc32="junk"), 400, "InvalidRequest")
    refused(upload.complete(x_amz_checksum_sha1=SUMS["SHA1"](A)), 400, "InvalidRequest")
    done = upload.complete(x_amz_checksum_crc32=SUMS["CRC32"](A + C))
    assert (text(done, "ChecksumCRC32"), text(done, "ChecksumType")) == (SUMS["CRC32"](A + C), "FULL_OBJECT"), done


def test_default_checksum(s3, raw, bucket):
    """No algorithm named: CRC64NVME of the whole, the same as of one PUT, even if the parts came with another."""
    upload = Upload(raw, bucket, "k")
    assert "x-amz-checksum-algorithm" not in upload.begun.headers
    upload.put(1, A, x_amz_checksum_crc32=SUMS["CRC32"](A))
    upload.put(2, C)
    done = upload.complete(more="<ChecksumCRC32>AAAAAA==</ChecksumCRC32>")
    put = raw.call("PUT", bucket, "single", body=A + C)
    assert text(done, "ChecksumCRC64NVME") == put.headers["x-amz-checksum-crc64nvme"], done
    assert text(done, "ChecksumType") == "FULL_OBJECT"


@pytest.mark.parametrize("headers", [{"x-amz-checksum-type": "COMPOSITE"}, {"x-amz-checksum-algorithm": "MD4"},
                                     {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "HALF"},
                                     {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-type": "FULL_OBJECT"},
                                     {"x-amz-checksum-algorithm": "CRC64NVME", "x-amz-checksum-type": "COMPOSITE"}])
def test_bad_checksum_choices(raw, bucket, headers):
    refused(raw.call("POST", bucket, "k", query={"uploads": ""}, headers=headers), 400, "InvalidRequest")


def test_part_integrity(raw, bucket):
    upload = Upload(raw, bucket, "k")
    refused(upload.put(1, C, content_md5=b64(hashlib.md5(A).digest())), 400, "BadDigest")
    refused(upload.put(1, C, content_md5="junk"), 400, "InvalidDigest")
    refused(upload.put(1, C, x_amz_content_sha256="0" * 64), 400, "XAmzContentSHA256Mismatch")
    assert texts(upload.list(), "PartNumber") == []
    assert upload.put(1, C, content_md5=b64(hashlib.md5(C).digest())).status == 200


@pytest.mark.parametrize("name", ["CRC32", "SHA1", "SHA256"])
def test_sdk_checksums(s3, bucket, name):
    id = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=name)["UploadId"]
    parts = []
    for n, body in ((1, A), (2, C)):
        part = s3.upload_part(Bucket=bucket, Key="k", UploadId=id, PartNumber=n, Body=body, ChecksumAlgorithm=name)
        parts.append({"PartNumber": n, "ETag": part["ETag"], f"Checksum{name}": part[f"Checksum{name}"]})
    done = s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=id, MultipartUpload={"Parts": parts})
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[f"Checksum{name}"] == done[f"Checksum{name}"] and head["ChecksumType"] == done["ChecksumType"]


# ---- headers ----

@pytest.mark.parametrize("headers,status,code", [
    ({"x-amz-storage-class": "GLACIER"}, 400, "InvalidStorageClass"), ({"x-amz-acl": "public-read"}, 400, "AccessControlListNotSupported"),
    ({"x-amz-server-side-encryption": "AES256"}, 501, "NotImplemented"), ({"x-amz-object-lock-mode": "GOVERNANCE"}, 501, "NotImplemented"),
    ({"x-amz-tagging": "a=1&a=2"}, 400, "InvalidArgument"), ({"x-amz-meta-big": "x" * 2048}, 400, "MetadataTooLarge")])
def test_refused_creates(raw, bucket, headers, status, code):
    refused(raw.call("POST", bucket, "k", query={"uploads": ""}, headers=headers), status, code)


def test_no_bucket(raw):
    refused(raw.call("POST", "t-none-such", "k", query={"uploads": ""}), 404, "NoSuchBucket")
    refused(raw.call("GET", "t-none-such", query={"uploads": ""}), 404, "NoSuchBucket")


def test_bucket_with_uploads_stays(s3, raw, bucket):
    upload = Upload(raw, bucket, "k")
    refused(raw.call("DELETE", bucket), 409, "BucketNotEmpty")
    assert upload.abort().status == 204


# ---- customer keys ----

def test_sse_c(raw, bucket):
    key, other = b"k" * 32, b"o" * 32
    upload = Upload(raw, bucket, "k", **sse(key))
    assert upload.begun.headers["x-amz-server-side-encryption-customer-algorithm"] == "AES256"
    refused(upload.put(1, A), 400, "InvalidRequest")
    refused(upload.put(1, A, **sse(other)), 403, "AccessDenied")
    for n, body in ((1, A), (2, B), (3, C)):
        part = upload.put(n, body, **sse(key))
        assert part.status == 200 and part.headers["etag"] != f'"{md5(body)}"'
        assert "x-amz-server-side-encryption-customer-key-md5" in part.headers
    done = upload.complete()
    assert done.status == 200 and done.code is None, done
    whole = A + B + C
    assert raw.call("GET", bucket, "k", headers=sse(key)).body == whole
    for first, last in ((0, 0), (PART - 1, PART), (PART + 65535, PART + 65537), (len(A + B) - 2, len(whole) - 1), (5, len(whole) - 5)):
        got = raw.call("GET", bucket, "k", headers={**sse(key), "range": f"bytes={first}-{last}"})
        assert got.status == 206 and got.body == whole[first:last + 1], (first, last)
    got = raw.call("GET", bucket, "k", query={"partNumber": 2}, headers=sse(key))
    assert got.body == B and got.headers["x-amz-mp-parts-count"] == "3"
    refused(raw.call("GET", bucket, "k"), 400, "InvalidRequest")


def test_key_where_upload_has_none(raw, bucket):
    upload = Upload(raw, bucket, "k")
    refused(upload.put(1, C, **sse(b"k" * 32)), 400, "InvalidRequest")


# ---- over a restart ----

def test_kept_over_a_crash(new_store):
    store = new_store()
    raw = Client(store.host, store.port, store.key, store.secret)
    raw.call("PUT", "t-crash", body=b"<CreateBucketConfiguration><LocationConstraint>X</LocationConstraint></CreateBucketConfiguration>")
    upload, done = Upload(raw, "t-crash", "open"), Upload(raw, "t-crash", "done")
    upload.put(1, A)
    done.put(1, A)
    done.put(2, C)
    done.complete()
    raw.close()
    store.kill()
    store.start()
    raw = upload.raw = Client(store.host, store.port, store.key, store.secret)
    assert raw.call("GET", "t-crash", "done").body == A + C
    assert texts(upload.list(), "ETag") == [upload.etags[1]]
    upload.put(2, C)
    assert upload.complete().status == 200
    assert raw.call("GET", "t-crash", "open").body == A + C
    raw.close()
