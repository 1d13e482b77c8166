"""Every call of the control API: what it does, and what it says when it cannot."""
import http.client
import uuid

import pytest
from botocore.exceptions import ClientError

from api import Api, until_it_ends
from s3lib import Client as S3Client


def refused(call, *codes, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] in codes, caught.value
    return caught.value


@pytest.fixture
def person(api):
    """A user with a token and without rights."""
    return api.user("person-" + uuid.uuid4().hex[:6])


def client(store, key):
    return store.client(aws_access_key_id=key["accessKeyId"], aws_secret_access_key=key["secretKey"])


def refused_unsent(store, path, query, length):
    """Status and code of the answer to a PUT whose body is announced and never sent."""
    headers = {"content-length": str(length)}
    S3Client(store.host, store.port, store.key, store.secret).sign("PUT", path, query, headers)
    connection = http.client.HTTPConnection(store.host, store.port, timeout=20)
    connection.request("PUT", path + ("?" + query if query else ""), headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body.split(b"<Code>")[1].split(b"</Code>")[0]


# ---- health ----

def test_health(store, api):
    assert api.raw("GET", "/healthz").text == "ok\n"
    assert api.raw("GET", "/readyz").status_code == 200


def test_metrics_count(store, api, s3):
    def value(name):
        for line in api.raw("GET", "/metrics").text.splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return 0
    name = 'caisson_requests_total{operation="ListBuckets",status="2xx"}'
    before = value(name)
    s3.list_buckets()
    s3.list_buckets()
    assert value(name) >= before + 2
    assert value("caisson_workers") > 0


# ---- tokens ----

def test_without_token(api):
    assert "Bearer" in Api(api.store, "x").fails("GET", "/v1/cwobject/access-key", 401, 16, headers={"Authorization": "Basic x"})
    Api(api.store, "CW-SECRET-wrong").fails("GET", "/v1/cwobject/access-key", 401, 16)


def test_token_life(api):
    principal, person = api.user("short")

    def make(seconds):
        made = api.call("POST", "/v1/caisson/token", {"principalName": principal, "name": "n", "durationSeconds": seconds})
        tokens.append(made["info"]["tokenId"])
        return Api(api.store, made["token"])

    def can(caller):
        return caller.raw("POST", "/v1/cwobject/auth/can-i", {"actions": ["s3:GetObject"]})

    def over(caller):
        assert (answer := can(caller)).status_code in (200, 401) and (answer.status_code == 200 or answer.json()["code"] == 16), answer.text
        return answer.status_code == 401

    def use(caller):
        listed = api.call("GET", "/v1/caisson/token")["tokens"]
        assert tokens[-1] in [t["tokenId"] for t in listed] and caller.token not in str(listed)
    tokens = []
    until_it_ends(make, use, over)
    listed = api.call("GET", "/v1/caisson/token")["tokens"]
    id = [t["tokenId"] for t in listed if t["principalName"] == principal and t["tokenId"] not in tokens][0]
    api.call("DELETE", f"/v1/caisson/token/{id}")
    person.fails("POST", "/v1/cwobject/auth/can-i", 401, 16, {"actions": ["s3:GetObject"]})


# ---- access keys ----

def test_key_permanent(store, api):
    key = api.call("POST", "/v1/cwobject/access-key", {"durationSeconds": 0, "attributes": {"team": "a"}})
    assert key["accessKeyId"].startswith("CW") and key["secretKey"].startswith("cwo")
    assert key["expiry"] == "1970-01-01T00:00:00Z" and key["attributes"] == {"team": "a"}
    client(store, key).list_buckets()
    info = api.call("GET", "/v1/cwobject/access-key/" + key["accessKeyId"])["info"]
    assert info["status"] == "ACTIVE" and info["principalName"] == key["principalName"] and "secretKey" not in info
    assert key["secretKey"] not in str(api.call("GET", "/v1/cwobject/access-key"))
    assert api.call("POST", "/v1/cwobject/revoke-access-key/access-key", {"accessKey": key["accessKeyId"]}) == {}
    refused(client(store, key).list_buckets, "InvalidAccessKeyId")
    api.fails("GET", "/v1/cwobject/access-key/" + key["accessKeyId"], 404, 5)


def test_key_temporary_expires(store, api):
    def over(key):
        try:
            client(store, key).list_buckets()
        except ClientError as e:
            assert e.response["Error"]["Code"] == "ExpiredToken", e
            return True
        return False
    until_it_ends(lambda seconds: api.call("POST", "/v1/cwobject/access-key", {"durationSeconds": seconds}), lambda key: None, over)


@pytest.mark.parametrize("body,word", [
    ({}, "durationSeconds"), ({"durationSeconds": -1}, "durationSeconds"), ({"durationSeconds": "x"}, "durationSeconds"),
    ({"durationSeconds": 43201}, "duration"), ({"durationSeconds": 0, "attributes": {"cw-a": "b"}}, "cw-a"),
    ({"durationSeconds": 0, "attributes": {"UP": "b"}}, "UP"), ({"durationSeconds": 0, "attributes": {"a": 1}}, "a"),
    ({"durationSeconds": 0, "attributes": {f"a{i}": "b" for i in range(16)}}, "15")])
def test_key_bad_arguments(api, body, word):
    assert word in api.fails("POST", "/v1/cwobject/access-key", 400, 3, body)


def test_key_suspended_with_its_principal(store, api, person):
    principal, _ = person
    api.policy("p-" + principal[-6:], [principal], ["s3:*"])
    key = api.call("POST", "/v1/cwobject/access-key", {"durationSeconds": 0, "principalName": principal})
    client(store, key).list_buckets()
    api.call("PUT", "/v1/cwobject/access-key-status", {"principalName": principal, "status": "ACCESS_KEY_STATUS_SUSPENDED"})
    refused(client(store, key).list_buckets, "AccessDenied")
    assert api.call("GET", "/v1/cwobject/access-key/" + key["accessKeyId"])["info"]["status"] == "FULL_SUSPENDED"
    api.call("PUT", "/v1/cwobject/access-key-status", {"principalName": principal, "status": "ACTIVE"})
    client(store, key).list_buckets()
    api.call("POST", "/v1/cwobject/revoke-access-key/principal", {"principalName": principal})
    refused(client(store, key).list_buckets, "InvalidAccessKeyId")


def test_key_list_pages(api):
    ids = {api.call("POST", "/v1/cwobject/access-key", {"durationSeconds": 60})["accessKeyId"] for _ in range(5)}
    seen, offset = [], 0
    while True:
        page = api.call("GET", f"/v1/cwobject/access-key?offset={offset}&limit=2")["info"]
        if not page:
            break
        assert len(page) <= 2
        seen += [k["accessKeyId"] for k in page]
        offset += 2
    assert ids <= set(seen) and len(seen) == len(set(seen))


# ---- policies ----

def test_policy_life(store, api, person):
    principal, own = person
    key = api.call("POST", "/v1/cwobject/access-key", {"durationSeconds": 0, "principalName": principal})
    s3 = client(store, key)
    refused(s3.list_buckets, "AccessDenied")
    name = "life-" + principal[-6:]
    api.policy(name, [principal], ["s3:ListAllMyBuckets"])
    s3.list_buckets()
    listed = {p["name"]: p for p in api.call("GET", "/v1/cwobject/access-policy")["policies"]}
    assert listed[name]["statements"][0]["principals"] == [principal] and listed[name]["version"] == "v1alpha1"
    api.policy(name, [principal], ["s3:ListAllMyBuckets"], effect="Deny")
    refused(s3.list_buckets, "AccessDenied")
    api.call("DELETE", "/v1/cwobject/access-policy/" + name)
    api.fails("DELETE", "/v1/cwobject/access-policy/" + name, 404, 5)


@pytest.mark.parametrize("change,word", [
    ({"version": "v1"}, "version"), ({"name": ""}, "name"), ({"statements": []}, "statements"),
    ({"statements": [{"name": "s", "effect": "allow", "actions": ["s3:*"], "resources": ["*"], "principals": ["*"]}]}, "effect"),
    ({"statements": [{"name": "s", "effect": "Allow", "actions": ["s3:Nothing"], "resources": ["*"], "principals": ["*"]}]}, "s3:Nothing"),
    ({"statements": [{"name": "s", "effect": "Allow", "actions": ["s3:*"], "resources": ["arn:aws:s3:::b"], "principals": ["*"]}]}, "arn"),
    ({"statements": [{"name": "s", "effect": "Allow", "actions": ["s3:*"], "resources": ["*"],
                      "principals": ["arn:aws:iam::a:b"]}]}, "arn")])
def test_policy_refused(api, change, word):
    policy = {"version": "v1alpha1", "name": "bad", "statements": [
        {"name": "s", "effect": "Allow", "actions": ["s3:*"], "resources": ["*"], "principals": ["*"]}], **change}
    assert word in api.fails("POST", "/v1/cwobject/access-policy", 400, 3, {"policy": policy})


def test_can_i(api, person):
    principal, own = person

    def can(action, resource="*"):
        return own.call("POST", "/v1/cwobject/auth/can-i", {"actions": [action], "resources": [resource]})["allowed"]
    assert not can("s3:GetObject", "b/k")
    api.policy("can-" + principal[-6:], [principal], ["s3:GetObject"], ["b/*"])
    assert can("s3:GetObject", "b/k") and not can("s3:PutObject", "b/k") and not can("s3:GetObject", "c/k")
    own.fails("POST", "/v1/cwobject/auth/can-i", 400, 3, {"actions": ["s3:Nothing"]})


def test_actions_of_the_control_plane(api, person):
    """A user needs the cwobject: action; each is named after its call."""
    principal, own = person
    own.fails("GET", "/v1/cwobject/access-key", 403, 7)
    api.policy("cw-" + principal[-6:], [principal], ["cwobject:ListAccessKeyInfo", "cwobject:CreateAccessKey"])
    own.call("GET", "/v1/cwobject/access-key")
    own.call("POST", "/v1/cwobject/access-key", {"durationSeconds": 60})
    own.fails("GET", "/v1/cwobject/access-policy", 403, 7)
    assert "admin" in own.fails("POST", "/v1/cwobject/access-key", 403, 7, {"durationSeconds": 60, "principalName": "coreweave/x"})


# ---- buckets ----

def test_bucket_info_and_settings(store, api, s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"x" * 1000)
    s3.put_object(Bucket=bucket, Key="b", Body=b"x" * 500, StorageClass="STANDARD_IA")
    info = api.call("GET", "/v1/cwobject/bucket-info/" + bucket)["info"]
    assert info["name"] == bucket and info["location"] == "US-TEST-01A" and not info["settings"]["auditLoggingEnabled"]
    usage = {u["measurementType"]: int(u["value"]) for u in info["usage"]}
    assert usage == {"STANDARD_OBJECTS": 1, "STANDARD_BYTES": 1000, "STANDARD_IA_OBJECTS": 1, "STANDARD_IA_BYTES": 500,
                     "UPLOADS_BYTES": 0, "STANDARD_HOT_OBJECTS": 1, "STANDARD_HOT_BYTES": 1000, "STANDARD_WARM_OBJECTS": 0,
                     "STANDARD_WARM_BYTES": 0, "STANDARD_COLD_OBJECTS": 0, "STANDARD_COLD_BYTES": 0}
    assert bucket in [b["name"] for b in api.call("GET", "/v1/cwobject/bucket-info")["info"]]
    answer = api.call("PUT", "/v1/cwobject/bucket/settings", {"bucketName": bucket, "settings": {"capacityCapBytes": "2000"}})
    assert answer["settings"]["capacityCapBytes"] == "2000"
    refused(s3.put_object, "QuotaExceeded", Bucket=bucket, Key="c", Body=b"x" * 501)
    s3.put_object(Bucket=bucket, Key="c", Body=b"x" * 500)
    s3.put_object(Bucket=bucket, Key="c", Body=b"y" * 500)		# takes the place of as much
    # What will not fit is refused before its body comes, part or whole; what takes the place of as much is not.
    upload = s3.create_multipart_upload(Bucket=bucket, Key="d")["UploadId"]
    for query in ("", f"partNumber=1&uploadId={upload}"):
        assert refused_unsent(store, f"/{bucket}/d", query, 1 << 20) == (403, b"QuotaExceeded")
    s3.delete_object(Bucket=bucket, Key="c")
    for _ in range(2):
        s3.upload_part(Bucket=bucket, Key="d", UploadId=upload, PartNumber=1, Body=b"x" * 500)
    refused(s3.upload_part, "QuotaExceeded", Bucket=bucket, Key="d", UploadId=upload, PartNumber=2, Body=b"x")
    s3.abort_multipart_upload(Bucket=bucket, Key="d", UploadId=upload)
    api.call("PUT", "/v1/cwobject/bucket/settings", {"bucketName": bucket, "settings": {"auditLoggingEnabled": True}})
    settings = api.call("GET", "/v1/cwobject/bucket-info/" + bucket)["info"]["settings"]
    assert settings == {"auditLoggingEnabled": True, "capacityCapBytes": "2000"}
    api.fails("PUT", "/v1/cwobject/bucket/settings", 400, 3, {"bucketName": bucket})
    api.fails("PUT", "/v1/cwobject/bucket/settings", 404, 5, {"bucketName": "no-such-bucket", "settings": {}})
    api.fails("PUT", "/v1/cwobject/bucket/settings", 501, 12, {"bucketName": bucket, "settings": {"archiveEnabled": True}})
    api.fails("GET", "/v1/cwobject/bucket-info/no-such-bucket", 404, 5)


# ---- organizations ----

def test_organizations_are_apart(store, api, s3, bucket):
    org = api.call("POST", "/v1/caisson/organization", {"name": "other"})["organization"]["orgId"]
    principal, other = api.user("boss", "admin", params={"org": org})
    other.policy("all", [principal], ["s3:*"])
    key = other.call("POST", "/v1/cwobject/access-key", {"durationSeconds": 0})
    theirs = client(store, key)
    assert theirs.list_buckets()["Buckets"] == []
    refused(theirs.list_objects_v2, "AccessDenied", Bucket=bucket)
    refused(theirs.create_bucket, "BucketAlreadyExists", Bucket=bucket,
            CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    other.fails("GET", "/v1/cwobject/bucket-info/" + bucket, 404, 5)
    other.fails("GET", "/v1/caisson/organization", 403, 7)
    other.fails("GET", "/v1/cwobject/access-key?org=" + store_org(api), 403, 7)
    assert [k["accessKeyId"] for k in other.call("GET", "/v1/cwobject/access-key")["info"]] == [key["accessKeyId"]]
    mine = "o-" + uuid.uuid4().hex[:12]
    theirs.create_bucket(Bucket=mine, CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    api.fails("DELETE", "/v1/caisson/organization/" + org, 400, 9)
    theirs.delete_bucket(Bucket=mine)
    api.call("DELETE", "/v1/caisson/organization/" + org)
    refused(theirs.list_buckets, "InvalidAccessKeyId")


def test_organization_cap(store, api):
    """Of all buckets of an organization together: set by operators, and in the way of what stores bytes only."""
    org = api.call("POST", "/v1/caisson/organization", {"name": "capped"})["organization"]["orgId"]
    principal, admin = api.user("boss", "admin", params={"org": org})
    admin.policy("all", [principal], ["s3:*"])
    key = admin.call("POST", "/v1/cwobject/access-key", {"durationSeconds": 0})
    theirs = client(store, key)
    a, b = ("cap-" + uuid.uuid4().hex[:12] for _ in "ab")
    for name in (a, b):
        theirs.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    settings = {"settings": {"capacityCapBytes": "2000"}}
    assert "operator" in admin.fails("PUT", "/v1/cwobject/organization/settings", 403, 7, settings)
    api.call("PUT", "/v1/cwobject/organization/settings", settings, params={"org": org})
    api.call("PUT", "/v1/cwobject/organization/settings", {"settings": {"bucketAuditLoggingEnabled": False}}, params={"org": org})
    assert admin.call("GET", "/v1/caisson/organization/" + org)["organization"]["settings"]["capacityCapBytes"] == "2000"
    theirs.put_object(Bucket=a, Key="k", Body=b"x" * 1000)
    theirs.put_object(Bucket=b, Key="k", Body=b"x" * 900)
    upload = theirs.create_multipart_upload(Bucket=b, Key="m")["UploadId"]
    for bucket in (a, b):
        refused(theirs.put_object, "QuotaExceeded", Bucket=bucket, Key="more", Body=b"x" * 101)
    raw = S3Client(store.host, store.port, key["accessKeyId"], key["secretKey"])
    assert raw.call("PUT", b, "more", headers={"x-amz-decoded-content-length": "0"}, body=b"x" * 101).code == "QuotaExceeded"
    refused(theirs.upload_part, "QuotaExceeded", Bucket=b, Key="m", UploadId=upload, PartNumber=1, Body=b"x" * 101)
    theirs.upload_part(Bucket=b, Key="m", UploadId=upload, PartNumber=1, Body=b"x" * 100)
    refused(theirs.copy_object, "QuotaExceeded", Bucket=b, Key="copy", CopySource=f"{a}/k")
    assert theirs.get_object(Bucket=a, Key="k")["Body"].read() == b"x" * 1000
    theirs.delete_object(Bucket=a, Key="k")
    theirs.put_object(Bucket=b, Key="more", Body=b"x" * 1000)
    api.call("PUT", "/v1/cwobject/organization/settings", {"settings": {"capacityCapBytes": 0}}, params={"org": org})
    theirs.put_object(Bucket=a, Key="k", Body=b"x" * 3000)


def store_org(api):
    return api.call("GET", "/v1/caisson/user")["users"][0]["orgId"]


def test_nobody_gives_a_role_above_their_own(api):
    principal, admin = api.user("adm", "admin")
    admin.call("POST", "/v1/caisson/user", {"name": "x", "role": "admin"})
    admin.fails("POST", "/v1/caisson/user", 403, 7, {"name": "x", "role": "operator"})
    operator = [u for u in api.call("GET", "/v1/caisson/user")["users"] if u["role"] == "operator"][0]["principalName"]
    admin.fails("POST", "/v1/caisson/user/delete", 403, 7, {"principalName": operator})
    admin.fails("POST", "/v1/caisson/token", 403, 7, {"principalName": operator})


# ---- what is not there ----

def test_not_there(api):
    api.fails("GET", "/v1/nothing", 404, 5)
    api.fails("PATCH", "/v1/cwobject/access-key", 405, 12)
    assert "OIDC" in api.fails("POST", "/v1/cwobject/temporary-credentials/saml", 501, 12, {"orgId": "a"})
    assert "JSON" in api.fails("POST", "/v1/cwobject/access-key", 400, 3, data=b"{")
    api.fails("POST", "/v1/cwobject/access-key", 400, 3, data=b"[]")
    api.fails("POST", "/v1/cwobject/access-key", 400, 3, data=b"{" + b" " * 70000 + b"}")
