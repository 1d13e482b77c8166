"""Requests at the edge of what clients send: stray sub-resources, owners that are expected, checksums that nobody knows."""
import socket

import pytest

from s3lib import refused


@pytest.fixture
def made(s3, raw, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"bytes")
    yield bucket
    assert raw.call("GET", bucket, "k").body == b"bytes"	# whatever was tried


def fails(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer


@pytest.mark.parametrize("method,key,name", [
    ("DELETE", "k", "acl"), ("DELETE", "k", "attributes"), ("DELETE", "k", "legal-hold"), ("DELETE", "k", "retention"),
    ("DELETE", "k", "uploads"), ("DELETE", "k", "restore"), ("PUT", "k", "torrent"), ("PUT", "k", "uploads"), ("PUT", "k", "attributes"),
    ("DELETE", "", "acl"), ("DELETE", "", "versioning"), ("DELETE", "", "location"), ("DELETE", "", "notification"),
    ("PUT", "", "location"), ("PUT", "", "versions")])
def test_stray_subresources(raw, made, method, key, name):
    """A method that a sub-resource does not know is not taken for one on the object or bucket itself."""
    fails(raw.call(method, made, key, query={name: ""}), 405, "MethodNotAllowed")


def test_stray_subresource_of_an_empty_bucket(raw, bucket):
    fails(raw.call("DELETE", bucket, query={"acl": ""}), 405, "MethodNotAllowed")
    assert raw.call("HEAD", bucket).status == 200


def test_not_implemented_is_no_listing(raw, made):
    fails(raw.call("GET", made, query={"abac": ""}), 501, "NotImplemented")


def test_expected_owner(s3, raw, made):
    owner = s3.get_bucket_acl(Bucket=made)["Owner"]["ID"]
    right, wrong = {"x-amz-expected-bucket-owner": owner}, {"x-amz-expected-bucket-owner": "123456789012"}
    for method, key, more in (("GET", "", {}), ("HEAD", "", {}), ("GET", "k", {}), ("HEAD", "k", {}), ("DELETE", "none", {}),
                              ("PUT", "new", {}), ("POST", "new", {"uploads": ""}), ("GET", "", {"location": ""})):
        answer = raw.call(method, made, key, query=more, headers=wrong)
        assert answer.status == 403 and (method == "HEAD" or answer.code == "AccessDenied"), (method, key, answer)
        assert raw.call(method, made, key, query=more, headers=right).status in (200, 204), (method, key)
    source = {"x-amz-copy-source": f"{made}/k"}
    fails(raw.call("PUT", made, "c", headers={**source, "x-amz-source-expected-bucket-owner": "123456789012"}), 403, "AccessDenied")
    assert raw.call("PUT", made, "c", headers={**source, "x-amz-source-expected-bucket-owner": owner}).status == 200


def test_default_size_of_transitions(s3, made):
    """Terraform waits until it reads this back."""
    rules = {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 9}}]}
    put = lambda size: s3.put_bucket_lifecycle_configuration(Bucket=made, LifecycleConfiguration=rules, TransitionDefaultMinimumObjectSize=size)
    assert put("all_storage_classes_128K")["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    got = s3.get_bucket_lifecycle_configuration(Bucket=made)
    assert (got["Rules"], got["TransitionDefaultMinimumObjectSize"]) == (rules["Rules"], "all_storage_classes_128K")
    with refused("NotImplemented", 501):
        put("varies_by_storage_class")
    with refused("InvalidRequest", 400):
        put("none")


READ_BY_TERRAFORM = {     # of a bucket that was just made, in the provider's order: what is there, or the error that it takes for nothing
    "get_bucket_policy": "NoSuchBucketPolicy", "get_bucket_acl": None, "get_bucket_cors": "NoSuchCORSConfiguration",
    "get_bucket_website": "NotImplemented", "get_bucket_versioning": None, "get_bucket_accelerate_configuration": "NotImplemented",
    "get_bucket_request_payment": "NotImplemented", "get_bucket_logging": "NotImplemented",
    "get_bucket_lifecycle_configuration": "NoSuchLifecycleConfiguration", "get_bucket_replication": "NotImplemented",
    "get_bucket_encryption": "NotImplemented", "get_object_lock_configuration": "NotImplemented", "get_bucket_tagging": None}


def test_what_terraform_reads(s3):
    """Creating, refreshing and destroying an aws_s3_bucket: no answer is one that its provider stops at, or tries again."""
    bucket = "made-by-terraform"
    s3.create_bucket(Bucket=bucket, ACL="private", CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    for call, code in READ_BY_TERRAFORM.items():
        try:
            answer, got = getattr(s3, call)(Bucket=bucket)["ResponseMetadata"], None
        except s3.exceptions.ClientError as e:
            answer, got = e.response["ResponseMetadata"], e.response["Error"]["Code"]
        assert (got, answer["RetryAttempts"]) == (code, 0), call
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == "US-TEST-01A"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="a//b", Body=b"")
    s3.delete_object(Bucket=bucket, Key="a//b")
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=bucket)
    listed = s3.list_object_versions(Bucket=bucket)
    gone = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in listed["Versions"] + listed["DeleteMarkers"]]
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": gone})["Deleted"]) == 2
    s3.delete_bucket(Bucket=bucket)
    with refused("NoSuchBucket", 404):
        s3.get_bucket_policy(Bucket=bucket)


