"""Buckets: names, places, making them again, emptiness, and listing them."""
import os
import sys
import urllib.error
import urllib.request
import uuid

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "control"))

from api import Api  # noqa: E402
from s3lib import Client, refused  # noqa: E402

ZONE = "US-TEST-01A"


def fresh(prefix="b"):
    return f"{prefix}-{uuid.uuid4().hex[:16]}"


def create(s3, name, zone=ZONE):
    return s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": zone})


@pytest.fixture(scope="module")
def aws(build):
    from store import Store
    running = Store(build, "--s3-dialect", "aws", "--region", "eu-west-1")
    yield running
    running.close()


def test_life(s3):
    name = fresh()
    answer = create(s3, name)
    assert answer["Location"] == f"/{name}"
    head = s3.head_bucket(Bucket=name)
    assert head["BucketRegion"] == ZONE
    with pytest.raises(urllib.error.HTTPError) as nobody:		# as SDKs find out where a bucket lies
        urllib.request.urlopen(urllib.request.Request(s3.meta.endpoint_url + "/" + name, method="HEAD"), timeout=10)
    assert (nobody.value.code, nobody.value.headers["x-amz-bucket-region"]) == (403, ZONE)
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == ZONE
    listed = {b["Name"]: b for b in s3.list_buckets()["Buckets"]}
    assert listed[name]["BucketRegion"] == ZONE
    assert s3.delete_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("404", 404):
        s3.head_bucket(Bucket=name)
    with refused("NoSuchBucket", 404) as r:
        s3.list_objects_v2(Bucket=name)
    assert r.error["Error"]["BucketName"] == name
    with refused("NoSuchBucket", 404):
        s3.delete_bucket(Bucket=name)


BODY = (f"<CreateBucketConfiguration xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><LocationConstraint>{ZONE}"
        "</LocationConstraint></CreateBucketConfiguration>").encode()


@pytest.mark.parametrize("name", ["ab", "a" * 64, "-abc", "abc-", "Upper", "a_b", "a.b", "a b", "xn--abc", "cw-x", "vip-x",
                                  "log-stitcher-ch-x", "int", "é-bucket"])
def test_bad_names(raw, name):
    answer = raw.call("PUT", name, body=BODY)
    assert (answer.status, answer.code) == (400, "InvalidBucketName"), answer
    assert raw.call("HEAD", name).status == 400
    assert raw.call("GET", name).code == "InvalidBucketName"


@pytest.mark.parametrize("name", ["abc", "a" * 63, "1-2", "0x0", "cwx", "int0", "a--b", "vip", "xn-abc"])
def test_good_names(raw, name):
    assert raw.call("PUT", name, body=BODY).status == 200
    assert raw.call("DELETE", name).status == 204


@pytest.mark.parametrize("name", ["a..b", "192.168.5.4", "xn--abc", "sthree-x", "amzn-s3-demo-x", "x-s3alias", "x--ol-s3", "x.mrap",
                                  "x--x-s3", "x--table-s3", ".abc", "abc.", "a_b", "Upper"])
def test_bad_names_aws(aws, name):
    client = Client(aws.host, aws.port, aws.key, aws.secret)
    answer = client.call("PUT", name)
    client.close()
    assert (answer.status, answer.code) == (400, "InvalidBucketName"), answer


@pytest.mark.parametrize("name", ["a.b.c", "cw-x", "int", "1.2.3", "192.168.5.400"])
def test_good_names_aws(aws, name):
    client = Client(aws.host, aws.port, aws.key, aws.secret)
    assert client.call("PUT", name).status == 200
    assert client.call("DELETE", name).status == 204
    client.close()


def test_location_is_required(s3, raw):
    with refused("IllegalLocationConstraintException", 400):
        s3.create_bucket(Bucket=fresh())
    answer = raw.call("PUT", fresh(), body=b"<CreateBucketConfiguration/>")
    assert answer.code == "IllegalLocationConstraintException"


