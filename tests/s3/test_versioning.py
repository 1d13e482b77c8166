"""The versioning of a bucket, as it is set and read; what it does to objects is told in the tests of each call."""
import pytest

from uploads import refused, text


def put(raw, bucket, inner, root="VersioningConfiguration", **headers):
    return raw.call("PUT", bucket, query={"versioning": ""}, body=f"<{root}>{inner}</{root}>".encode(), headers=headers)


def test_states(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for state in ("Suspended", "Enabled", "Enabled", "Suspended"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": state})
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == state


def test_never_versioned_is_empty(raw, bucket):
    answer = raw.call("GET", bucket, query={"versioning": ""})
    assert answer.status == 200 and answer.headers["content-type"] == "application/xml"
    assert b"<Status>" not in answer.body and b"VersioningConfiguration" in answer.body


@pytest.mark.parametrize("inner,status,code", [
    ("<Status>On</Status>", 400, "MalformedXML"), ("<Status>enabled</Status>", 400, "MalformedXML"), ("<Status/>", 400, "MalformedXML"),
    ("", 400, "IllegalVersioningConfigurationException"), ("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>", 501, "NotImplemented"),
    ("<Status>Enabled</Status><MfaDelete>Perhaps</MfaDelete>", 400, "MalformedXML"), ("<Status>", 400, "MalformedXML")])
def test_refused(raw, bucket, inner, status, code):
    refused(put(raw, bucket, inner), status, code)
    assert text(raw.call("GET", bucket, query={"versioning": ""}), "Status") is None


def test_other_roots(raw, bucket):
    refused(put(raw, bucket, "<Status>Enabled</Status>", root="Versioning"), 400, "MalformedXML")
    refused(raw.call("PUT", bucket, query={"versioning": ""}), 400, "MalformedXML")


def test_mfa_disabled_is_fine(raw, bucket):
    assert put(raw, bucket, "<Status>Enabled</Status><MfaDelete>Disabled</MfaDelete>").status == 200
    refused(put(raw, bucket, "<Status>Suspended</Status>", **{"x-amz-mfa": "device 123456"}), 501, "NotImplemented")


def test_no_bucket(raw):
    refused(raw.call("GET", "t-none-such", query={"versioning": ""}), 404, "NoSuchBucket")
    refused(put(raw, "t-none-such", "<Status>Enabled</Status>"), 404, "NoSuchBucket")


def test_life_of_a_key(s3, raw, bucket):
    """From never over enabled to suspended: which versions there are, and which is current, after each step."""
    def versions():
        page = s3.list_object_versions(Bucket=bucket)
        rows = [(v["VersionId"], v["IsLatest"], "marker") for v in page.get("DeleteMarkers", [])]
        rows += [(v["VersionId"], v["IsLatest"], v["Size"]) for v in page.get("Versions", [])]
        return {r[0]: r[1:] for r in rows}
    raw.call("PUT", bucket, "k", body=b"1")
    assert versions() == {"null": (True, 1)}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    two = raw.call("PUT", bucket, "k", body=b"22").headers["x-amz-version-id"]
    assert versions() == {"null": (False, 1), two: (True, 2)}
    marker = raw.call("DELETE", bucket, "k").headers["x-amz-version-id"]
    assert versions() == {"null": (False, 1), two: (False, 2), marker: (True, "marker")}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    put = raw.call("PUT", bucket, "k", body=b"333")
    assert put.headers["x-amz-version-id"] == "null"
    assert versions() == {"null": (True, 3), two: (False, 2), marker: (False, "marker")}
    answer = raw.call("DELETE", bucket, "k")
    assert (answer.headers["x-amz-version-id"], answer.headers["x-amz-delete-marker"]) == ("null", "true")
    assert versions() == {"null": (True, "marker"), two: (False, 2), marker: (False, "marker")}
    assert raw.call("DELETE", bucket, "k", query={"versionId": "null"}).status == 204
    assert versions() == {two: (False, 2), marker: (True, "marker")}
    assert raw.call("DELETE", bucket, "k", query={"versionId": marker}).status == 204
    assert raw.call("GET", bucket, "k").body == b"22"
    assert versions() == {two: (True, 2)}
