"""Reads of ACLs show the owner with FULL_CONTROL; writes of ACLs, and canned ones that would change something, are refused."""
import pytest

from uploads import refused, text, texts


def owner_only(answer):
    assert answer.status == 200, answer
    assert texts(answer, "Permission") == ["FULL_CONTROL"]
    assert len(set(texts(answer, "ID"))) == 1 and texts(answer, "ID")[0]
    assert b'xsi:type="CanonicalUser"' in answer.body


def test_reads(s3, raw, bucket):
    raw.call("PUT", bucket, "k", body=b"x")
    owner_only(raw.call("GET", bucket, query={"acl": ""}))
    owner_only(raw.call("GET", bucket, "k", query={"acl": ""}))
    for acl in (s3.get_bucket_acl(Bucket=bucket), s3.get_object_acl(Bucket=bucket, Key="k")):
        assert acl["Grants"][0]["Grantee"] == {**acl["Owner"], "Type": "CanonicalUser"}
    assert s3.list_buckets()["Owner"]["ID"] == s3.get_bucket_acl(Bucket=bucket)["Owner"]["ID"]


def test_versions(s3, raw, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    id = raw.call("PUT", bucket, "k", body=b"x").headers["x-amz-version-id"]
    answer = raw.call("GET", bucket, "k", query={"acl": "", "versionId": id})
    owner_only(answer)
    assert answer.headers["x-amz-version-id"] == id
    marker = raw.call("DELETE", bucket, "k").headers["x-amz-version-id"]
    refused(raw.call("GET", bucket, "k", query={"acl": ""}), 404, "NoSuchKey")
    refused(raw.call("GET", bucket, "k", query={"acl": "", "versionId": marker}), 405, "MethodNotAllowed")


def test_nothing_there(raw, bucket):
    refused(raw.call("GET", bucket, "none", query={"acl": ""}), 404, "NoSuchKey")
    refused(raw.call("GET", "t-none-such", query={"acl": ""}), 404, "NoSuchBucket")


@pytest.mark.parametrize("key", ["", "k"])
def test_writes(raw, bucket, key):
    refused(raw.call("PUT", bucket, key, query={"acl": ""}, headers={"x-amz-acl": "private"}), 501, "NotImplemented")


@pytest.mark.parametrize("acl,good", [("private", True), ("bucket-owner-full-control", True), ("public-read", False),
                                      ("public-read-write", False), ("authenticated-read", False), ("junk", False)])
def test_canned(raw, bucket, acl, good):
    answer = raw.call("PUT", bucket, "k", body=b"x", headers={"x-amz-acl": acl})
    if good:
        assert answer.status == 200
        assert text(raw.call("GET", bucket, "k", query={"acl": ""}), "Permission") == "FULL_CONTROL"
    else:
        refused(answer, 400, "AccessControlListNotSupported")


@pytest.mark.parametrize("grant", ["read", "write", "read-acp", "write-acp", "full-control"])
def test_grants(raw, bucket, grant):
    refused(raw.call("PUT", bucket, "k", body=b"x", headers={f"x-amz-grant-{grant}": "id=abc"}), 400, "AccessControlListNotSupported")
