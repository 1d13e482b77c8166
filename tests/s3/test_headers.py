"""What is stored beside the bytes and comes back with them; what is refused; what every answer carries."""
import email.utils
import re
import urllib.parse
import urllib.request

import pytest

from s3lib import refused

STORED = {"ContentType": "text/x-test; charset=utf-8", "CacheControl": "max-age=60, private", "ContentDisposition": 'attachment; filename="a b.txt"',
          "ContentEncoding": "gzip", "ContentLanguage": "de, en"}


def test_content_headers(s3, raw, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Expires="Wed, 21 Oct 2026 07:28:00 GMT", WebsiteRedirectLocation="/other", **STORED)
    for got in (s3.get_object(Bucket=bucket, Key="k"), s3.head_object(Bucket=bucket, Key="k")):
        assert {n: got[n] for n in STORED} == STORED
        assert got["ExpiresString"] == "Wed, 21 Oct 2026 07:28:00 GMT" and got["WebsiteRedirectLocation"] == "/other"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    got = raw.call("GET", bucket, "k")
    assert got.headers["content-type"] == "binary/octet-stream"
    assert not {"cache-control", "content-disposition", "content-encoding", "content-language", "expires"} & set(got.headers)


@pytest.mark.parametrize("sent,stored", [("aws-chunked", None), ("aws-chunked,gzip", "gzip"), ("gzip, aws-chunked", "gzip"), ("gzip", "gzip")])
def test_aws_chunked_is_not_stored(raw, bucket, sent, stored):
    assert raw.call("PUT", bucket, "k", headers={"content-encoding": sent}, body=b"x").status == 200
    assert raw.call("GET", bucket, "k").headers.get("content-encoding") == stored


def test_metadata(s3, raw, bucket):
    meta = {"plain": "value", "mixed-case": "Value With Spaces", "empty": "", "long": "x" * 500}
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata=meta)
    assert s3.get_object(Bucket=bucket, Key="k")["Metadata"] == meta
    raw.call("PUT", bucket, "k", headers={"X-Amz-Meta-Upper": "A", "x-amz-meta-word": "=?UTF-8?B?w6k=?="}, body=b"x")
    got = raw.call("GET", bucket, "k").headers
    assert got["x-amz-meta-upper"] == "A" and got["x-amz-meta-word"] == "=?UTF-8?B?w6k=?="


def test_metadata_limit(raw, bucket):
    name = "x-amz-meta-a"
    assert raw.call("PUT", bucket, "k", headers={name: "x" * 2047}, body=b"x").status == 200
    answer = raw.call("PUT", bucket, "k", headers={name: "x" * 2048}, body=b"y")
    assert (answer.status, answer.code) == (400, "MetadataTooLarge")
    assert raw.call("GET", bucket, "k").body == b"x"


