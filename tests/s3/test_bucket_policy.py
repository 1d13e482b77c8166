"""Bucket policies by their effect: forms of principals, conditions, public and cross-organization access, and what is refused.

Each case sets one policy and sends one request that must pass and one that must not. What combinations mean is the business of
tests/unit/test_policy_model.c; that each operation asks for its permissions, of test_access_matrix.py.
"""
import base64
import concurrent.futures
import hashlib
import json
import os
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "control"))

from api import Api  # noqa: E402
from s3lib import refused  # noqa: E402
from signing import Request  # noqa: E402
from store import Store  # noqa: E402
from uploads import sse  # noqa: E402

BUCKET, ZONE = "policies", {"LocationConstraint": "US-TEST-01A"}
ALL = ["arn:aws:s3:::policies", "arn:aws:s3:::policies/*"]


def ask(method="GET", key="k", query="", who="anyone", body=b"", presigned=False, **headers):
    return dict(method=method, key=key, query=query, who=who, body=body, presigned=presigned,
                headers={n.replace("_", "-"): v for n, v in headers.items()})


def put(key="new", **more):
    return ask("PUT", key, body=b"x", **more)


def listing(query="", **more):
    return ask("GET", "", "list-type=2" + query, **more)


class World:
    def __init__(self, store):
        self.store, self.api, self.s3 = store, Api(store), store.client()
        first = self.api.call("GET", "/v1/caisson/user")["users"][0]
        self.org, self.root = first["orgId"], first["principalName"]
        self.other = self.api.call("POST", "/v1/caisson/organization", {"name": "other"})["organization"]["orgId"]
        self.keys = {"anyone": None, "owner": (store.key, store.secret)}
        self.principals = {}
        for name, org, groups in (("member", self.org, []), ("grouped", self.org, ["ml", "vision"]), ("guest", self.other, ["ml"])):
            more = {"params": {"org": org}}
            user = self.api.call("POST", "/v1/caisson/user", {"name": name, "groups": groups}, **more)["user"]
            key = self.api.call("POST", "/v1/cwobject/access-key", {"durationSeconds": 0, "principalName": user["principalName"]}, **more)
            self.keys[name] = key["accessKeyId"], key["secretKey"]
            self.principals[name] = user["principalName"]
            self.api.policy("all-" + name, [user["principalName"]], ["s3:*"], **more)
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=ZONE)
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        for key in ("k", "dir/k", "b/k"):
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
        self.version = self.s3.put_object(Bucket=BUCKET, Key="tagged", Body=b"x", Tagging="class=public&team=a")["VersionId"]

    def text(self, value):
        """Names of this world in a policy."""
        text = json.dumps(value)
        for name, of in (("OWNORG", self.org), ("OTHERORG", self.other), ("VERSION", self.version), ("OWNERKEY", self.keys["owner"][0]),
                         ("MEMBERKEY", self.keys["member"][0]), *((n.upper() + "NAME", p) for n, p in self.principals.items())):
            text = text.replace(f"<{name}>", of)
        return text

    def set(self, *statements):
        """Each allows everything to everyone, but for what it says; None leaves an element out."""
        whole = [{n: v for n, v in {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": ALL, **s}.items() if v is not None}
                 for s in statements]
        self.s3.put_bucket_policy(Bucket=BUCKET, Policy=self.text({"Version": "2012-10-17", "Statement": whole}))

    def clear(self):
        self.set({})
        self.s3.delete_bucket_policy(Bucket=BUCKET)

    def send(self, a):
        answer = self.answer(a)
        return answer.status, answer.code if answer.status >= 300 else None

    def answer(self, a):
        key = self.keys[a["who"]]
        r = Request(self.store, a["method"], f"/{BUCKET}/{a['key']}", self.text(a["query"])[1:-1], headers=a["headers"], body=a["body"],
                    key=key and key[0], secret=key and key[1])
        if key and a["presigned"]:
            r.presign()
        elif key:
            r.sign()
        return r.send()


@pytest.fixture(scope="module")
def world(build):
    store = Store(build, "--meta-engine", "memory", "--blob-engine", "memory", "--sse-c-plain-http", "true")
    yield World(store)
    store.close()


def when(**conditions):
    return {"Condition": {op.replace("_", ":"): keys for op, keys in conditions.items()}}


def one(op, key, value):
    return {"Condition": {op: {key: value}}}


COPY_K = dict(x_amz_copy_source="policies/dir/k")
KEYS_AB = dict(x_amz_tagging="a=1&b=2")
NOW = int(time.time())

# (statements, passes, does not)
CASES = {
    # ---- principals ----
    "everyone": ([{"Principal": "*"}], ask(), None),
    "everyone, of Amazon's": ([{"Principal": {"AWS": "*"}}], ask(), None),
    "everyone, of ours": ([{"Principal": {"CW": ["*"]}}], ask(), None),
    "one user": ([{"Principal": {"CW": "arn:aws:iam::<OWNORG>:<MEMBERNAME>"}}], ask(who="member"), ask(who="grouped")),
    "one of several": ([{"Principal": {"AWS": ["arn:aws:iam::<OWNORG>:role/none", "arn:aws:iam::<OWNORG>:<MEMBERNAME>"]}}],
                       ask(who="member"), ask()),
    "a name is of its organization": ([{"Principal": {"CW": "arn:aws:iam::<OTHERORG>:<MEMBERNAME>"}}], None, ask(who="member")),
    "an organization": ([{"Principal": {"AWS": "arn:aws:iam::<OTHERORG>:root"}}], ask(who="guest"), ask(who="member")),
    "names that begin so": ([{"Principal": {"CW": "arn:aws:iam::<OTHERORG>:coreweave/*"}}], ask(who="guest"), ask(who="member")),
    "an access key": ([{"Principal": {"AWS": "arn:aws:iam:::user/<MEMBERKEY>"}}], ask(who="member"), ask(who="grouped")),
    "nobody named": ([{"Principal": None, **one("StringEquals", "cw:PrincipalOrgID", "<OWNORG>")}], ask(who="member"), ask()),
    "all but one": ([{}, {"Effect": "Deny", "Principal": None, "NotPrincipal": {"CW": "arn:aws:iam::<OWNORG>:<MEMBERNAME>"},
                          "Action": "s3:GetObject"}], ask(who="member"), ask(who="grouped")),
    "all but one, anonymous": ([{}, {"Effect": "Deny", "Principal": None, "NotPrincipal": {"CW": "arn:aws:iam::<OWNORG>:<MEMBERNAME>"}}],
                               None, ask()),
    # ---- actions and resources ----
    "all actions but": ([{"Action": None, "NotAction": "s3:DeleteObject*"}], ask(), ask("DELETE", "none")),
    "a pattern of actions, in any case": ([{"Action": "S3:get*"}], ask(), put()),
    "all resources but": ([{"Resource": None, "NotResource": "arn:aws:s3:::policies/dir/*"}], ask(), ask(key="dir/k")),
    "a pattern of keys": ([{"Resource": "arn:aws:s3:::policies/?ir/*"}], ask(key="dir/k"), ask(key="b/k")),
    "any bucket": ([{"Resource": "arn:aws:s3:::*"}], ask(), None),
    "the bucket is not its objects": ([{"Resource": "arn:aws:s3:::policies"}], listing(), ask()),
    "objects are not their bucket": ([{"Resource": "arn:aws:s3:::policies/*"}], ask(), listing()),
    "a Deny wins": ([{}, {"Effect": "Deny", "Resource": "arn:aws:s3:::policies/dir/*"}], ask(), ask(key="dir/k")),
    # ---- who, in conditions ----
    "of an organization": ([one("StringEquals", "cw:PrincipalOrgID", ["<OTHERORG>", "none"])], ask(who="guest"), ask(who="member")),
    "of an organization, in Amazon's words": ([one("StringEquals", "aws:PrincipalOrgID", "<OTHERORG>")], ask(who="guest"), ask()),
    "not of an organization": ([{}, {"Effect": "Deny", **one("StringNotEquals", "cw:PrincipalOrgID", "<OWNORG>")}], ask(who="member"),
                               ask(who="guest")),
    "not of an organization, anonymous": ([{}, {"Effect": "Deny", **one("StringNotEquals", "cw:PrincipalOrgID", "<OWNORG>")}], None, ask()),
    "of a group": ([one("StringEquals", "iam:<OWNORG>:groups", "vision")], ask(who="grouped"), ask(who="guest")),
    "of any of the groups": ([one("ForAnyValue:StringLike", "iam:<OWNORG>:groups", ["none", "vis*"])], ask(who="grouped"), ask(who="member")),
    "of none but these groups": ([one("ForAllValues:StringEquals", "iam:<OWNORG>:groups", ["ml", "vision"])], ask(who="grouped"), None),
    # ---- where from, how, when ----
    "from an address": ([one("IpAddress", "aws:SourceIp", ["10.0.0.0/8", "127.0.0.1"])], ask(), None),
    "from another address": ([one("IpAddress", "aws:SourceIp", "10.0.0.0/8")], None, ask()),
    "not from an address": ([one("NotIpAddress", "aws:SourceIp", "127.0.0.0/8")], None, ask()),
    "with TLS only": ([{}, {"Effect": "Deny", **one("Bool", "aws:SecureTransport", "false")}], None, ask(who="owner")),
    "without TLS": ([one("Bool", "aws:SecureTransport", False)], ask(), None),
    "until": ([one("DateLessThan", "aws:CurrentTime", "2099-01-01T00:00:00Z")], ask(), None),
    "since": ([one("DateGreaterThan", "aws:CurrentTime", "2099-01-01T00:00:00Z")], None, ask()),
    "since, in seconds": ([one("NumericGreaterThan", "aws:EpochTime", NOW - 86400)], ask(), None),
    "by a browser": ([one("StringLike", "aws:UserAgent", "Mozilla/*")], ask(user_agent="Mozilla/5.0 (X)"), ask(user_agent="curl/8")),
    "from a page": ([one("StringLike", "aws:Referer", "https://example.com/*")], ask(referer="https://example.com/a"),
                    ask(referer="https://example.org/a")),
    "from a page or none": ([one("StringLikeIfExists", "aws:Referer", "https://example.com/*")], ask(), ask(referer="https://example.org/")),
    "signed in the header": ([one("StringEquals", "s3:authType", "REST-HEADER")], ask(who="member"), ask(who="member", presigned=True)),
    "signed a while ago": ([{}, {"Effect": "Deny", **one("NumericGreaterThan", "s3:signatureAge", 600000)}], ask(who="member", presigned=True),
                           None),
    # ---- listings ----
    "below a prefix": ([one("StringLike", "s3:prefix", ["dir/*", "b/*"])], listing("&prefix=dir%2Fx"), listing("&prefix=di")),
    "below a prefix, none given": ([one("StringLike", "s3:prefix", "dir/*")], None, listing()),
    "the top only": ([when(StringEquals={"s3:prefix": "", "s3:delimiter": "/"})], listing("&prefix=&delimiter=%2F"), listing("&prefix=")),
    "few at a time": ([one("NumericLessThanEquals", "s3:max-keys", "10")], listing("&max-keys=10"), listing("&max-keys=11")),
    # ---- versions and tags ----
    "one version": ([one("StringEquals", "s3:VersionId", "<VERSION>")], ask(key="tagged", query="versionId=<VERSION>"), ask(key="tagged")),
    "objects with a tag": ([one("StringEquals", "s3:ExistingObjectTag/class", "public")], ask(key="tagged"), ask()),
    "objects with another tag": ([one("StringEquals", "s3:ExistingObjectTag/Class", "public")], None, ask(key="tagged")),
    "uploads with a tag": ([one("StringEquals", "s3:RequestObjectTag/a", "1")], put(x_amz_tagging="a=1"), put(x_amz_tagging="a=2")),
    "uploads with these tags only": ([one("ForAllValues:StringEquals", "s3:RequestObjectTagKeys", ["a", "b"])], put(**KEYS_AB),
                                     put(x_amz_tagging="a=1&c=2")),
    "uploads with one of these tags": ([one("ForAnyValue:StringEquals", "s3:RequestObjectTagKeys", "b")], put(**KEYS_AB),
                                       put(x_amz_tagging="a=1")),
    "tags of an object": ([one("StringEquals", "s3:RequestObjectTag/a", "1")],
                          ask("PUT", "k", "tagging=", body=b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"),
                          ask("PUT", "k", "tagging=", body=b"<Tagging><TagSet><Tag><Key>a</Key><Value>2</Value></Tag></TagSet></Tagging>")),
    # ---- headers ----
    "copies from a prefix": ([{"Action": "s3:GetObject"}, {"Action": "s3:PutObject", **one("StringLike", "s3:x-amz-copy-source", "policies/dir/*")}],
                             ask("PUT", "copy", x_amz_copy_source="/policies/dir/k"), ask("PUT", "copy", x_amz_copy_source="/policies/b/k")),
    "no copies": ([{"Action": "s3:GetObject"}, {"Action": "s3:PutObject", **one("Null", "s3:x-amz-copy-source", "true")}], put(),
                  ask("PUT", "copy", **COPY_K)),
    "copies of metadata too": ([{}, {"Effect": "Deny", **one("StringEquals", "s3:x-amz-metadata-directive", "REPLACE")}], ask("PUT", "c", **COPY_K),
                               ask("PUT", "c", **COPY_K, x_amz_metadata_directive="REPLACE")),
    "a storage class": ([one("StringEquals", "s3:x-amz-storage-class", "STANDARD_IA")], put(x_amz_storage_class="STANDARD_IA"), put()),
    "no other storage class": ([one("StringEqualsIfExists", "s3:x-amz-storage-class", "STANDARD")], put(), put(x_amz_storage_class="STANDARD_IA")),
    "with the customer's key": ([{}, {"Effect": "Deny", "Action": "s3:PutObject",
                                      **one("Null", "s3:x-amz-server-side-encryption-customer-algorithm", "true")}],
                                put(**{n.replace("-", "_"): v for n, v in sse(b"k" * 32).items()}), put()),
    "the owner keeps control": ([one("StringEquals", "s3:x-amz-acl", "bucket-owner-full-control")], put(x_amz_acl="bucket-owner-full-control"),
                                put(x_amz_acl="private")),
    "write once": ([{}, {"Effect": "Deny", "Action": "s3:PutObject",
                         "Condition": {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}}],
                   put("once", if_none_match="*"), put("k")),
    "write once, a part of an upload": ([{}, {"Effect": "Deny", "Action": "s3:PutObject", "Condition": {
        "Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}}], ask("POST", "once", "uploads="), None),
    # ---- together ----
    "all of the conditions": ([when(StringLike={"aws:UserAgent": "good*"}, StringEquals={"s3:prefix": "a"})],
                              listing("&prefix=a", user_agent="good"), listing("&prefix=a", user_agent="bad")),
    "letters of any case": ([one("StringEqualsIgnoreCase", "aws:useragent", "AGENT")], ask(user_agent="agent"), ask(user_agent="agents")),
    "a star that is one": ([one("StringEquals", "aws:UserAgent", "a*")], ask(user_agent="a*"), ask(user_agent="ab")),
    "a star that is written so": ([{"Resource": "arn:aws:s3:::policies/${*}"}], None, ask()),
}


@pytest.mark.parametrize("name", CASES)
def test_case(world, name):
    statements, passes, fails = CASES[name]
    world.set(*statements)
    if passes:
        status, code = world.send(passes)
        assert status in (200, 204), f"must pass: {status} {code}"
    if fails:
        assert world.send(fails) == (403, "AccessDenied")


def test_public_read(world):
    """The bucket that everyone reads: anonymous GET, HEAD and ranges, and nothing else."""
    world.set({"Action": "s3:GetObject", "Resource": ALL[1]})
    assert world.send(ask()) == (200, None) and world.send(ask("HEAD")) == (200, None) and world.send(ask(Range="bytes=0-0")) == (206, None)
    for other in (put(), ask("DELETE"), listing(), ask("GET", "k", "tagging="), ask("GET", "", "policy="), ask("PUT", "", "policy=", body=b"{}")):
        assert world.send(other) == (403, "AccessDenied"), other
    world.clear()
    assert world.send(ask()) == (403, "AccessDenied")


def test_what_may_not_be_seen_is_not_told_apart(world):
    """A missing key is AccessDenied for whoever may not list the bucket, as with Amazon."""
    world.set({"Action": "s3:GetObject", "Resource": ALL[1]})
    assert world.send(ask(key="none")) == (403, "AccessDenied") and world.send(ask("HEAD", "none"))[0] == 403
    assert world.send(ask(key="k", query="versionId=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))[0] in (400, 403)
    world.set({"Action": ["s3:GetObject", "s3:ListBucket"]})
    assert world.send(ask(key="none")) == (404, "NoSuchKey") and world.send(ask("HEAD", "none"))[0] == 404


def test_what_may_not_be_seen_in_a_list_of_deletes(world):
    body = b'<Delete><Object><Key>none</Key><ETag>"a"</ETag></Object></Delete>'
    headers = {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}
    for actions, code in ((["s3:DeleteObject"], b"AccessDenied"), (["s3:DeleteObject", "s3:GetObject", "s3:ListBucket"], b"NoSuchKey")):
        world.set({"Action": actions})
        answer = Request(world.store, "POST", f"/{BUCKET}", "delete=", headers=headers, body=body).send()
        assert answer.status == 200 and b"<Code>" + code + b"</Code>" in answer.body, answer


def test_none(world):
    world.clear()
    with refused("NoSuchBucketPolicy", 404):
        world.s3.get_bucket_policy(Bucket=BUCKET)
    world.s3.delete_bucket_policy(Bucket=BUCKET)
    with refused("NotImplemented", 501):
        world.s3.get_bucket_policy_status(Bucket=BUCKET)
    for call in (world.s3.get_bucket_policy, world.s3.delete_bucket_policy):
        with refused("NoSuchBucket", 404):
            call(Bucket="no-such-bucket")


@pytest.mark.parametrize("text", [
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:Get*","Resource":"arn:aws:s3:::policies*"}]}',
    '{\n  "Statement" : {"Resource":["arn:aws:s3:::policies\\/*", "arn:aws:s3:::policies"], "Sid": "\\u00e4", "Action":["s3:Get*"],\n"Principal":{"CW":["*"]},'
    '"Effect":"Allow"}, "Id": "x", "Version":"2008-10-17"}\n'])
def test_reads_back(world, text):
    world.s3.put_bucket_policy(Bucket=BUCKET, Policy=text)
    assert world.s3.get_bucket_policy(Bucket=BUCKET)["Policy"] == text
    assert world.send(ask()) == (200, None)


GOOD = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::policies/*"}
BAD = [     # (what is changed in a good statement, or the whole text; words of the message)
    ("", "no body"), ("{", "JSON"), ("[]", "Policy"), ('{"Version":"2012-10-17"}', "Statement"), ('{"Statement":[]}', "Statement"),
    ('{"Version":"2013-01-01","Statement":[]}', "Version"), ('{"Statement":[],"Statement":[]}', "JSON"), ('{"Extra":1,"Statement":[]}', "Extra"),
    (" " * 20481, "20480 bytes"),
    ({"Effect": "allow"}, "Statement 1, Effect: \"allow\""), ({"Effect": None}, "Effect"), ({"Sid": 1}, "Sid"), ({"Other": 1}, "Other"),
    ({"Action": None}, "Action"), ({"Action": []}, "Action"), ({"Action": "s3:Nothing"}, "Action: \"s3:Nothing\""),
    ({"Action": "cwobject:ListAccessKeyInfo"}, "cwobject:ListAccessKeyInfo"), ({"NotAction": "s3:GetObject"}, "Action"),
    ({"Action": "ec2:RunInstances"}, "ec2:RunInstances"),
    ({"Resource": None}, "Resource"), ({"Resource": "policies/*"}, "Resource: \"policies/*\""),
    ({"Resource": "arn:aws:s3:::another/*"}, "does not lie in bucket"), ({"NotResource": "arn:aws:s3:::policies"}, "Resource"),
    ({"Resource": "arn:aws:s3:::policies/${aws:username}/*"}, "variables"),
    ({"Principal": "me"}, "Principal"), ({"Principal": {}}, "Principal"), ({"Principal": {"AWS": "123456789012"}}, "Principal: \"123456789012\""),
    ({"Principal": {"Service": "a.amazonaws.com"}}, "Service"), ({"Principal": {"AWS": "arn:aws:iam::abc123:user/x"}}, "user/x"),
    ({"Principal": {"CW": "arn:aws:iam::abc123:coreweave/a*b"}}, "wildcard"), ({"NotPrincipal": "*"}, "NotPrincipal"),
    ({"Condition": {"StringIs": {"s3:prefix": "a"}}}, "Condition: \"StringIs\""), ({"Condition": {"StringEquals": {"s3:nothing": "a"}}}, "s3:nothing"),
    ({"Condition": {"StringEquals": {"s3:ExistingObjectTag/": "a"}}}, "s3:ExistingObjectTag/"), ({"Condition": []}, "Condition"),
    ({"Condition": {"StringEquals": {}}}, "Condition"), ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}}, "10.0.0.0/33"),
    ({"Condition": {"NumericEquals": {"s3:max-keys": "many"}}}, "many"), ({"Condition": {"DateLessThan": {"aws:CurrentTime": "soon"}}}, "soon"),
    ({"Condition": {"Bool": {"aws:SecureTransport": "maybe"}}}, "maybe"), ({"Condition": {"NullIfExists": {"s3:prefix": "true"}}}, "NullIfExists"),
]


@pytest.mark.parametrize("change,words", BAD, ids=[f"{i}-{w[:12]}" for i, (_, w) in enumerate(BAD)])
def test_malformed(world, change, words):
    """MalformedPolicy that names the element; what was there stays."""
    world.set({})
    before = world.s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
    text = change if isinstance(change, str) else json.dumps(
        {"Version": "2012-10-17", "Statement": [{n: v for n, v in {**GOOD, **change}.items() if v is not None}]})
    answer = Request(world.store, "PUT", f"/{BUCKET}", "policy=", body=text.encode()).sign().send()
    assert (answer.status, answer.code) == (400, "MalformedPolicy"), answer
    assert words in answer.element("Message"), answer
    assert world.s3.get_bucket_policy(Bucket=BUCKET)["Policy"] == before


def test_nobody_locks_themselves_out(world):
    """A policy that denies everything to everyone can be replaced, by the bucket's own organization only; not read, not deleted."""
    world.set({"Effect": "Deny"})
    owner = {"who": "owner"}
    assert world.send(ask(**owner)) == world.send(ask("GET", "", "policy=", **owner)) == (403, "AccessDenied")
    assert world.send(ask("DELETE", "", "policy=", **owner)) == (403, "AccessDenied")
    good = json.dumps({"Version": "2012-10-17", "Statement": [{**GOOD, "Action": "s3:*", "Resource": ALL}]}).encode()
    assert world.send(ask("PUT", "", "policy=", who="guest", body=good)) == (403, "AccessDenied")
    assert world.send(ask("PUT", "", "policy=", who="owner", body=good)) == (204, None)
    # whatever the policy allows: it is set and removed by its own organization
    assert world.send(ask("PUT", "", "policy=", who="guest", body=good)) == (403, "AccessDenied")
    assert world.send(ask("DELETE", "", "policy=", who="guest")) == (403, "AccessDenied")
    assert world.send(ask("GET", "", "policy=", who="guest")) == (200, None)


def test_owner_is_told(world):
    """Who opens a bucket to the public, and forgets its own organization, learns why it is refused from then on; others learn nothing."""
    world.set({"Action": "s3:GetObject"})
    for who, told in (("owner", True), ("member", True), ("guest", False), ("anyone", False)):
        answer = world.answer(put(who=who))
        assert (answer.code, "bucket policy" in answer.element("Message")) == ("AccessDenied", told), (who, answer)


def test_visible_to_the_next_request(world):
    """A policy holds for whatever is asked after it was set, on each of many connections."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for i in range(6):
            world.set({"Action": "s3:GetObject" if i % 2 == 0 else "s3:PutObject"})
            want = (200, None) if i % 2 == 0 else (403, "AccessDenied")
            assert all(got == want for got in pool.map(world.send, [ask()] * 24))


def test_tags_of_a_thousand_objects(world):
    """A policy that asks for the tags of each object of a DeleteObjects costs the memory of one of them."""
    world.set({}, {"Effect": "Deny", "Action": "s3:DeleteObject*", "Condition": {"StringEquals": {"s3:ExistingObjectTag/keep": "yes"}}})
    made = world.s3.put_object(Bucket=BUCKET, Key="heavy", Body=b"x", ContentDisposition="x" * 28000)
    item = {"Key": "heavy", "VersionId": made["VersionId"], "ETag": made["ETag"]}
    answer = world.s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [item] * 1000})
    assert len(answer.get("Deleted", [])) + len(answer.get("Errors", [])) == 1000
    assert answer["Deleted"][0]["VersionId"] == made["VersionId"]
