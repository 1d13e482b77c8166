"""Who may do what: every operation by every kind of caller, against a table written from the specification.

SPEC says what each call needs, from the list of S3 calls and their permissions that the service publishes; calls which that list
does not have (they answer NotImplemented) are from Amazon's service authorization reference. Nothing here is read from the program:
tests only compare the names, so that a new operation without a row fails.

A cell is one request. It must be answered as SPEC says for a caller who may ("passes"), or refused with the code that the
column says. Callers who may hold exactly the permissions of the row, on exactly its resources, and nothing else.
"""
import base64
import datetime
import hashlib
import json
import os
import re
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "control"))

from api import Api  # noqa: E402
from signing import Request, mac  # noqa: E402
from store import TOP, Store  # noqa: E402

ZONE = {"LocationConstraint": "US-TEST-01A"}
B, K, S = "target", "target/dir/key", "source/dir/from"        # the bucket, the object, the source of a copy


def need(action, resource):
    return [("s3:" + a, resource) for a in action.split()]


def bucket(method, query, action, status=501, code="NotImplemented", **more):
    return dict(method=method, path="/target", query=query, needs=need(action, B), passes=(status, code), **more)


def item(method, query, action, status=501, code="NotImplemented", **more):
    return dict(method=method, path="/target/dir/key", query=query, needs=need(action, K), passes=(status, code), **more)


def control(method, query, action, status, code, **more):
    return dict(method=method, path="/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Atarget", query=query, needs=need(action, B), passes=(status, code),
                headers={"x-amz-account-id": "1"}, **more)


def delete_xml(version=""):
    return f"<Delete><Object><Key>dir/key</Key>{version}</Object></Delete>".encode()


MD5 = lambda body: {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}  # noqa: E731
COPY = {"x-amz-copy-source": "/source/dir/from"}
UPLOAD = "uploadId=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
NONE = (404, "NoSuchUpload")