def test_tags_through_s3_control(store, s3, made, monkeypatch):
    """Terraform reads and writes the tags of buckets there. SDKs put the account in front of the host."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **named: resolve("127.0.0.1" if host.endswith(".localhost") else host, *more, **named))
    control = store.client("s3control", endpoint_url=f"http://localhost:{store.port}")
    resource = {"AccountId": "123456789012", "ResourceArn": "arn:aws:s3:::" + made}
    listed = lambda: control.list_tags_for_resource(**resource)["Tags"]
    assert listed() == []
    a, b, new_a = {"Key": "a", "Value": "1"}, {"Key": "b é", "Value": ""}, {"Key": "a", "Value": "2"}
    control.tag_resource(Tags=[a, b], **resource)
    assert listed() == [a, b] == s3.get_bucket_tagging(Bucket=made)["TagSet"]
    control.tag_resource(Tags=[new_a], **resource)
    assert listed() == [b, new_a]
    with refused("BadRequest", 400):
        control.tag_resource(Tags=[{"Key": f"k{i}", "Value": ""} for i in range(9)], **resource)
    control.untag_resource(TagKeys=["a", "none"], **resource)
    assert listed() == [b]
    control.untag_resource(TagKeys=["b é"], **resource)
    assert listed() == [] == s3.get_bucket_tagging(Bucket=made)["TagSet"]
    with refused("NoSuchBucket", 404):
        control.list_tags_for_resource(AccountId="123456789012", ResourceArn="arn:aws:s3:::no-such-bucket")
    with refused("NotImplemented", 501):
        control.list_access_points(AccountId="123456789012")


def test_unknown_checksum(raw, made):
    fails(raw.call("PUT", made, "c", headers={"x-amz-checksum-xxhash128": "AAAA"}, body=b"x"), 400, "InvalidRequest")
    assert raw.call("HEAD", made, "c").status == 404


def test_missing_source_is_named(raw, made):
    answer = raw.call("PUT", made, "target", headers={"x-amz-copy-source": f"{made}/no-source"})
    fails(answer, 404, "NoSuchKey")
    assert b"<Key>no-source</Key>" in answer.body


def test_bad_number_is_named(raw, made):
    answer = raw.call("GET", made, query={"uploads": "", "max-uploads": "many"})
    fails(answer, 400, "InvalidArgument")
    assert b"<Message>max-uploads must be a number" in answer.body
