"""What callers have no rights to is told apart from nothing by no answer.

Each request is sent twice, about something that is there and about something that is not; both answers must be equal, but for their ids and
their dates. (Buckets themselves are no secret, here as with Amazon: HEAD of a bucket says 403 or 404.)
"""
import base64
import hashlib
import json
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "control"))

from api import Api  # noqa: E402
from signing import Request  # noqa: E402
from store import Store  # noqa: E402

BUCKET, FLAT, ZONE = "hidden", "flat", {"LocationConstraint": "US-TEST-01A"}
XML = {"Content-Type": "application/xml"}


def delete(more):
    body = f"<Delete><Object><Key>KEY</Key>{more}</Object></Delete>"
    return dict(method="POST", path="", query="delete=", body=body)


def rename(to, source, headers=None):
    return dict(method="PUT", bucket=FLAT, path=to, query="renameObject=", headers={"x-amz-rename-source": source, **(headers or {})})


COMPLETE = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>"
TAGS = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
FORM = ('--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nKEY\r\n--b\r\nContent-Disposition: form-data; name="if-match"\r\n\r\n"x"\r\n'
        '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--\r\n')
MATCH, SOURCE = {"If-Match": '"x"'}, {"x-amz-copy-source": f"{BUCKET}/KEY"}

# KEY, VERSION, UPLOAD, TAG: of what is there, or of what is not.
REQUESTS = {
    "GET": dict(), "HEAD": dict(method="HEAD"), "GET a range": dict(headers={"Range": "bytes=0-0"}), "GET beyond": dict(headers={"Range": "bytes=99-"}),
    "GET a part": dict(query="partNumber=1"), "GET if match": dict(headers=MATCH), "GET if none match": dict(headers={"If-None-Match": "*"}),
    "GET if new": dict(headers={"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}),
    "GET if old": dict(headers={"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}),
    "GET a version": dict(path="there", query="versionId=VERSION"), "HEAD a version": dict(method="HEAD", path="there", query="versionId=VERSION"),
    "GET null version": dict(query="versionId=null"), "GET attributes": dict(query="attributes=", headers={"x-amz-object-attributes": "ETag"}),
    "GET acl": dict(query="acl="), "GET tags": dict(query="tagging="), "GET torrent": dict(query="torrent="), "GET retention": dict(query="retention="),
    "PUT tags": dict(method="PUT", query="tagging=", body=TAGS), "DELETE tags": dict(method="DELETE", query="tagging="),
    "PUT acl": dict(method="PUT", query="acl="),
    "PUT if match": dict(method="PUT", body="x", headers=MATCH), "PUT if match *": dict(method="PUT", body="x", headers={"If-Match": "*"}),
    "PUT if none match": dict(method="PUT", body="x", headers={"If-None-Match": "*"}),
    "PUT of another's": dict(method="PUT", body="x", headers={"x-amz-expected-bucket-owner": "OWNER"}),
    "DELETE": dict(method="DELETE"), "DELETE a version": dict(method="DELETE", path="there", query="versionId=VERSION"),
    "DELETE if match": dict(method="DELETE", headers=MATCH), "DELETE if match *": dict(method="DELETE", headers={"If-Match": "*"}),
    "DELETE many": delete(""), "DELETE many, if": delete('<ETag>"x"</ETag>'), "DELETE many, versions": delete("<VersionId>VERSION</VersionId>"),
    "copy": dict(method="PUT", path="of-mine", headers=SOURCE),
    "copy if": dict(method="PUT", path="of-mine", headers={**SOURCE, "x-amz-copy-source-if-match": '"x"'}),
    "copy a version": dict(method="PUT", path="of-mine", headers={"x-amz-copy-source": f"{BUCKET}/there?versionId=VERSION"}),
    "copy over": dict(method="PUT", headers={"x-amz-copy-source": "mine/k", **MATCH}),
    "rename": rename("of-mine", "KEY"), "rename if": rename("of-mine", "KEY", {"x-amz-rename-source-if-match": '"x"'}),
    "rename from a path": rename("of-mine", f"/{FLAT}/KEY"), "rename over": rename("KEY", "of-mine", MATCH),
    "begin an upload": dict(method="POST", query="uploads="), "a part": dict(method="PUT", path="up", query="partNumber=1&uploadId=UPLOAD", body="x"),
    "a part by copy": dict(method="PUT", path="up", query="partNumber=1&uploadId=UPLOAD", headers=SOURCE),
    "parts": dict(path="up", query="uploadId=UPLOAD"), "uploads": dict(path="", query="uploads=&prefix=UPKEY"),
    "complete": dict(method="POST", path="up", query="uploadId=UPLOAD", body=COMPLETE),
    "abort": dict(method="DELETE", path="up", query="uploadId=UPLOAD"),
    "list": dict(path="", query="list-type=2&prefix=KEY"), "list versions": dict(path="", query="versions=&prefix=KEY"),
    "form": dict(method="POST", path="", body=FORM, headers={"Content-Type": "multipart/form-data; boundary=b"}),
    "restore": dict(method="POST", query="restore="), "select": dict(method="POST", query="select=&select-type=2"),
}

# Callers: what the bucket policy allows them, and of what they may then ask that nothing else be told.
READS = {n for n in REQUESTS if n.startswith(("GET", "HEAD", "copy", "a part by copy"))}
CALLERS = {
    "stranger": ([], set(REQUESTS)), "anonymous": ([], set(REQUESTS)), "member": ([], set(REQUESTS)),
    "writer": (["s3:PutObject", "s3:AbortMultipartUpload"], READS | {"PUT if match", "DELETE if match", "DELETE many, if", "rename", "rename if", "rename from a path",
                                                                    "PUT tags", "DELETE tags", "parts", "uploads", "list", "list versions", "form"}),
    "deleter": (["s3:DeleteObject"], READS | {"DELETE", "DELETE if match", "DELETE if match *", "DELETE many", "DELETE many, if", "PUT tags", "list",
                                             "DELETE a version", "DELETE many, versions", "rename", "rename if"}),
    "tagger": (["s3:GetObjectTagging", "s3:DeleteObjectTagging", "s3:PutObjectTagging"], READS - {"GET tags"} | {"PUT if match", "list"}),
    "lister": (["s3:ListBucketMultipartUploads"], READS | {"list", "list versions", "parts", "abort"}),
}
# Deletes of what is there that pass would leave nothing to ask the others about.
PASSES = {"deleter": {"DELETE", "DELETE many", "DELETE if match *"}}


class World:
    def __init__(self, store):
        self.store, self.s3, api = store, store.client(), Api(store)
        first = api.call("GET", "/v1/caisson/user")["users"][0]
        self.org = first["orgId"]
        other = api.call("POST", "/v1/caisson/organization", {"name": "other"})["organization"]["orgId"]
        self.keys, statements = {"anonymous": None}, [{"Effect": "Allow", "Principal": {"CW": f"arn:aws:iam::{self.org}:{first['principalName']}"},
                                                       "Action": "s3:*", "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]}]
        for name, (actions, _) in CALLERS.items():
            if name == "anonymous":
                continue
            more = {"params": {"org": other if name == "stranger" else self.org}}
            user = api.call("POST", "/v1/caisson/user", {"name": name}, **more)["user"]["principalName"]
            key = api.call("POST", "/v1/cwobject/access-key", {"durationSeconds": 0, "principalName": user}, **more)
            self.keys[name] = key["accessKeyId"], key["secretKey"]
            if name != "member":
                api.policy("all-" + name, [user], ["s3:*"], **more)
            if actions:
                statements.append({"Effect": "Allow", "Principal": {"CW": f"arn:aws:iam::{self.org}:{user}"}, "Action": actions,
                                   "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]})
        for name in (BUCKET, FLAT, "mine"):
            self.s3.create_bucket(Bucket=name, CreateBucketConfiguration=ZONE)
        self.s3.put_object(Bucket="mine", Key="k", Body=b"mine")
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        for key in ("there", "of-mine"):
            self.s3.put_object(Bucket=FLAT, Key=key, Body=b"x")
        version = self.s3.put_object(Bucket=BUCKET, Key="there", Body=b"there", Tagging="a=1")["VersionId"]
        self.s3.put_object(Bucket=BUCKET, Key="of-mine", Body=b"x")
        upload = self.s3.create_multipart_upload(Bucket=BUCKET, Key="up")["UploadId"]
        gone_version = self.s3.put_object(Bucket=BUCKET, Key="there", Body=b"gone")["VersionId"]
        self.s3.delete_object(Bucket=BUCKET, Key="there", VersionId=gone_version)
        gone_upload = self.s3.create_multipart_upload(Bucket=BUCKET, Key="up")["UploadId"]
        self.s3.abort_multipart_upload(Bucket=BUCKET, Key="up", UploadId=gone_upload)
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.s3.put_bucket_policy(Bucket=BUCKET, Policy=policy)
        self.s3.put_bucket_policy(Bucket=FLAT, Policy=policy.replace(f":::{BUCKET}", f":::{FLAT}"))
        self.names = [{"UPKEY": "up", "KEY": "there", "VERSION": version, "UPLOAD": upload, "OWNER": self.org},
                      {"UPKEY": "no", "KEY": "quiet", "VERSION": gone_version, "UPLOAD": gone_upload, "OWNER": other}]

    def answer(self, caller, request, names):
        """All of an answer that may not differ, with the names of what is not there for those of what is."""
        def fill(text):
            for name, of in names.items():
                text = text.replace(name, of)
            return text
        r = {"method": "GET", "bucket": BUCKET, "path": "KEY", "query": "", "headers": {}, "body": "", **request}
        body = fill(r["body"]).encode()
        headers = {n: fill(v) for n, v in r["headers"].items()}
        if r["query"] == "delete=":
            headers["Content-MD5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
        key = self.keys[caller]
        sent = Request(self.store, r["method"], f"/{r['bucket']}/{fill(r['path'])}".rstrip("/"), fill(r["query"]), headers=headers, body=body,
                       key=key and key[0], secret=key and key[1])
        got = (sent.sign() if key else sent).send()
        text = got.body.decode()
        for header in ("x-amz-request-id", "x-amz-id-2"):
            text = text.replace(got.headers.pop(header), "")
        got.headers.pop("date")
        for here, missing in zip(self.names[0].values(), self.names[1].values()):
            text = text.replace(here, missing)
        return got.status, got.headers, text


@pytest.fixture(scope="module")
def world(build):
    store = Store(build, "--meta-engine", "memory", "--blob-engine", "memory")
    yield World(store)
    store.close()


@pytest.mark.parametrize("caller", CALLERS)
def test_told_apart_by_nothing(world, caller):
    wrong = []
    for name in sorted(CALLERS[caller][1] - PASSES.get(caller, set())):
        there, missing = (world.answer(caller, REQUESTS[name], names) for names in world.names)
        if there != missing or (there[0] < 400 and "DELETE many" not in name):
            wrong.append(f"{name}: {there}\n   but {missing}")
    assert not wrong, "\n".join(wrong)


def test_the_owner_sees_the_difference(world):
    """Else nothing was asked: with all rights each of these answers differently."""
    world.keys["owner"] = (world.store.key, world.store.secret)
    same = [name for name in sorted(READS | {"parts", "uploads", "list", "list versions", "PUT if match", "DELETE if match", "DELETE many, if"})
            if "retention" not in name and "torrent" not in name and "null" not in name
            and world.answer("owner", REQUESTS[name], world.names[0]) == world.answer("owner", REQUESTS[name], world.names[1])]
    assert same == []