SPEC = {
    # ---- what the specification lists ----
    "AbortMultipartUpload": item("DELETE", UPLOAD, "AbortMultipartUpload", *NONE),
    "CompleteMultipartUpload": item("POST", UPLOAD, "PutObject", *NONE, body=b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
                                    b"<ETag>a</ETag></Part></CompleteMultipartUpload>"),
    "CopyObject": dict(method="PUT", path="/target/dir/key", query="", headers=COPY, passes=(200, None),
                       needs=need("PutObject", K) + need("GetObject", S)),
    "CreateBucket": dict(method="PUT", path="/other-name", query="", needs=need("CreateBucket", "other-name"), passes=(400, "MalformedXML"),
                         body=b"<junk>", nobucket=True),
    "CreateMultipartUpload": item("POST", "uploads=", "PutObject", 200, None),
    "DeleteBucket": bucket("DELETE", "", "DeleteBucket", 409, "BucketNotEmpty"),
    "DeleteBucketLifecycle": bucket("DELETE", "lifecycle=", "DeleteLifecycleConfiguration", 204, None),
    "DeleteBucketPolicy": bucket("DELETE", "policy=", "DeleteBucketPolicy", 204, None, own_only=True),
    "DeleteBucketTagging": bucket("DELETE", "tagging=", "DeleteBucketTagging", 204, None),
    "DeleteObject": dict(item("DELETE", "", "DeleteObject", 204, None), path="/target/dir/none", needs=need("DeleteObject", "target/dir/none")),
    "DeleteObjects": dict(bucket("POST", "delete=", "", 200, None, body=delete_xml(), headers=MD5(delete_xml()), each=True,
                                 again="/target/dir/key"), needs=need("DeleteObject", K)),
    "DeleteObjectTagging": item("DELETE", "tagging=", "DeleteObjectTagging", 204, None),
    "GetBucketAcl": bucket("GET", "acl=", "ListBucket", 200, None),
    "GetBucketLifecycleConfiguration": bucket("GET", "lifecycle=", "GetLifecycleConfiguration", 404, "NoSuchLifecycleConfiguration"),
    "GetBucketLocation": bucket("GET", "location=", "GetBucketLocation", 200, None),
    "GetBucketPolicy": bucket("GET", "policy=", "GetBucketPolicy", 200, None, maybe=(404, "NoSuchBucketPolicy")),
    "GetBucketTagging": bucket("GET", "tagging=", "GetBucketTagging", 200, None),
    "GetBucketVersioning": bucket("GET", "versioning=", "GetBucketVersioning", 200, None),
    "GetObject": item("GET", "", "GetObject", 200, None),
    "GetObjectAcl": item("GET", "acl=", "GetObject", 200, None),
    "GetObjectAttributes": item("GET", "attributes=", "GetObject", 200, None, headers={"x-amz-object-attributes": "ETag"}),
    "GetObjectTagging": item("GET", "tagging=", "GetObjectTagging", 200, None),
    "HeadBucket": bucket("HEAD", "", "ListBucket", 200, None),
    "HeadObject": item("HEAD", "", "GetObject", 200, None),
    "ListBuckets": dict(method="GET", path="/", query="", needs=need("ListAllMyBuckets", "*"), passes=(200, None), nobucket=True),
    "ListMultipartUploads": bucket("GET", "uploads=", "ListBucketMultipartUploads", 200, None),
    "ListObjectVersions": bucket("GET", "versions=", "ListBucket", 200, None),
    "ListObjectsV2": bucket("GET", "list-type=2", "ListBucket", 200, None),
    "ListParts": item("GET", UPLOAD, "ListMultipartUploadParts", *NONE),
    "PutBucketLifecycleConfiguration": bucket("PUT", "lifecycle=", "PutLifecycleConfiguration", 400, "MalformedXML", body=b"<junk>"),
    "PutBucketPolicy": bucket("PUT", "policy=", "PutBucketPolicy", 400, "MalformedPolicy", body=b"junk", own_only=True, org_only=True),
    "PutBucketTagging": bucket("PUT", "tagging=", "PutBucketTagging", 400, "MalformedXML", body=b"<junk>"),
    "PutBucketVersioning": bucket("PUT", "versioning=", "PutBucketVersioning", 400, "MalformedXML", body=b"<junk>"),
    "PutObject": item("PUT", "", "PutObject", 200, None, body=b"x"),
    "PutObjectTagging": item("PUT", "tagging=", "PutObjectTagging", 400, "MalformedXML", body=b"<junk>"),
    "RenameObject": dict(method="PUT", path="/target/dir/key", query="renameObject=", passes=(412, "PreconditionFailed"),
                         headers={"x-amz-rename-source": "dir/other", "x-amz-rename-source-if-match": '"never"'},
                         needs=need("PutObject", K) + need("DeleteObject", "target/dir/other")),
    "UploadPart": item("PUT", "partNumber=1&" + UPLOAD, "PutObject", *NONE, body=b"x"),
    "UploadPartCopy": dict(method="PUT", path="/target/dir/key", query="partNumber=1&" + UPLOAD, headers=COPY, passes=NONE,
                           needs=need("PutObject", K) + need("GetObject", S)),

    # ---- what a version or tags add ----
    "DeleteObject a version": dict(item("DELETE", "versionId=null", "DeleteObject DeleteObjectVersion", 204, None), path="/target/dir/none",
                                   needs=need("DeleteObject DeleteObjectVersion", "target/dir/none")),
    "DeleteObjects a version": dict(bucket("POST", "delete=", "", 200, None, body=delete_xml("<VersionId>null</VersionId>"),
                                           headers=MD5(delete_xml("<VersionId>null</VersionId>")), each=True, again="/target/dir/key"),
                                    needs=need("DeleteObject DeleteObjectVersion", K)),
    "GetObject a version": item("GET", "versionId=null", "GetObject", 200, None),
    "HeadObject a version": item("HEAD", "versionId=null", "GetObject", 200, None),
    "PutObject with tags": item("PUT", "", "PutObject PutObjectTagging", 200, None, body=b"x", headers={"x-amz-tagging": "a=b"}),
    "CreateMultipartUpload with tags": item("POST", "uploads=", "PutObject PutObjectTagging", 200, None, headers={"x-amz-tagging": "a=b"}),
    "CopyObject with new tags": dict(method="PUT", path="/target/dir/key", query="", passes=(200, None),
                                     headers={**COPY, "x-amz-tagging": "a=b", "x-amz-tagging-directive": "REPLACE"},
                                     needs=need("PutObject PutObjectTagging", K) + need("GetObject", S)),

    # ---- Amazon's: answered, though the specification does not list them ----
    "ListObjects": bucket("GET", "", "ListBucket", 200, None),
    "GetBucketCors": bucket("GET", "cors=", "GetBucketCORS", 404, "NoSuchCORSConfiguration"),
    "PutBucketCors": bucket("PUT", "cors=", "PutBucketCORS", 400, "MalformedXML", body=b"<junk>"),
    "DeleteBucketCors": bucket("DELETE", "cors=", "PutBucketCORS", 204, None),
    "PostObject": dict(method="POST", path="/target", query="", needs=need("PutObject", K), passes=(204, None), form=True),
    "OptionsBucket": dict(bucket("OPTIONS", "", "", 403, "AccessForbidden", open=True), headers={
        "Origin": "http://a", "Access-Control-Request-Method": "GET"}),
    "OptionsObject": dict(item("OPTIONS", "", "", 403, "AccessForbidden", open=True), headers={
        "Origin": "http://a", "Access-Control-Request-Method": "GET"}),
    "PostService": dict(method="POST", path="/", query="", needs=[], passes=(501, "NotImplemented"), nobucket=True),

    # ---- Amazon's: not implemented ----
    "GetBucketAccelerateConfiguration": bucket("GET", "accelerate=", "GetAccelerateConfiguration"),
    "GetBucketAnalyticsConfiguration": bucket("GET", "analytics=", "GetAnalyticsConfiguration"),
    "GetBucketEncryption": bucket("GET", "encryption=", "GetEncryptionConfiguration"),
    "GetBucketIntelligentTieringConfiguration": bucket("GET", "intelligent-tiering=", "GetIntelligentTieringConfiguration"),
    "GetBucketInventoryConfiguration": bucket("GET", "inventory=", "GetInventoryConfiguration"),
    "GetBucketLogging": bucket("GET", "logging=", "GetBucketLogging"),
    "GetBucketMetadataConfiguration": bucket("GET", "metadataConfiguration=", "GetBucketMetadataTableConfiguration"),
    "GetBucketMetadataTableConfiguration": bucket("GET", "metadataTable=", "GetBucketMetadataTableConfiguration"),
    "GetBucketMetricsConfiguration": bucket("GET", "metrics=", "GetMetricsConfiguration"),
    "GetBucketNotificationConfiguration": bucket("GET", "notification=", "GetBucketNotification"),
    "GetBucketOwnershipControls": bucket("GET", "ownershipControls=", "GetBucketOwnershipControls"),
    "GetBucketPolicyStatus": bucket("GET", "policyStatus=", "GetBucketPolicyStatus"),
    "GetBucketReplication": bucket("GET", "replication=", "GetReplicationConfiguration"),
    "GetBucketRequestPayment": bucket("GET", "requestPayment=", "GetBucketRequestPayment"),
    "GetBucketWebsite": bucket("GET", "website=", "GetBucketWebsite"),
    "GetObjectLockConfiguration": bucket("GET", "object-lock=", "GetBucketObjectLockConfiguration"),
    "GetPublicAccessBlock": bucket("GET", "publicAccessBlock=", "GetBucketPublicAccessBlock"),
    "CreateSession": bucket("GET", "session=", "CreateSession"),
    "PutBucketAcl": bucket("PUT", "acl=", "PutBucketAcl"),
    "ListTagsForResource": control("GET", "", "ListTagsForResource", 200, None),
    "TagResource": control("POST", "", "TagResource", 400, "MalformedXML", body=b"<junk>"),
    "UntagResource": control("DELETE", "tagKeys=none", "UntagResource", 204, None),
    "GetBucketAbac": bucket("GET", "abac=", "GetBucketAbac"),
    "PutBucketAbac": bucket("PUT", "abac=", "PutBucketAbac"),
    "PutBucketAccelerateConfiguration": bucket("PUT", "accelerate=", "PutAccelerateConfiguration"),
    "PutBucketAnalyticsConfiguration": bucket("PUT", "analytics=", "PutAnalyticsConfiguration"),
    "PutBucketEncryption": bucket("PUT", "encryption=", "PutEncryptionConfiguration"),
    "PutBucketIntelligentTieringConfiguration": bucket("PUT", "intelligent-tiering=", "PutIntelligentTieringConfiguration"),
    "PutBucketInventoryConfiguration": bucket("PUT", "inventory=", "PutInventoryConfiguration"),
    "PutBucketLogging": bucket("PUT", "logging=", "PutBucketLogging"),
    "PutBucketMetricsConfiguration": bucket("PUT", "metrics=", "PutMetricsConfiguration"),
    "PutBucketNotificationConfiguration": bucket("PUT", "notification=", "PutBucketNotification"),
    "PutBucketOwnershipControls": bucket("PUT", "ownershipControls=", "PutBucketOwnershipControls"),
    "PutBucketReplication": bucket("PUT", "replication=", "PutReplicationConfiguration"),
    "PutBucketRequestPayment": bucket("PUT", "requestPayment=", "PutBucketRequestPayment"),
    "PutBucketWebsite": bucket("PUT", "website=", "PutBucketWebsite"),
    "PutObjectLockConfiguration": bucket("PUT", "object-lock=", "PutBucketObjectLockConfiguration"),
    "PutPublicAccessBlock": bucket("PUT", "publicAccessBlock=", "PutBucketPublicAccessBlock"),
    "UpdateBucketMetadataInventoryTableConfiguration": bucket("PUT", "metadataInventoryTable=", "UpdateBucketMetadataInventoryTableConfiguration"),
    "UpdateBucketMetadataJournalTableConfiguration": bucket("PUT", "metadataJournalTable=", "UpdateBucketMetadataJournalTableConfiguration"),
    "CreateBucketMetadataConfiguration": bucket("POST", "metadataConfiguration=", "CreateBucketMetadataTableConfiguration"),
    "CreateBucketMetadataTableConfiguration": bucket("POST", "metadataTable=", "CreateBucketMetadataTableConfiguration"),
    "DeleteBucketAnalyticsConfiguration": bucket("DELETE", "analytics=", "PutAnalyticsConfiguration"),
    "DeleteBucketEncryption": bucket("DELETE", "encryption=", "PutEncryptionConfiguration"),
    "DeleteBucketIntelligentTieringConfiguration": bucket("DELETE", "intelligent-tiering=", "PutIntelligentTieringConfiguration"),
    "DeleteBucketInventoryConfiguration": bucket("DELETE", "inventory=", "PutInventoryConfiguration"),
    "DeleteBucketMetadataConfiguration": bucket("DELETE", "metadataConfiguration=", "DeleteBucketMetadataTableConfiguration"),
    "DeleteBucketMetadataTableConfiguration": bucket("DELETE", "metadataTable=", "DeleteBucketMetadataTableConfiguration"),
    "DeleteBucketMetricsConfiguration": bucket("DELETE", "metrics=", "PutMetricsConfiguration"),
    "DeleteBucketOwnershipControls": bucket("DELETE", "ownershipControls=", "PutBucketOwnershipControls"),
    "DeleteBucketReplication": bucket("DELETE", "replication=", "PutReplicationConfiguration"),
    "DeleteBucketWebsite": bucket("DELETE", "website=", "DeleteBucketWebsite"),
    "DeletePublicAccessBlock": bucket("DELETE", "publicAccessBlock=", "PutBucketPublicAccessBlock"),
    "GetObjectLegalHold": item("GET", "legal-hold=", "GetObjectLegalHold"),
    "GetObjectRetention": item("GET", "retention=", "GetObjectRetention"),
    "GetObjectTorrent": item("GET", "torrent=", "GetObjectTorrent"),
    "PutObjectAcl": item("PUT", "acl=", "PutObjectAcl"),
    "PutObjectLegalHold": item("PUT", "legal-hold=", "PutObjectLegalHold"),
    "PutObjectRetention": item("PUT", "retention=", "PutObjectRetention"),
    "UpdateObjectEncryption": item("PUT", "encryption=", "UpdateObjectEncryption"),
    "RestoreObject": item("POST", "restore=", "RestoreObject"),
    "SelectObjectContent": item("POST", "select=&select-type=2", "GetObject"),
    "WriteGetObjectResponse": dict(item("POST", "WriteGetObjectResponse=", ""), needs=[("s3-object-lambda:WriteGetObjectResponse", K)],
                                   never=True),      # of a family that policies here do not know
}
EVERY_ACTION = "s3:*"