def test_tag_count(s3, raw, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1&b=2")
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 2
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert "x-amz-tagging-count" not in raw.call("HEAD", bucket, "k").headers


def test_storage_class(s3, raw, bucket):
    s3.put_object(Bucket=bucket, Key="ia", Body=b"x", StorageClass="STANDARD_IA")
    s3.put_object(Bucket=bucket, Key="std", Body=b"x", StorageClass="STANDARD")
    assert s3.head_object(Bucket=bucket, Key="ia")["StorageClass"] == "STANDARD_IA"
    assert "x-amz-storage-class" not in raw.call("HEAD", bucket, "std").headers
    assert [o["StorageClass"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["STANDARD_IA", "STANDARD"]
    for name in ("GLACIER", "standard", ""):
        answer = raw.call("PUT", bucket, "k", headers={"x-amz-storage-class": name}, body=b"x")
        assert (answer.status, answer.code) == (400, "InvalidStorageClass"), name


@pytest.mark.parametrize("header,value,status,code", [
    ("x-amz-server-side-encryption", "AES256", 501, "NotImplemented"),
    ("x-amz-server-side-encryption", "aws:kms", 501, "NotImplemented"),
    ("x-amz-server-side-encryption-aws-kms-key-id", "k", 501, "NotImplemented"),
    ("x-amz-object-lock-mode", "GOVERNANCE", 501, "NotImplemented"),
    ("x-amz-object-lock-legal-hold", "ON", 501, "NotImplemented"),
    ("x-amz-write-offset-bytes", "0", 501, "NotImplemented"),
    ("x-amz-acl", "public-read", 400, "AccessControlListNotSupported"),
    ("x-amz-acl", "private", 200, None),
    ("x-amz-acl", "bucket-owner-full-control", 200, None),
    ("x-amz-grant-read", "id=1", 400, "AccessControlListNotSupported"),
    ("x-amz-tagging", "a=1&a=2", 400, "InvalidArgument"),
    ("x-amz-tagging", "&".join(f"k{i}=v" for i in range(11)), 400, "BadRequest"),
    ("content-md5", "junk", 400, "InvalidDigest"),
    ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==", 400, "BadDigest"),
    ("content-md5", "nd1OEcxo4bPEIS+PLZwtEA==", 400, "BadDigest"),
    ("x-amz-meta-", "x", 400, "InvalidArgument"),
])
def test_refused(raw, bucket, header, value, status, code):
    answer = raw.call("PUT", bucket, "k", headers={header: value}, body=b"some bytes")
    assert (answer.status, answer.code) == (status, code), answer
    assert raw.call("HEAD", bucket, "k").status == (200 if status == 200 else 404)


OVERRIDES = {"ResponseContentType": ("content-type", "text/other"), "ResponseContentLanguage": ("content-language", "fr"),
             "ResponseExpires": ("expires", "Thu, 01 Dec 2033 16:00:00 GMT"), "ResponseCacheControl": ("cache-control", "no-store"),
             "ResponseContentDisposition": ("content-disposition", "attachment; filename=é.txt"),
             "ResponseContentEncoding": ("content-encoding", "identity")}


def test_overrides(store, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", **STORED)
    query = {n: v for n, (_, v) in OVERRIDES.items()}
    url = store.client(config={"signature_version": "s3v4"}).generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k", **query})
    with urllib.request.urlopen(url, timeout=10) as answer:
        got = {n.lower(): v for n, v in answer.getheaders()}
        assert answer.read() == b"x"
    for name in query:
        header, value = OVERRIDES[name]
        assert got[header].encode("latin-1") == value.encode()


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\0b", "a\x7fb"])
def test_overrides_cannot_split_headers(raw, bucket, value):
    raw.call("PUT", bucket, "k", body=b"x")
    answer = raw.call("GET", bucket, "k", query={"response-content-type": value})
    assert (answer.status, answer.code) == (400, "InvalidArgument"), answer


def test_overrides_need_a_signature(store, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_policy(Bucket=bucket, Policy='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":'
                         f'"s3:GetObject","Resource":"arn:aws:s3:::{bucket}/*"}},{{"Effect":"Allow","Principal":"*","Action":"s3:*",'
                         f'"Resource":["arn:aws:s3:::{bucket}","arn:aws:s3:::{bucket}/*"],'
                         '"Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}')
    plain = f"{store.url}/{bucket}/k"
    with urllib.request.urlopen(plain, timeout=10) as answer:
        assert answer.read() == b"x"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(plain + "?response-content-type=text/html", timeout=10)
    assert caught.value.code == 400 and b"<Code>InvalidRequest</Code>" in caught.value.read()


def test_every_answer(raw, bucket):
    raw.call("PUT", bucket, "k", body=b"x")
    ids = set()
    for method, key, query in [("GET", "k", {}), ("HEAD", "k", {}), ("GET", "gone", {}), ("GET", "", {}), ("PUT", "k", {}), ("DELETE", "k", {}),
                               ("GET", "", {"website": ""})]:
        answer = raw.call(method, bucket, key, query=query)
        assert re.fullmatch("[0-9a-fA-F]{16}", answer.headers["x-amz-request-id"]) and answer.headers["x-amz-id-2"]
        assert email.utils.parsedate_to_datetime(answer.headers["date"]) and answer.headers["server"]
        ids.add(answer.headers["x-amz-request-id"])
        if answer.code:
            assert answer.headers["content-type"] == "application/xml"
            assert f"<RequestId>{answer.headers['x-amz-request-id']}</RequestId>".encode() in answer.body
            assert f"<Resource>/{bucket}".encode() in answer.body
    assert len(ids) == 7


def test_last_modified(raw, bucket):
    raw.call("PUT", bucket, "k", body=b"x")
    answer = raw.call("GET", bucket, "k")
    assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.headers["last-modified"])
    skew = email.utils.parsedate_to_datetime(answer.headers["date"]) - email.utils.parsedate_to_datetime(answer.headers["last-modified"])
    assert abs(skew.total_seconds()) <= 5