@pytest.mark.parametrize("zone", ["a b", "é", "x" * 64, "a/b", "a&amp;b"])
def test_bad_locations(raw, zone):
    answer = raw.call("PUT", fresh(), body=BODY.replace(ZONE.encode(), zone.encode()))
    assert (answer.status, answer.code) == (400, "InvalidLocationConstraint"), answer


def test_zones(new_store):
    s3 = new_store("--zones", "ZONE-1,ZONE-2").client()
    create(s3, "one", "ZONE-1")
    create(s3, "two", "ZONE-2")
    with refused("InvalidLocationConstraint", 400):
        create(s3, "three", "ZONE-3")


@pytest.mark.parametrize("body", [b"<CreateBucketConfiguration>", b"junk", b"<Other/>", b"<a><b></a></b>",
                                  b"<!DOCTYPE x [<!ENTITY e 'v'>]><CreateBucketConfiguration>&e;</CreateBucketConfiguration>",
                                  b"<CreateBucketConfiguration>" + b" " * 70000 + b"</CreateBucketConfiguration>"])
def test_malformed_body(raw, body):
    answer = raw.call("PUT", fresh(), body=body)
    assert (answer.status, answer.code) == (400, "MalformedXML"), answer


@pytest.mark.parametrize("part,status,code", [
    ("<Location><Name>x</Name><Type>AvailabilityZone</Type></Location>", 501, "NotImplemented"),
    ("<Tags><Tag><Key>a</Key></Tag></Tags>", 400, "MalformedXML"),
    ("<Tags><Tag><Key>a</Key><Value>b</Value></Tag><Tag><Key>a</Key><Value>c</Value></Tag></Tags>", 400, "InvalidTag"),
    ("<Tags><Tag><Key>aws:a</Key><Value>b</Value></Tag></Tags>", 400, "InvalidTag")])
def test_refused_body(raw, part, status, code):
    name = fresh()
    answer = raw.call("PUT", name, body=BODY.replace(b"</Create", part.encode() + b"</Create"))
    assert (answer.status, answer.code) == (status, code), answer
    assert raw.call("HEAD", name).status == 404


def test_tags_at_creation(s3):
    name, tags = fresh(), [{"Key": "team", "Value": "a b"}, {"Key": "é", "Value": ""}]
    configuration = {"LocationConstraint": ZONE, "Tags": tags}
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=configuration)
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=configuration)	# a retry
    with refused("BucketAlreadyOwnedByYou", 409):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={**configuration, "Tags": tags[:1]})
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=name)
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == []
    s3.delete_bucket(Bucket=name)


def test_tags_at_creation_need_permission(store):
    api = Api(store)
    principal, _ = api.user(fresh())
    key = api.call("POST", "/v1/cwobject/access-key", {"durationSeconds": 0, "principalName": principal})
    api.policy("creator", [principal], ["s3:CreateBucket", "s3:PutBucketTagging", "s3:DeleteBucket"])
    s3 = store.client(aws_access_key_id=key["accessKeyId"], aws_secret_access_key=key["secretKey"])
    name = fresh()
    with refused("AccessDenied", 403):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": ZONE, "Tags": [{"Key": "a", "Value": "b"}]})
    create(s3, name)
    s3.delete_bucket(Bucket=name)


@pytest.mark.parametrize("header,value,status,code", [
    ("x-amz-bucket-object-lock-enabled", "true", 501, "NotImplemented"),
    ("x-amz-bucket-object-lock-enabled", "false", 200, None),
    ("x-amz-object-ownership", "ObjectWriter", 501, "NotImplemented"),
    ("x-amz-object-ownership", "BucketOwnerEnforced", 200, None),
    ("x-amz-acl", "public-read", 400, "AccessControlListNotSupported"),
    ("x-amz-acl", "private", 200, None),
    ("x-amz-grant-read", "id=1", 400, "AccessControlListNotSupported"),
])
def test_headers(raw, header, value, status, code):
    name = fresh()
    answer = raw.call("PUT", name, headers={header: value}, body=BODY)
    assert (answer.status, answer.code) == (status, code), answer
    assert raw.call("DELETE", name).status == (204 if status == 200 else 404)


