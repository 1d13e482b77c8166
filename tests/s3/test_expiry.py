"""x-amz-expiration, x-amz-abort-date, x-amz-abort-rule-id: which answers carry them, and what they say to the letter."""
import email.utils
import time

import pytest
from test_form import ANY, encode, post, signed

DAY = 86400
HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"
RULES = [
    {"ID": "tmp rule/é", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 3}},
    {"ID": "later", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 5}},
    {"ID": "off", "Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}},
    {"ID": "tagged", "Status": "Enabled", "Filter": {"Tag": {"Key": "k", "Value": "v"}}, "Expiration": {"Days": 1}},
    {"ID": "date", "Status": "Enabled", "Filter": {"Prefix": "dated"}, "Expiration": {"Date": "2099-12-31T00:00:00Z"}},
    {"ID": "large", "Status": "Enabled", "Filter": {"ObjectSizeGreaterThan": 1000}, "Expiration": {"Days": 2}},
    {"Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
    {"ID": "abort", "Status": "Enabled", "Filter": {"Prefix": "up/"}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
]


@pytest.fixture
def ruled(s3, bucket):
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": RULES})
    return bucket


def day_after(seconds, days):
    """Rounded up to the next midnight UTC, as HTTP says it."""
    return time.strftime(HTTP_DATE, time.gmtime(((int(seconds) + days * DAY) // DAY + 1) * DAY))


def want(raw, bucket, key, days, id):
    """The header that an object made just now must have; two if midnight passed meanwhile."""
    head = raw.call("HEAD", bucket, key)
    made = email.utils.parsedate_to_datetime(head.headers["last-modified"]).timestamp()
    return f'expiry-date="{day_after(made, days)}", rule-id="{id}"'


TMP = (3, "tmp%20rule%2F%C3%A9")


def test_answers(store, raw, ruled):
    says = lambda answer: answer.headers.get("x-amz-expiration")
    made = raw.call("PUT", ruled, "tmp/a", body=b"x" * 5)
    header = want(raw, ruled, "tmp/a", *TMP)
    assert says(made) == header
    assert says(raw.call("GET", ruled, "tmp/a")) == header
    assert says(raw.call("GET", ruled, "tmp/a", headers={"range": "bytes=0-1"})) == header
    assert says(raw.call("HEAD", ruled, "tmp/a")) == header
    assert says(raw.call("GET", ruled, "tmp/a", headers={"if-none-match": made.headers["etag"]})) is None
    copied = raw.call("PUT", ruled, "tmp/b", headers={"x-amz-copy-source": f"{ruled}/tmp/a"})
    assert says(copied) == want(raw, ruled, "tmp/b", *TMP)
    assert says(post(store, ruled, encode(signed(store, [("key", "tmp/c")], [ANY])))) == want(raw, ruled, "tmp/c", *TMP)
    assert says(raw.call("PUT", ruled, "kept", headers={"x-amz-copy-source": f"{ruled}/tmp/a"})) is None
    assert says(raw.call("HEAD", ruled, "kept")) is None


def test_which_rule(raw, ruled):
    put = lambda key, body=b"x", **headers: raw.call("PUT", ruled, key, body=body, headers=headers).headers.get("x-amz-expiration")
    assert put("dated") == 'expiry-date="Thu, 31 Dec 2099 00:00:00 GMT", rule-id="date"'
    assert put("t", **{"x-amz-tagging": "a=b&k=v"}) == want(raw, ruled, "t", 1, "tagged")
    assert put("t", **{"x-amz-tagging": "k=w"}) is None
    assert put("l", b"x" * 1000) is None
    assert put("l", b"x" * 1001) == want(raw, ruled, "l", 2, "large")


def test_uploads(s3, raw, ruled):
    said = {"tmp/u": ("", 7), "up/u": ("abort", 1), "u": None}
    for key, rule in said.items():
        upload = s3.create_multipart_upload(Bucket=ruled, Key=key)
        part = s3.upload_part(Bucket=ruled, Key=key, UploadId=upload["UploadId"], PartNumber=1, Body=b"x")
        parts = s3.list_parts(Bucket=ruled, Key=key, UploadId=upload["UploadId"])
        started = s3.list_multipart_uploads(Bucket=ruled)["Uploads"][0]["Initiated"].timestamp()
        for answer in (upload, parts):
            headers = answer["ResponseMetadata"]["HTTPHeaders"]
            date = rule and day_after(started, rule[1])
            assert (headers.get("x-amz-abort-date"), headers.get("x-amz-abort-rule-id")) == (date, rule and rule[0]), key
        done = s3.complete_multipart_upload(Bucket=ruled, Key=key, UploadId=upload["UploadId"], MultipartUpload={
            "Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
        assert done.get("Expiration") == (want(raw, ruled, key, *TMP) if key.startswith("tmp/") else None)


def test_versions_and_changes(s3, raw, ruled):
    s3.put_bucket_versioning(Bucket=ruled, VersioningConfiguration={"Status": "Enabled"})
    old = s3.put_object(Bucket=ruled, Key="tmp/k", Body=b"1")["VersionId"]
    s3.put_object(Bucket=ruled, Key="tmp/k", Body=b"2")
    assert "Expiration" not in s3.get_object(Bucket=ruled, Key="tmp/k", VersionId=old)
    assert s3.get_object(Bucket=ruled, Key="tmp/k")["Expiration"] == want(raw, ruled, "tmp/k", *TMP)
    # what is kept of the rules goes with the configuration
    s3.put_bucket_lifecycle_configuration(Bucket=ruled, LifecycleConfiguration={"Rules": RULES[1:2]})
    assert s3.get_object(Bucket=ruled, Key="tmp/k")["Expiration"] == want(raw, ruled, "tmp/k", 5, "later")
    s3.delete_bucket_lifecycle(Bucket=ruled)
    assert "Expiration" not in s3.get_object(Bucket=ruled, Key="tmp/k")
