"""Tags of objects and buckets, and their limits."""
import botocore.exceptions
import pytest

from uploads import refused, text, texts


def tag_set(tags):
    return [{"Key": k, "Value": v} for k, v in tags.items()]


def read(s3, bucket, key, **more):
    return {t["Key"]: t["Value"] for t in s3.get_object_tagging(Bucket=bucket, Key=key, **more)["TagSet"]}


def body(tags):
    return ("<Tagging><TagSet>" + "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in tags) + "</TagSet></Tagging>").encode()


def test_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="from=upload")
    before = s3.head_object(Bucket=bucket, Key="k")
    assert read(s3, bucket, "k") == {"from": "upload"}
    tags = {"a": "1", "empty": "", "ümläut": "wörld ☃", "sym": "+ - = . _ : / @"}
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tag_set(tags)})
    assert read(s3, bucket, "k") == tags
    after = s3.head_object(Bucket=bucket, Key="k")
    assert (after["LastModified"], after["ETag"]) == (before["LastModified"], before["ETag"])
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 4
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": []})
    assert read(s3, bucket, "k") == {}
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tag_set({"a": "1"})})
    answer = s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204 and read(s3, bucket, "k") == {}


def test_versions(s3, raw, bucket):
    raw.call("PUT", bucket, "k", body=b"null")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old, new = (raw.call("PUT", bucket, "k", body=b"x").headers["x-amz-version-id"] for _ in "ab")
    put = s3.put_object_tagging(Bucket=bucket, Key="k", VersionId=old, Tagging={"TagSet": tag_set({"o": "1"})})
    assert put["VersionId"] == old
    assert s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tag_set({"n": "1"})})["VersionId"] == new
    s3.put_object_tagging(Bucket=bucket, Key="k", VersionId="null", Tagging={"TagSet": tag_set({"z": "1"})})
    assert (read(s3, bucket, "k"), read(s3, bucket, "k", VersionId=old), read(s3, bucket, "k", VersionId="null")) == \
        ({"n": "1"}, {"o": "1"}, {"z": "1"})
    assert s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=old)["VersionId"] == old
    s3.delete_object_tagging(Bucket=bucket, Key="k", VersionId=old)
    assert (read(s3, bucket, "k"), read(s3, bucket, "k", VersionId=old)) == ({"n": "1"}, {})
    marker = raw.call("DELETE", bucket, "k").headers["x-amz-version-id"]
    for method in ("GET", "DELETE", "PUT"):
        refused(raw.call(method, bucket, "k", query={"tagging": ""}, body=body([]) if method == "PUT" else b""), 404, "NoSuchKey")
        refused(raw.call(method, bucket, "k", query={"tagging": "", "versionId": marker}, body=body([]) if method == "PUT" else b""),
                405, "MethodNotAllowed")
    refused(raw.call("GET", bucket, "k", query={"tagging": "", "versionId": "0" * 32}), 404, "NoSuchVersion")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_nothing_there(raw, bucket, method):
    refused(raw.call(method, bucket, "none", query={"tagging": ""}, body=body([]) if method == "PUT" else b""), 404, "NoSuchKey")


GOOD = [[("k" * 128, "v" * 256)], [(f"k{i}", "v") for i in range(10)], [("ä" * 128, "ö" * 256)], [("Aws", "v")]]
BAD = [[("k" * 129, "v")], [("k", "v" * 257)], [("", "v")], [(f"k{i}", "v") for i in range(11)], [("k", "1"), ("k", "2")], [("aws:x", "v")],
       [("a*b", "v")], [("a", "v;")], [("a\n", "v")]]


@pytest.mark.parametrize("key", ["k", ""])
@pytest.mark.parametrize("tags", GOOD)
def test_limits_kept(raw, bucket, key, tags):
    raw.call("PUT", bucket, "k", body=b"x")
    answer = raw.call("PUT", bucket, key, query={"tagging": ""}, body=body(tags))
    assert answer.status == (200 if key else 204), answer
    assert len(texts(raw.call("GET", bucket, key, query={"tagging": ""}), "Key")) == len(tags)


@pytest.mark.parametrize("key", ["k", ""])
@pytest.mark.parametrize("tags", BAD)
def test_limits_passed(raw, bucket, key, tags):
    raw.call("PUT", bucket, "k", body=b"x")
    refused(raw.call("PUT", bucket, key, query={"tagging": ""}, body=body(tags)), 400, "BadRequest" if len(tags) > 10 else "InvalidTag")


@pytest.mark.parametrize("key", ["k", ""])
@pytest.mark.parametrize("xml", ["", "<", "<Tagging/>", "<TagSet/>", "<Tagging><TagSet><Tag/></TagSet></Tagging>",
                                 "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>", "<Tagging><TagSet/><TagSet/></Tagging>",
                                 "<Tagging><TagSet><Label><Key>k</Key><Value>v</Value></Label></TagSet></Tagging>",
                                 "<Tagging><TagSet><Tag><Key>k</Key><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"])
def test_malformed(raw, bucket, key, xml):
    raw.call("PUT", bucket, "k", body=b"x")
    refused(raw.call("PUT", bucket, key, query={"tagging": ""}, body=xml.encode()), 400, "MalformedXML")


def test_bucket(s3, raw, bucket):
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == []
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b&<", "Value": ""}]
    refused(raw.call("PUT", bucket, query={"tagging": ""}, body=body([("b&amp;&lt;", "")])), 400, "InvalidTag")
    tags[1]["Key"] = "b"
    assert s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags[:1]})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags[:1]
    assert s3.delete_bucket_tagging(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == []
    s3.delete_bucket_tagging(Bucket=bucket)


def test_bucket_in_dialect_aws(new_store):
    s3 = new_store("--s3-dialect", "aws").client()
    s3.create_bucket(Bucket="t-tags")
    with pytest.raises(botocore.exceptions.ClientError) as failure:
        s3.get_bucket_tagging(Bucket="t-tags")
    assert failure.value.response["Error"]["Code"] == "NoSuchTagSet"
    assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_tags_survive_overwrites_of_none_but_their_own(s3, raw, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="t=1")
    s3.put_object(Bucket=bucket, Key="k", Body=b"y")
    assert read(s3, bucket, "k") == {}
    assert text(raw.call("GET", bucket, "k", query={"tagging": ""}), "Key") is None