def test_again(s3):
    name = fresh()
    create(s3, name)
    create(s3, name)
    with refused("BucketAlreadyOwnedByYou", 409):
        create(s3, name, "US-OTHER-01A")
    s3.delete_bucket(Bucket=name)
    create(s3, name, "US-OTHER-01A")
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "US-OTHER-01A"
    s3.delete_bucket(Bucket=name)


def test_aws_dialect(aws):
    s3 = aws.client()
    name = fresh()
    s3.create_bucket(Bucket=name)
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    with refused("BucketAlreadyOwnedByYou", 409):
        s3.create_bucket(Bucket=name)
    s3.delete_bucket(Bucket=name)
    create(s3, name, "us-east-1")
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    s3.delete_bucket(Bucket=name)


def test_buckets_max(new_store):
    s3 = new_store("--buckets-max", "2").client()
    create(s3, "one")
    create(s3, "two")
    with refused("TooManyBuckets", 400):
        create(s3, "three")
    create(s3, "two")
    s3.delete_bucket(Bucket="one")
    create(s3, "three")


def test_delete_needs_emptiness(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="k")

    upload = s3.create_multipart_upload(Bucket=bucket, Key="u")["UploadId"]
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=bucket)
    s3.abort_multipart_upload(Bucket=bucket, Key="u", UploadId=upload)

    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    s3.delete_bucket(Bucket=bucket)
    create(s3, bucket)


# ---- listing ----

@pytest.fixture(scope="module")
def seven(s3):
    stem = fresh("l")
    names = [f"{stem}-{i}" for i in range(7)]
    for i, name in enumerate(names):
        create(s3, name, "ZONE-ODD" if i % 2 else "ZONE-EVEN")
    yield stem, names
    for name in names:
        s3.delete_bucket(Bucket=name)


@pytest.mark.parametrize("page", [1, 2, 3, 6, 7, 8, 10000])
def test_list_pages(s3, seven, page):
    stem, names = seven
    found, token, pages = [], {}, 0
    while True:
        answer = s3.list_buckets(Prefix=stem, MaxBuckets=page, **token)
        found += [b["Name"] for b in answer["Buckets"]]
        pages += 1
        assert len(answer["Buckets"]) <= page and answer["Prefix"] == stem
        if not answer.get("ContinuationToken"):
            break
        token = {"ContinuationToken": answer["ContinuationToken"]}
    assert found == names and pages == -(-7 // page)


def test_list_region(s3, seven):
    stem, names = seven
    answer = s3.list_buckets(Prefix=stem, BucketRegion="ZONE-ODD", MaxBuckets=2)
    assert [b["Name"] for b in answer["Buckets"]] == names[1:5:2]
    answer = s3.list_buckets(Prefix=stem, BucketRegion="ZONE-ODD", MaxBuckets=2, ContinuationToken=answer["ContinuationToken"])
    assert [b["Name"] for b in answer["Buckets"]] == [names[5]] and "ContinuationToken" not in answer
    assert s3.list_buckets(Prefix=stem, BucketRegion="NOWHERE")["Buckets"] == []


def test_list_prefix_of_nothing(s3):
    answer = s3.list_buckets(Prefix="no-such-bucket-")
    assert answer["Buckets"] == [] and answer["Owner"]["ID"]


@pytest.mark.parametrize("query", [{"max-buckets": "0"}, {"max-buckets": "10001"}, {"max-buckets": "x"}, {"max-buckets": ""},
                                   {"max-buckets": "-1"}, {"continuation-token": ""}, {"continuation-token": "junk"},
                                   {"continuation-token": "AmE="}, {"continuation-token": "AQ=="}])
def test_list_arguments(raw, query):
    answer = raw.call("GET", "", query=query)
    assert (answer.status, answer.code) == (400, "InvalidArgument"), answer