class World:
    """Two organizations; in ours a bucket "target" with objects and a bucket "source"."""

    def __init__(self, store):
        self.store, self.api = store, Api(store)
        self.s3 = store.client()
        first = self.api.call("GET", "/v1/caisson/user")["users"][0]
        self.org, self.root = first["orgId"], first["principalName"]
        self.theirs = self.api.call("POST", "/v1/caisson/organization", {"name": "theirs"})["organization"]["orgId"]
        self.principal, _ = self.api.user("caller")
        self.key = self.make_key(self.api, self.principal)
        self.expired = self.make_key(self.api, self.principal, 1)
        other, _ = self.api.user("suspended")
        self.suspended = self.make_key(self.api, other)
        self.api.call("PUT", "/v1/cwobject/access-key-status", {"principalName": other, "status": "SUSPENDED"})
        self.revoked = self.make_key(self.api, self.principal)
        self.api.call("POST", "/v1/cwobject/revoke-access-key/access-key", {"accessKey": self.revoked[0]})
        self.boss, self.their_api = self.api.user("boss", "admin", params={"org": self.theirs})
        self.their_key = self.make_key(self.their_api, self.boss)
        self.poor, _ = self.their_api.user("poor")
        self.poor_key = self.make_key(self.their_api, self.poor)
        self.their_api.policy("all", [self.boss], [EVERY_ACTION])
        for name in ("target", "source"):
            self.s3.create_bucket(Bucket=name, CreateBucketConfiguration=ZONE)
        for name, key in (("target", "dir/key"), ("target", "dir/other"), ("source", "dir/from")):
            self.s3.put_object(Bucket=name, Key=key, Body=b"x")
        time.sleep(max(0.0, self.made + 1.1 - time.monotonic()))        # the expired key is so now

    def make_key(self, api, principal, seconds=0):
        self.made = time.monotonic()
        key = api.call("POST", "/v1/cwobject/access-key", {"durationSeconds": seconds, "principalName": principal})
        return key["accessKeyId"], key["secretKey"]

    # ---- policies ----

    def organization(self, *statements):
        """The one policy of our organization that speaks of the caller: (effect, actions, resources, principals)."""
        self.api.call("POST", "/v1/cwobject/access-policy", {"policy": {"version": "v1alpha1", "name": "m", "statements": [
            {"name": f"s{i}", "effect": effect, "actions": actions, "resources": resources, "principals": principals or [self.principal]}
            for i, (effect, actions, resources, principals) in enumerate(statements)]
            or [{"name": "nothing", "effect": "Deny", "actions": ["s3:CreateSession"], "resources": ["none"], "principals": ["role/none"]}]}})

    def buckets(self, *statements):
        """Policies of both buckets: (effect, {"Action": ..}, bucket or bucket/key, principal). None at all: no policy."""
        for name in ("target", "source"):
            mine = [{"Effect": effect, "Principal": who, "Resource": "arn:aws:s3:::" + resource, **actions}
                    for effect, actions, resource, who in statements if resource.split("/")[0] == name]
            mine.append({"Effect": "Allow", "Principal": {"CW": f"arn:aws:iam::{self.org}:{self.root}"}, "Action": "s3:*",
                         "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]})       # for this test's own work
            self.s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": mine}))
            if not statements:
                self.s3.delete_bucket_policy(Bucket=name)

    # ---- requests ----

    def send(self, row, key=None, how="header", region="us-east-1"):
        """(status, code) of the row's request by this caller; key None: anonymous."""
        if row.get("again"):
            self.s3.put_object(Bucket="target", Key="dir/key", Body=b"x")
        if row.get("form"):
            return self.form(row, key, region)
        r = Request(self.store, row["method"], row["path"], row["query"], headers=row.get("headers"), body=row.get("body", b""),
                    region=region, key=key and key[0], secret=key and key[1])
        if key and how == "presigned":
            r.presign()
        elif key:
            r.sign()
        answer = r.send()
        if row.get("each") and answer.status == 200:
            code = re.search(rb"<Code>(\w+)</Code>", answer.body)
            return (403, code[1].decode()) if code else (200, None)
        if row["method"] == "HEAD":
            return answer.status, None if answer.status < 400 else answer.status
        return answer.status, answer.code if answer.status >= 300 else None

    def form(self, row, key, region):
        fields = [("key", "dir/key")]
        if key:
            now = datetime.datetime.now(datetime.timezone.utc)
            day = now.strftime("%Y%m%d")
            more = {"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": f"{key[0]}/{day}/{region}/s3/aws4_request",
                    "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ")}
            policy = base64.b64encode(json.dumps({
                "expiration": (now + datetime.timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "conditions": [["starts-with", "$key", ""], {"bucket": "target"}, *({n: v} for n, v in more.items())]}).encode()).decode()
            signing = ("AWS4" + key[1]).encode()
            for part in (day, region, "s3", "aws4_request"):
                signing = mac(signing, part).digest()
            fields += [*more.items(), ("policy", policy), ("x-amz-signature", mac(signing, policy).hexdigest())]
        parts = "".join(f'--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields)
        body = parts + '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--\r\n'
        answer = Request(self.store, "POST", row["path"], headers={"Content-Type": "multipart/form-data; boundary=b"},
                         body=body.encode()).send()
        return answer.status, answer.code if answer.status >= 300 else None


DENIED = (403, "AccessDenied")


class Row:
    """The cells of one row; what is wrong is collected."""

    def __init__(self, world, name):
        self.w, self.row, self.wrong, self.cells = world, SPEC[name], [], 0
        self.actions = [a for a, _ in self.row["needs"]]

    def cell(self, column, want, key, **how):
        got = self.w.send(self.row, key, **how)
        if self.row["method"] == "HEAD" and want[0] >= 400:
            want = (want[0], want[0])
        self.cells += 1
        if got != want and not (want == self.row["passes"] and got == self.row.get("maybe")):
            self.wrong.append(f"{column}: want {want}, got {got}")

    def exactly(self, who):
        """Bucket policy statements for just what the row needs."""
        return [("Allow", {"Action": a}, r, who) for a, r in self.row["needs"]]

    def own_organization(self):
        w, passes = self.w, DENIED if self.row.get("never") else self.row["passes"]
        may = not self.actions
        w.organization()
        w.buckets()
        self.cell("no policy", passes if may else DENIED, w.key)
        self.cell("no policy, presigned", passes if may else DENIED, w.key, how="presigned")
        if not self.row.get("never"):
            w.organization(*(("Allow", [a], [r], None) for a, r in self.row["needs"]))
        self.cell("allow", passes, w.key)
        self.cell("allow, wrong region", passes, w.key, region="mars-north-9")
        if not self.row.get("form"):
            self.cell("allow, presigned", passes, w.key, how="presigned")
            if not self.row.get("open"):
                self.cell("allow, expired key, presigned", (400, "ExpiredToken"), w.expired, how="presigned")
                self.cell("suspended key, presigned", DENIED, w.suspended, how="presigned")
        if not self.row.get("open"):
            self.cell("allow, expired key", (400, "ExpiredToken"), w.expired)
            self.cell("suspended key", DENIED, w.suspended)
            self.cell("revoked key", (403, "InvalidAccessKeyId"), w.revoked)
        for i, (action, resource) in enumerate(self.row["needs"]):
            if self.row.get("never"):
                continue
            w.organization(("Allow", [EVERY_ACTION], ["*"], None), ("Deny", [action], [resource], None))
            self.cell(f"deny {action}", DENIED, w.key)
            if len(self.actions) > 1:
                w.organization(*(("Allow", [a], [r], None) for k, (a, r) in enumerate(self.row["needs"]) if k != i))
                self.cell(f"allow all but {action}", DENIED, w.key)

    def bucket_policies(self):
        w, passes = self.w, DENIED if self.row.get("never") else self.row["passes"]
        named = {"AWS": f"arn:aws:iam::{w.org}:{w.principal}"}
        org_only = self.row.get("org_only")
        w.organization(("Allow", [EVERY_ACTION], ["*"], None))
        for action, resource in self.row["needs"]:
            if self.row.get("never"):
                continue
            everywhere = [("Allow", {"Action": EVERY_ACTION}, x, named) for x in ("target", "target/*", "source", "source/*")]
            w.buckets(*everywhere, ("Deny", {"Action": action}, resource, "*"))
            self.cell(f"bucket policy denies {action}", passes if org_only else DENIED, w.key)
            w.buckets(*(("Allow", {"NotAction": action}, x, named) for x in ("target", "target/*", "source", "source/*")))
            again = [a for a, r in self.row["needs"] if (a, r) != (action, resource)]
            self.cell(f"bucket policy allows all but {action}", passes if org_only or action in again else DENIED, w.key)
        if self.row["needs"] and not self.row.get("never"):
            w.buckets(*self.exactly(named))
            self.cell("bucket policy allows", passes, w.key)
            w.organization()
            self.cell("bucket policy allows, organization does not", DENIED, w.key)

    def strangers(self):
        w, passes, open_ = self.w, self.row["passes"], not self.actions
        allowed = DENIED if self.row.get("own_only") or self.row.get("never") else passes
        w.organization()
        w.buckets()
        self.cell("other organization, no policy", passes if open_ else DENIED, w.their_key)
        self.cell("anonymous, no policy", passes if open_ else DENIED, None)
        if open_ or self.row.get("never"):
            return
        w.buckets(*self.exactly({"AWS": f"arn:aws:iam::{w.theirs}:{w.boss}"}), *self.exactly({"CW": f"arn:aws:iam::{w.theirs}:{w.poor}"}))
        self.cell("other organization, bucket policy allows", allowed, w.their_key)
        self.cell("other organization, theirs does not allow", DENIED, w.poor_key)
        self.cell("anonymous, bucket policy allows others", DENIED, None)
        w.buckets(*self.exactly("*"))
        self.cell("anonymous, bucket policy allows *", allowed, None)
        self.cell("other organization, bucket policy allows *", allowed, w.their_key)
        for action, resource in self.row["needs"]:
            w.organization(("Deny", [action], [resource], ["*"]))
            self.cell(f"anonymous, bucket's organization denies * {action}", DENIED, None)
            self.cell(f"other organization, bucket's denies * {action}", DENIED, w.their_key)


@pytest.fixture(scope="module")
def world(build):
    store = Store(build, "--meta-engine", "memory", "--blob-engine", "memory")
    yield World(store)
    store.close()


def test_every_operation_has_a_row():
    with open(os.path.join(TOP, "src/tbl/operations.h")) as table:
        there = set(re.findall(r"^OPERATION\((\w+),", table.read(), re.M))
    assert there == {name for name in SPEC if " " not in name}


@pytest.mark.parametrize("name", SPEC)
def test_row(world, name):
    row = Row(world, name)
    row.own_organization()
    if row.row.get("nobucket"):
        world.organization()
        row.cell("anonymous", DENIED if row.actions else row.row["passes"], None)
    else:
        row.bucket_policies()
        row.strangers()
    assert not row.wrong, f"{name}, {row.cells} cells:\n" + "\n".join(row.wrong)
