"""DeleteObjects: up to 1,000 keys, quiet and verbose, versions, conditions."""
import base64
import concurrent.futures
import hashlib
import xml.etree.ElementTree as xml

import pytest

from s3lib import refused

NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def post(raw, bucket, body, digest=True, **headers):
    body = body if isinstance(body, bytes) else body.encode()
    if digest:
        headers["content-md5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
    return raw.call("POST", bucket, query={"delete": ""}, headers=headers, body=body)


def put_many(s3, bucket, keys):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: s3.put_object(Bucket=bucket, Key=k, Body=b"x"), keys))


def test_thousand(s3, bucket):
    keys = [f"k{i:04}" for i in range(1000)]
    put_many(s3, bucket, keys[::10])
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in keys]})
    assert [d["Key"] for d in answer["Deleted"]] == keys and "Errors" not in answer
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    with refused("MalformedXML", 400):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in keys + ["one more"]]})


def test_quiet(s3, bucket):
    put_many(s3, bucket, ["a", "b"])
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "gone"}], "Quiet": True})
    assert "Deleted" not in answer and "Errors" not in answer
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["b"]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b", "VersionId": "junk"}], "Quiet": True})
    assert [(e["Key"], e["VersionId"], e["Code"]) for e in answer["Errors"]] == [("b", "junk", "NoSuchVersion")]


def test_odd_keys(s3, raw, bucket):
    keys = ["a b", "a+b", "<&>\"'", "é", "日本", " lead", "100%", "a//b", "../x", "x" * 1024]
    put_many(s3, bucket, keys)
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in keys]})
    assert [d["Key"] for d in answer["Deleted"]] == keys
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_versions(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    one = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    two = s3.put_object(Bucket=bucket, Key="k", Body=b"2")["VersionId"]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}, {"Key": "k", "VersionId": one}]})
    marker = answer["Deleted"][0]
    assert marker["DeleteMarker"] is True and marker["DeleteMarkerVersionId"] not in (one, two) and "VersionId" not in marker
    assert answer["Deleted"][1] == {"Key": "k", "VersionId": one}
    left = s3.list_object_versions(Bucket=bucket)
    assert [v["VersionId"] for v in left["Versions"]] == [two]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": marker["DeleteMarkerVersionId"]}]})
    assert answer["Deleted"] == [{"Key": "k", "VersionId": marker["DeleteMarkerVersionId"], "DeleteMarker": True,
                                  "DeleteMarkerVersionId": marker["DeleteMarkerVersionId"]}]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"
    # a version that is not there is deleted already
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k", "VersionId": one}]})
    assert answer["Deleted"] == [{"Key": "k", "VersionId": one}]


def test_conditions(s3, raw, bucket):
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"1")["ETag"]
    s3.put_object(Bucket=bucket, Key="b", Body=b"2")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a", "ETag": etag}, {"Key": "b", "ETag": etag}]})
    assert [d["Key"] for d in answer["Deleted"]] == ["a"]
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [("b", "PreconditionFailed")]
    for condition in ("<Size>1</Size>", "<LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime>"):
        answer = post(raw, bucket, f"<Delete><Object><Key>b</Key>{condition}</Object></Delete>")
        assert answer.status == 200 and answer.code == "NotImplemented"
    assert s3.head_object(Bucket=bucket, Key="b")["ContentLength"] == 1


@pytest.mark.parametrize("body", ["", "junk", "<Delete/>", "<Other><Object><Key>k</Key></Object></Other>", "<Delete><Object></Object></Delete>",
                                  "<Delete><Object><Key></Key></Object></Delete>", "<Delete><Object><Key>k</Key></Object>",
                                  "<Delete>" + "<Object><Key>k</Key></Object>" * 1001 + "</Delete>",
                                  "<Delete><Object><Key>" + "k" * (2 << 20) + "</Key></Object></Delete>"],
                         ids=range(9))
def test_malformed(raw, bucket, body):
    raw.call("PUT", bucket, "k", body=b"x")
    answer = post(raw, bucket, body)
    assert (answer.status, answer.code) == (400, "MalformedXML"), answer
    assert raw.call("HEAD", bucket, "k").status == 200


def test_integrity(raw, bucket):
    raw.call("PUT", bucket, "k", body=b"x")
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    answer = post(raw, bucket, body, digest=False)
    assert (answer.status, answer.code) == (400, "InvalidRequest"), answer
    answer = post(raw, bucket, body, digest=False, **{"content-md5": base64.b64encode(bytes(16)).decode()})
    assert (answer.status, answer.code) == (400, "BadDigest"), answer
    answer = post(raw, bucket, body, digest=False, **{"x-amz-checksum-crc32": "AAAAAA=="})
    assert (answer.status, answer.code) == (400, "BadDigest"), answer
    assert raw.call("HEAD", bucket, "k").status == 200
    answer = post(raw, bucket, body, digest=False,
                  **{"x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(body).digest()).decode()})
    assert answer.status == 200 and raw.call("HEAD", bucket, "k").status == 404


def test_key_too_long(raw, bucket):
    answer = post(raw, bucket, "<Delete><Object><Key>" + "k" * 1025 + "</Key></Object><Object><Key>ok</Key></Object></Delete>")
    root = xml.fromstring(answer.body)
    assert [e.findtext(NS + "Code") for e in root.iter(NS + "Error")] == ["KeyTooLongError"]
    assert [d.findtext(NS + "Key") for d in root.iter(NS + "Deleted")] == ["ok"]
