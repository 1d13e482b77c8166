"""Requests that mean two things, policies with a way around them, keys and tokens that have ended: what an attacker would try.

Each case was thought of as a break-in. What only asks whether something exists is in test_hidden.py, forms are in test_form.py.
"""
import os
import socket
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "control"))

from signing import Request  # noqa: E402
from store import Store  # noqa: E402
from test_bucket_policy import ALL, BUCKET, COPY_K, World, ask, listing, one, put, when  # noqa: E402

DENIED = (403, "AccessDenied")


@pytest.fixture(scope="module")
def world(build):
    store = Store(build, "--meta-engine", "memory", "--blob-engine", "memory")
    w = World(store)
    for key, body in (("public/x", b"public"), ("a b/k", b"x"), ("secret", b"the secret"), ("public/../secret", b"dots are letters")):
        w.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    yield w
    store.close()


def everything_but(**deny):
    return {}, {"Effect": "Deny", **deny}


FROM_A_B = everything_but(Action="s3:PutObject", **one("StringLike", "s3:x-amz-copy-source", "policies/a b/*"))

# name -> (statements, what still passes, ways around that must not)
WAYS = {
    "a forbidden source, written otherwise": (FROM_A_B, ask("PUT", "c", **COPY_K), [
        ask("PUT", "c", x_amz_copy_source=s) for s in
        ("policies/a b/k", "/policies/a+b/k", "policies/a%20b/k", "policies%2Fa%20b%2Fk", "/policies/%61%20b/k", "policies/a b/k?versionId=null")]),
    "one forbidden source, by its version": (everything_but(Action="s3:PutObject", **one("StringEquals", "s3:x-amz-copy-source", "policies/k")),
                                             ask("PUT", "c", **COPY_K), [ask("PUT", "c", x_amz_copy_source="/policies/k?versionId=null")]),
    "only copies, by a header that means nothing": (
        [{"Action": "s3:GetObject"}, {"Action": ["s3:PutObject", "s3:DeleteObject"], **one("StringLike", "s3:x-amz-copy-source", "policies/dir/*")}],
        ask("PUT", "c", **COPY_K),
        [put(), ask("POST", "c", "uploads=", **COPY_K), ask("PUT", "c", "renameObject=", x_amz_rename_source="k", **COPY_K)]),
    "only copies of metadata": ([{"Action": "s3:GetObject"}, {"Action": "s3:PutObject", **one("StringEquals", "s3:x-amz-metadata-directive", "COPY")}],
                                ask("PUT", "c", x_amz_metadata_directive="COPY", **COPY_K), [put(x_amz_metadata_directive="COPY")]),
    "a prefix in a request that lists nothing": ([one("StringLike", "s3:prefix", "dir/*")], listing("&prefix=dir%2F"), [
        ask(query="prefix=dir%2F"), ask("PUT", "new", "prefix=dir%2F", body=b"x"), ask("DELETE", "k", "prefix=dir%2F")]),
    "a prefix given twice, or in other letters": ([one("StringLike", "s3:prefix", "dir/*")], listing("&prefix=dir%2F"), [
        listing("&prefix=b%2F&prefix=dir%2F"), listing("&%70refix=b%2F&prefix=dir%2F"), listing("&Prefix=dir%2F"), listing("&prefix=DIR%2F")]),
    "many keys, by a number written otherwise": ([one("NumericLessThanEquals", "s3:max-keys", "10")], listing("&max-keys=10"), [
        listing(), listing("&max-keys="), listing("&max-keys=1000&max-keys=1"), listing("&max-keys=11")]),
    "what Amazon calls otherwise": (everything_but(Action=["s3:GetObjectVersion", "s3:ListBucketVersions", "s3:GetObjectAcl", "s3:GetBucketAcl",
                                                           "s3:GetObjectVersionTagging", "s3:GetObjectAttributes", "s3:RenameObject"]), ask(), [
        ask(key="tagged", query="versionId=<VERSION>"), ask("HEAD", "tagged", "versionId=<VERSION>"), ask("GET", "", "versions="), ask("GET", "k", "acl="),
        ask("GET", "", "acl="), ask("GET", "tagged", "tagging=&versionId=<VERSION>"), ask("GET", "k", "attributes=", x_amz_object_attributes="ETag"),
        ask("PUT", "c", x_amz_copy_source="policies/tagged?versionId=<VERSION>"), ask("PUT", "c", "renameObject=", x_amz_rename_source="k")]),
    "an address that a header claims": ([one("IpAddress", "aws:SourceIp", "10.0.0.0/8")], None, [
        ask(**{h: "10.0.0.1"}) for h in ("X_Forwarded_For", "X_Real_IP", "Forwarded", "True_Client_IP", "X_Client_IP")]),
    "an address of the other family": ([one("IpAddress", "aws:SourceIp", "::/0")], None, [ask()]),
    "TLS that a header claims": ([one("Bool", "aws:SecureTransport", "true")], None, [ask(X_Forwarded_Proto="https", Forwarded="proto=https")]),
    "an organization that is the anonymous one": ([{"Principal": {"CW": "arn:aws:iam::<OTHERORG>:*"}}], ask(who="guest"), [ask(), ask(who="member")]),
    "all but one, without a name": ([{"Principal": None, "NotPrincipal": {"CW": "arn:aws:iam::<OTHERORG>:root"}}], ask(who="member"), [
        ask(), ask(who="guest")]),
    "a Deny for all but one": ([{}, {"Effect": "Deny", "Principal": None, "NotPrincipal": {"CW": "arn:aws:iam::<OWNORG>:<MEMBERNAME>"}}],
                               ask(who="member"), [ask(), ask(who="guest"), ask(who="grouped")]),
    "a name of the other organization": ([{"Principal": {"CW": "arn:aws:iam::<OTHERORG>:<MEMBERNAME>"}}], None, [ask(who="member"), ask()]),
    "a key that is absent": (everything_but(Action="s3:PutObject", **one("StringNotEquals", "s3:x-amz-storage-class", "STANDARD")),
                             put(x_amz_storage_class="STANDARD"), [put(), put(x_amz_storage_class="STANDARD_IA")]),
    "any of nothing": ([one("ForAnyValue:StringNotEquals", "s3:RequestObjectTagKeys", "x")], put(x_amz_tagging="a=1"), [put(), ask()]),
    "tags of what is written over": (everything_but(Action=["s3:PutObject", "s3:DeleteObject*", "s3:PutObjectTagging"],
                                                    **one("StringEquals", "s3:ExistingObjectTag/class", "public")), put("other"), [
        put("tagged"), ask("DELETE", "tagged"), ask("PUT", "tagged", **COPY_K), ask("DELETE", "tagged", "versionId=<VERSION>"),
        ask("POST", "tagged", "uploads="), ask("PUT", "tagged", "tagging=", body=b"<Tagging><TagSet></TagSet></Tagging>")]),
    "a key with a wildcard in it": ([{"Resource": "arn:aws:s3:::policies/public/${*}"}], None, [ask(key="public/x"), ask(key="public/%2A")]),
    "write once, around it": (everything_but(Action="s3:PutObject", Condition={
        "Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}), put("once-more", if_none_match="*"), [
        put("k"), put("k", query="partNumber=1"), put("k", query="uploadId=x"), ask("PUT", "k", "uploadId=x", **COPY_K), ask("PUT", "k", **COPY_K),
        put("k", query="uploads="), ask("POST", "k", "uploadId=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&uploads=", body=b"x")]),
}


@pytest.mark.parametrize("name", WAYS)
def test_way_around(world, name):
    statements, passes, ways = WAYS[name]
    world.set(*statements)
    if passes:
        assert world.send(passes)[0] in (200, 204), f"must pass: {world.send(passes)}"
    for way in ways:
        got = world.send(way)
        assert got in (DENIED, (403, None), (403, 403)) or got[0] in (400, 405), f"{way}: {got}"


def test_age_and_kind_of_a_signature(world):
    """What is asked of a signature holds for the one that was checked, wherever its date and its kind stand."""
    def send(prepare, **more):
        return prepare(Request(world.store, "GET", f"/{BUCKET}/k", key=world.keys["member"][0], secret=world.keys["member"][1], **more)).send().status

    def by_date(r):
        """Dated by Date alone."""
        r.set("Date", r.time.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        r.set("x-amz-content-sha256", r.payload)
        names = ["date", "host", "x-amz-content-sha256"]
        return r.set("Authorization", f"AWS4-HMAC-SHA256 Credential={r.key}/{r.scope},SignedHeaders={';'.join(names)},"
                     f"Signature={r.sign_text(names, r.payload)}")

    world.set({}, {"Effect": "Deny", **one("NumericGreaterThan", "s3:signatureAge", 300000)})
    for prepare in (Request.sign, Request.presign, by_date):
        assert send(prepare) == 200, prepare
        assert send(prepare, shift=-600) == 403, prepare
    world.set({}, {"Effect": "Deny", **one("StringNotEquals", "s3:authType", "REST-HEADER")})
    assert send(Request.sign) == 200 and send(Request.presign) == 403


# ---- the same bytes, read in two ways ----

def raw(store, lines):
    with socket.create_connection((store.host, store.port), timeout=30) as s:
        s.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    return int(answer.split()[1]), answer.split(b"\r\n\r\n", 1)[1]


PATHS = ["/policies/public/../secret", "/policies/public/..%2Fsecret", "/policies/public%2F..%2Fsecret", "/policies/./secret", "/policies//secret",
         "//policies/secret", "/policies%2Fsecret", "/policies/secret%00", "/policies/public%00/../secret", "/policies/public/%2e%2e/secret", "/policies\\secret",
         "/policies/public/x/../../secret", "/policies/secret?versionId=null&x=public/x", "/policies/public/x;/../../secret", "/x/../policies/secret",
         "/policies/%73ecret", "/policies/secret%23public/x", "/%2E/policies/secret", "/POLICIES/secret", "/policies./secret", "http://{host}/policies/secret"]


@pytest.mark.parametrize("path", PATHS)
def test_paths_are_taken_literally(world, path):
    """Only public/* may be read: no way of writing a path gives what lies outside."""
    world.set({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::policies/public/*"})
    host = f"{world.store.host}:{world.store.port}"
    status, body = raw(world.store, [f"GET {path.format(host=host)} HTTP/1.1", "Host: " + host])
    assert b"the secret" not in body and (status >= 400 or body == b"dots are letters"), (status, body)


HOSTS = [("policies.localhost", "/secret"), ("POLICIES.LOCALHOST", "/secret"), ("policies.localhost.", "/secret"), ("policies.localhost:1", "/secret"),
         ("other.localhost", "/policies/secret"), ("policies.localhost", "/policies/public/x/../secret"), ("policies.s3.localhost", "/secret"),
         ("policies/public.localhost", "/secret"), ("policies%2Fpublic.localhost", "/x"), (".localhost", "/policies/secret"), ("localhost.", "/policies/secret"),
         ("policies.localhost.evil.example", "/policies/secret"), ("a@policies.localhost", "/secret"), ("public.policies.localhost", "/secret")]


@pytest.mark.parametrize("host,path", HOSTS)
def test_hosts_name_the_bucket_that_is_asked_about(world, host, path):
    world.set({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::policies/public/*"})
    status, body = raw(world.store, [f"GET {path} HTTP/1.1", "Host: " + host])
    assert b"the secret" not in body and status >= 400, (status, body)


def test_host_forms_of_what_is_allowed(world):
    world.set({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::policies/public/*"})
    for host in ("policies.localhost", "POLICIES.localhost", "policies.localhost.", "policies.localhost:9999", "policies.s3.localhost"):
        assert raw(world.store, ["GET /public/x HTTP/1.1", "Host: " + host]) == (200, b"public"), host


def signed(world, who="member", path=f"/{BUCKET}/secret", **more):
    key = world.keys[who]
    return Request(world.store, "GET", path, key=key[0], secret=key[1], **more)


def test_two_authorizations(world):
    """A proxy may look at one, we at another."""
    world.set({"Principal": {"CW": "arn:aws:iam::<OWNORG>:<MEMBERNAME>"}})
    good, bad = signed(world).sign(), signed(world, "guest").sign()
    theirs = [v for n, v in bad.headers if n == "Authorization"][0]
    for first in (True, False):
        r = signed(world).sign()
        r.headers.insert(0 if first else len(r.headers), ("Authorization", theirs))
        assert r.send().status == 400
    r = signed(world).presign()
    r.headers.append(("Authorization", theirs))
    assert r.send().status == 400
    assert good.send().status == 200


def test_parameters_given_twice(world):
    """A second credential, signature or version beside the first changes nothing, or is refused."""
    world.set({"Principal": {"CW": "arn:aws:iam::<OWNORG>:<MEMBERNAME>"}})
    for extra in ("X-Amz-Credential=" + world.keys["member"][0], "X-Amz-Signature=" + "0" * 64, "X-Amz-Expires=1", "x-amz-algorithm=none"):
        r = signed(world, "guest").presign()
        r.query = extra + "&" + r.query
        assert r.send().status in (400, 403), extra
        r = signed(world).presign()
        r.query += "&" + extra
        assert r.send().status in (200, 400, 403), extra
    r = signed(world).presign(expires=60)
    r.query = r.query.replace("X-Amz-Expires=60", "X-Amz-Expires=604800")
    assert r.send().status == 403
    world.set({"Action": "s3:GetObject", **when(StringEquals={"s3:VersionId": world.version})})
    status, _ = raw(world.store, [f"GET /{BUCKET}/tagged?versionId=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&versionId={world.version} HTTP/1.1", "Host: localhost"])
    assert status in (400, 403)


# ---- across organizations ----

def test_copies_across_organizations(world):
    """Both sides are asked: the source's bucket for the reader, the target's for the writer."""
    guest = world.store.client(aws_access_key_id=world.keys["guest"][0], aws_secret_access_key=world.keys["guest"][1])
    guest.create_bucket(Bucket="guests-own", CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    guest.put_object(Bucket="guests-own", Key="k", Body=b"guest's")
    copy = {"x-amz-copy-source": f"/{BUCKET}/secret"}
    key = world.keys["guest"]

    def send(method, path, query="", headers=None):
        return Request(world.store, method, path, query, headers=headers, key=key[0], secret=key[1]).sign().send().status
    world.clear()
    assert send("PUT", "/guests-own/stolen", headers=copy) == 403
    assert send("PUT", f"/{BUCKET}/planted", headers={"x-amz-copy-source": "/guests-own/k"}) == 403
    world.set({"Action": "s3:PutObject"})
    assert send("PUT", "/guests-own/stolen", headers=copy) == 403 and send("PUT", f"/{BUCKET}/copy", headers=copy) == 403
    assert send("PUT", f"/{BUCKET}/planted", headers={"x-amz-copy-source": "/guests-own/k"}) == 200
    # a rename stays in its bucket, whatever the source is called
    for source in (f"/{BUCKET}/secret", f"{BUCKET}/secret", "../policies/secret", "%2Fpolicies%2Fsecret"):
        assert send("PUT", "/guests-own/stolen", "renameObject=", {"x-amz-rename-source": source}) == 404
    world.set({"Action": "s3:GetObject", "Resource": ALL[1]})
    assert send("PUT", "/guests-own/taken", headers=copy) == 200


# ---- what has ended ----

def test_what_was_revoked_stays_so(build, tmp_path):
    """Keys and tokens that ended are over on the next start too, after a kill."""
    from api import Api
    data = str(tmp_path)
    store = Store(build, data=data)
    api = Api(store)

    def status(key, token=None):
        r = Request(store, "GET", "/", key=key["accessKeyId" if "accessKeyId" in key else "AccessKeyId"],
                    secret=key["secretKey" if "secretKey" in key else "SecretAccessKey"], headers={"x-amz-security-token": token} if token else None)
        answer = r.sign().send()
        return answer.status, answer.code if answer.status != 200 else None

    principal, person = api.user("person")
    api.policy("all", [principal], ["s3:*", "cwobject:CreateAccessKey"])
    made = [person.call("POST", "/v1/cwobject/access-key", {"durationSeconds": 0}) for _ in range(2)]
    session = person.call("GET", "/v1/cwobject/temporary-credentials/api-token")
    assert status(made[0]) == status(made[1]) == status(session, session["Token"]) == (200, None)
    assert status(session) == (403, "InvalidToken") == status(made[0], session["Token"])
    api.call("POST", "/v1/cwobject/revoke-access-key/access-key", {"accessKey": made[0]["accessKeyId"]})
    api.call("PUT", "/v1/cwobject/access-key-status", {"principalName": principal, "status": "SUSPENDED"})
    token_id = [t["tokenId"] for t in api.call("GET", "/v1/caisson/token")["tokens"] if t["principalName"] == principal][0]
    for start in range(2):
        assert status(made[0]) == (403, "InvalidAccessKeyId") and status(made[1]) == status(session, session["Token"]) == DENIED
        # a suspended principal does not help itself to a new key
        assert "suspended" in person.fails("POST", "/v1/cwobject/access-key", 403, 7, {"durationSeconds": 0})
        assert "suspended" in person.fails("GET", "/v1/cwobject/temporary-credentials/api-token", 403, 7)
        if start == 0:
            store.kill()
            store.start()
            api.store = person.store = store
    api.call("DELETE", "/v1/caisson/token/" + token_id)
    api.call("POST", "/v1/cwobject/revoke-access-key/principal", {"principalName": principal})
    for start in range(2):
        assert status(made[1]) == status(session, session["Token"]) == (403, "InvalidAccessKeyId")
        person.fails("POST", "/v1/cwobject/access-key", 401, 16, {"durationSeconds": 0})
        if start == 0:
            store.kill()
            store.start()
    store.close()


def test_a_fetched_key_ends_with_its_token(world):
    """The key that SDKs fetch with a token of a minute is not good for an hour."""
    import datetime
    person, _ = world.api.user("brief")
    world.api.policy("brief", [person], ["cwobject:CreateAccessKey"])
    token = world.api.call("POST", "/v1/caisson/token", {"principalName": person, "durationSeconds": 60})["token"]
    made = world.api.call("GET", "/v1/cwobject/temporary-credentials/api-token", headers={"Authorization": "Bearer " + token})
    left = datetime.datetime.fromisoformat(made["Expiration"].replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
    assert left.total_seconds() < 61


def test_a_policy_without_end(world):
    """What nests without end is refused, not followed."""
    world.set({})
    deep = '{"Statement":' + "[" * 5000 + "]" * 5000 + "}"
    answer = Request(world.store, "PUT", f"/{BUCKET}", "policy=", body=deep.encode()).sign().send()
    assert (answer.status, answer.code) == (400, "MalformedPolicy")
    assert world.send(ask()) == (200, None)
