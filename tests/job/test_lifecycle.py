"""Lifecycle rules under a day of two seconds: what ends, what stays, and what the calls answer."""
import random
import time

import pytest
from botocore.exceptions import ClientError

DAY = 2
FAST = ["--lifecycle-day-seconds", str(DAY), "--lifecycle-interval", "200", "--reap-interval", "1000"]


def code_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def make(s3, name):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    return name


def rules(s3, bucket, *given):
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": list(given)})


def rule(filter=None, **actions):
    return {"Status": "Enabled", "Filter": {} if filter is None else filter, **actions}


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("not so in time")


def keys(s3, bucket):
    return {o["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket) for o in page.get("Contents", [])}


def versions(s3, bucket):
    page = s3.list_object_versions(Bucket=bucket)
    return [(v["Key"], v["VersionId"]) for v in page.get("Versions", [])], [(m["Key"], m["VersionId"]) for m in page.get("DeleteMarkers", [])]


def test_calls(new_store):
    s3 = new_store().client()
    bucket = make(s3, "calls")
    assert code_of(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == ("NoSuchLifecycleConfiguration", 404)
    given = [
        {"ID": "one", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}},
        {"ID": "two", "Status": "Disabled", "Filter": {"And": {"Prefix": "", "Tags": [{"Key": "k", "Value": "v"}], "ObjectSizeGreaterThan": 5}},
         "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2}},
        {"ID": "three", "Status": "Enabled", "Filter": {}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
    ]
    rules(s3, bucket, *given)
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == given
    s3.delete_bucket_lifecycle(Bucket=bucket)
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert code_of(s3.get_bucket_lifecycle_configuration, Bucket=bucket)[0] == "NoSuchLifecycleConfiguration"
    transition = rule(Transitions=[{"Days": 30, "StorageClass": "STANDARD_IA"}])
    code, status = code_of(s3.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration={"Rules": [transition]})
    assert (code, status) == ("NotImplemented", 501)
    assert code_of(s3.get_bucket_lifecycle_configuration, Bucket=bucket)[0] == "NoSuchLifecycleConfiguration"


def test_objects_end(new_store):
    s3 = new_store(*FAST).client()
    bucket = make(s3, "ends")
    for key in ("tmp/a", "tmp/b", "keep", "tmpx"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    s3.put_object(Bucket=bucket, Key="tagged", Body=b"x", Tagging="go=yes&more=1")
    s3.put_object(Bucket=bucket, Key="tagged-other", Body=b"x", Tagging="go=no")
    s3.put_object(Bucket=bucket, Key="large", Body=b"x" * 5000)
    rules(s3, bucket, rule({"Prefix": "tmp/"}, Expiration={"Days": 1}), rule({"Tag": {"Key": "go", "Value": "yes"}}, Expiration={"Days": 1}),
          rule({"ObjectSizeGreaterThan": 4999}, Expiration={"Days": 1}),
          {"Status": "Disabled", "Filter": {"Prefix": "keep"}, "Expiration": {"Days": 1}})
    began = time.time()
    until(lambda: keys(s3, bucket) == {"keep", "tmpx", "tagged-other"})
    assert time.time() - began > DAY / 2
    time.sleep(2 * DAY)
    assert keys(s3, bucket) == {"keep", "tmpx", "tagged-other"}


def test_a_replaced_object_stays(new_store):
    s3 = new_store(*FAST).client()
    bucket = make(s3, "replaced")
    rules(s3, bucket, rule(Expiration={"Days": 1}))
    for _ in range(20):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
        time.sleep(0.25)
        s3.head_object(Bucket=bucket, Key="k")
    until(lambda: not keys(s3, bucket))


def test_versions_markers_uploads(new_store):
    s3 = new_store(*FAST).client()
    bucket = make(s3, "versions")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ids = [s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % i)["VersionId"] for i in range(5)]
    s3.put_object(Bucket=bucket, Key="gone", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="gone")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="up")["UploadId"]
    rules(s3, bucket, rule(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 2}),
          rule({"Prefix": "up"}, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1}))
    until(lambda: sorted(v for k, v in versions(s3, bucket)[0] if k == "k") == sorted(ids[2:]))
    until(lambda: not s3.list_multipart_uploads(Bucket=bucket).get("Uploads"))
    assert code_of(s3.list_parts, Bucket=bucket, Key="up", UploadId=upload)[0] == "NoSuchUpload"
    # "gone" keeps its two newest noncurrent versions: its only one. Without that, both go: the version, then the lone marker.
    rules(s3, bucket, rule({"Prefix": "gone"}, NoncurrentVersionExpiration={"NoncurrentDays": 1}, Expiration={"ExpiredObjectDeleteMarker": True}))
    until(lambda: versions(s3, bucket)[1] == [] and not [k for k, _ in versions(s3, bucket)[0] if k == "gone"])
    # A current version that ends leaves a marker, and its version is noncurrent.
    rules(s3, bucket, rule({"Prefix": "k"}, Expiration={"Days": 1}))
    until(lambda: [k for k, _ in versions(s3, bucket)[1]] == ["k"])
    assert len(versions(s3, bucket)[0]) == 3


def test_more_than_a_page(new_store):
    s3 = new_store(*FAST).client()
    bucket = make(s3, "pages")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for i in range(30):
        s3.put_object(Bucket=bucket, Key=f"many-{i % 3}", Body=b"x")
    rules(s3, bucket, rule(Expiration={"Days": 1}, NoncurrentVersionExpiration={"NoncurrentDays": 1}))
    until(lambda: versions(s3, bucket) == ([], []))


@pytest.mark.parametrize("seed", [1, 2])
def test_as_the_model(new_store, seed):
    """Random rules and objects in a bucket without versions: what is left is what a few lines of Python say."""
    rng = random.Random(seed)
    s3 = new_store(*FAST).client()
    bucket = make(s3, "model")
    objects, given = {}, []
    for i in range(60):
        key = rng.choice(["a/", "b/", "a/b/", ""]) + str(i)
        tags = {t: str(rng.randint(0, 1)) for t in ("x", "y") if rng.random() < 0.5}
        size = rng.randint(0, 20)
        s3.put_object(Bucket=bucket, Key=key, Body=b"z" * size, Tagging="&".join(f"{k}={v}" for k, v in tags.items()))
        objects[key] = (size, tags)
    for _ in range(rng.randint(1, 4)):
        parts = {}
        if rng.random() < 0.6:
            parts["Prefix"] = rng.choice(["a/", "b/", "a/b/", "zz"])
        if rng.random() < 0.4:
            parts["Tags"] = [{"Key": rng.choice("xy"), "Value": "1"}]
        if rng.random() < 0.4:
            parts["ObjectSizeGreaterThan"] = rng.randint(0, 20)
        single = len(parts) == 1
        if single and "Tags" in parts:
            parts = {"Tag": parts["Tags"][0]}
        given.append(rule(parts if len(parts) <= 1 else {"And": parts}, Expiration={"Days": 1}))

    def ends(key):
        size, tags = objects[key]
        for r in given:
            f = r["Filter"].get("And", r["Filter"])
            wanted = f.get("Tags", [f["Tag"]] if "Tag" in f else [])
            if key.startswith(f.get("Prefix", "")) and all(tags.get(t["Key"]) == t["Value"] for t in wanted) \
                    and size > f.get("ObjectSizeGreaterThan", -1):
                return True
        return False

    rules(s3, bucket, *given)
    left = {key for key in objects if not ends(key)}
    until(lambda: keys(s3, bucket) == left)
    time.sleep(DAY)
    assert keys(s3, bucket) == left
