"""Uploads by a browser's form, with a signed policy and without one."""
import base64
import datetime
import hashlib
import hmac
import http.client
import json

import pytest

from uploads import MIB, content, md5, sse


def encode(fields, file=b"body", filename="f.txt", boundary="----b0undary", after=()):
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in fields]
    if file is not None:
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
                     "Content-Type: application/x-of-the-file\r\n\r\n".encode() + file + b"\r\n")
    parts += [f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in after]
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


class Answer:
    def __init__(self, answer):
        self.status, self.body = answer.status, answer.read()
        self.headers = {n.lower(): v for n, v in answer.getheaders()}

    @property
    def code(self):
        return self.body.split(b"<Code>")[1].split(b"</Code>")[0].decode() if b"<Code>" in self.body else None

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


def post(store, bucket, body, kind="multipart/form-data; boundary=----b0undary"):
    connection = http.client.HTTPConnection(store.host, store.port, timeout=30)
    headers = {"Content-Type": kind} if kind else {}
    connection.request("POST", f"/{bucket}", body=body, headers=headers)
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def signed(store, fields, conditions, minutes=10, secret=None, algorithm="AWS4-HMAC-SHA256", day=None, bucket=[["starts-with", "$bucket", ""]]):
    """Fields and a policy with these conditions, signed as Amazon describes."""
    now = datetime.datetime.now(datetime.timezone.utc)
    day = day or now.strftime("%Y%m%d")
    more = {"x-amz-algorithm": algorithm, "x-amz-credential": f"{store.key}/{day}/nowhere/s3/aws4_request",
            "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ")}
    document = {"expiration": (now + datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "conditions": conditions + bucket + [{n: v} for n, v in more.items()]}
    policy = base64.b64encode(json.dumps(document).encode()).decode()
    key = ("AWS4" + (secret or store.secret)).encode()
    for part in (day, "nowhere", "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return [*fields, *more.items(), ("Policy", policy), ("X-Amz-Signature", hmac.new(key, policy.encode(), hashlib.sha256).hexdigest())]


ANY = ["starts-with", "$key", ""]


def refused(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer
    return answer


@pytest.mark.parametrize("size", [0, 1, 5000, 70000, 3 * MIB + 1])
def test_sizes(store, raw, bucket, size):
    body = content(size, size)
    answer = post(store, bucket, encode(signed(store, [("key", "k")], [ANY, {"bucket": bucket}]), body))
    assert answer.status == 204 and answer.body == b"", answer
    assert answer.headers["etag"] == f'"{md5(body)}"' and answer.headers["location"].endswith(f"/{bucket}/k")
    got = raw.call("GET", bucket, "k")
    assert got.body == body and got.headers["content-type"] == "binary/octet-stream"


def test_almost_a_boundary(store, raw, bucket):
    body = b"\r\n------b0undar\r\n--\r\n----b0undary\r\n\r\n" * 3000
    assert post(store, bucket, encode(signed(store, [("key", "k")], [ANY]), body)).status == 204
    assert raw.call("GET", bucket, "k").body == body


def test_sdk(store, s3, raw, bucket):
    """boto3's generate_presigned_post."""
    form = store.client(config={"signature_version": "s3v4"}).generate_presigned_post(bucket, "up/${filename}", Fields={"Content-Type": "text/x", "x-amz-meta-a": "1"},
                                      Conditions=[["starts-with", "$Content-Type", "text/"], {"x-amz-meta-a": "1"}, ["content-length-range", 1, 10]])
    answer = post(store, bucket, encode(form["fields"].items(), b"12345", "C:\\dir\\na me.txt"))
    assert answer.status == 204, answer
    got = raw.call("GET", bucket, "up/na me.txt")
    assert (got.body, got.headers["content-type"], got.headers["x-amz-meta-a"]) == (b"12345", "text/x", "1")


def test_everything_a_form_may_say(store, raw, bucket):
    fields = [("key", "k"), ("acl", "private"), ("Content-Type", "text/x"), ("Cache-Control", "no-cache"), ("Content-Disposition", "inline"),
              ("Content-Encoding", "gzip"), ("Expires", "Thu, 01 Dec 2033 16:00:00 GMT"), ("x-amz-meta-one", "1"), ("x-amz-storage-class", "STANDARD_IA"),
              ("x-amz-website-redirect-location", "/x"), ("tagging", "<Tagging><TagSet><Tag><Key>t</Key><Value>1</Value></Tag></TagSet></Tagging>"),
              ("x-amz-checksum-sha256", base64.b64encode(hashlib.sha256(b"body").digest()).decode()), ("x-ignore-me", "anything")]
    conditions = [ANY] + [["starts-with", f"${n}", ""] for n, _ in fields[1:-1]]
    answer = post(store, bucket, encode(signed(store, fields, conditions), after=[("submit", "not read")]))
    assert answer.status == 204, answer
    got = raw.call("GET", bucket, "k", headers={"x-amz-checksum-mode": "ENABLED"}).headers
    assert (got["content-type"], got["cache-control"], got["content-disposition"], got["content-encoding"], got["x-amz-meta-one"],
            got["x-amz-storage-class"], got["x-amz-website-redirect-location"], got["x-amz-tagging-count"]) == \
        ("text/x", "no-cache", "inline", "gzip", "1", "STANDARD_IA", "/x", "1")
    assert got["x-amz-checksum-sha256"] == fields[11][1]


def test_sse_c(store, raw, bucket):
    key = b"k" * 32
    fields = [("key", "k"), *sse(key).items()]
    answer = post(store, bucket, encode(signed(store, fields, [["starts-with", f"${n}", ""] for n, _ in fields])))
    assert answer.status == 204 and "x-amz-server-side-encryption-customer-algorithm" in answer.headers
    assert raw.call("GET", bucket, "k", headers=sse(key)).body == b"body"
    assert raw.call("GET", bucket, "k").status == 400


# ---- what is answered ----

@pytest.mark.parametrize("said,status", [("200", 200), ("201", 201), ("204", 204), ("302", 204), ("junk", 204)])
def test_status(store, bucket, said, status):
    answer = post(store, bucket, encode(signed(store, [("key", "a b"), ("success_action_status", said)], [ANY, ["eq", "$success_action_status", said]])))
    assert answer.status == status, answer
    assert answer.headers["location"].endswith("/a%20b")
    if status == 201:
        assert b"<PostResponse>" in answer.body and f"<Bucket>{bucket}</Bucket>".encode() in answer.body and b"<Key>a b</Key>" in answer.body
        assert md5(b"body").encode() in answer.body


@pytest.mark.parametrize("url,want", [("http://site.example/done", "http://site.example/done?bucket={b}&key=a%20b%2Fc&etag=%22{e}%22"),
                                      ("https://site.example/?x=1", "https://site.example/?x=1&bucket={b}&key=a%20b%2Fc&etag=%22{e}%22"),
                                      ("javascript:alert(1)", None)])
def test_redirect(store, bucket, url, want):
    fields = [("key", "a b/c"), ("success_action_redirect", url)]
    answer = post(store, bucket, encode(signed(store, fields, [ANY, {"success_action_redirect": url}])))
    if want is None:
        assert answer.status == 204
    else:
        assert (answer.status, answer.headers["location"]) == (303, want.format(b=bucket, e=md5(b"body")))


def test_versions(store, s3, raw, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ids = {post(store, bucket, encode(signed(store, [("key", "k")], [ANY]))).headers["x-amz-version-id"] for _ in "ab"}
    assert len(ids) == 2 and raw.call("GET", bucket, "k", query={"versionId": ids.pop()}).status == 200


# ---- policies ----

@pytest.mark.parametrize("conditions,good", [
    ([["eq", "$key", "up/k"]], True), ([{"key": "up/k"}], True), ([["starts-with", "$key", "up/"]], True), ([["eq", "$key", "up/"]], False),
    ([["starts-with", "$key", "down/"]], False), ([ANY, {"bucket": "other"}], False), ([ANY, {"acl": "private"}], False), ([], False)])
def test_conditions(store, raw, bucket, conditions, good):
    answer = post(store, bucket, encode(signed(store, [("key", "up/k")], conditions)))
    if good:
        assert answer.status == 204, answer
    else:
        refused(answer, 403, "AccessDenied")
        assert b"condition" in answer.body
        assert raw.call("GET", bucket, "up/k").status == 404


def test_another_bucket(store, raw, bucket):
    """A signed form is good for the bucket that its policy names: not for another one by a field that says so, and for none if it names none."""
    fields = [("key", "k"), ("bucket", "uploads")]
    refused(post(store, bucket, encode(signed(store, fields, [ANY], bucket=[{"bucket": "uploads"}]))), 403, "AccessDenied")
    answer = refused(post(store, bucket, encode(signed(store, fields[:1], [ANY], bucket=[]))), 403, "AccessDenied")
    assert b"no condition for bucket" in answer.body and raw.call("GET", bucket, "k").status == 404
    assert post(store, bucket, encode(signed(store, fields, [ANY], bucket=[{"bucket": bucket}]))).status == 204


def test_extra_field(store, bucket):
    answer = refused(post(store, bucket, encode(signed(store, [("key", "k"), ("x-amz-meta-extra", "1")], [ANY]))), 403, "AccessDenied")
    assert b"no condition for x-amz-meta-extra" in answer.body


@pytest.mark.parametrize("size,code", [(4, "EntityTooSmall"), (5, None), (10, None), (11, "EntityTooLarge"), (2 * MIB, "EntityTooLarge")])
def test_length_range(store, raw, bucket, size, code):
    answer = post(store, bucket, encode(signed(store, [("key", "k")], [ANY, ["content-length-range", 5, 10]]), bytes(size)))
    if code:
        refused(answer, 400, code)
        assert raw.call("GET", bucket, "k").status == 404
    else:
        assert answer.status == 204


def test_expired(store, bucket):
    answer = refused(post(store, bucket, encode(signed(store, [("key", "k")], [ANY], minutes=-1))), 403, "AccessDenied")
    assert b"expired" in answer.body


def test_signatures(store, bucket):
    refused(post(store, bucket, encode(signed(store, [("key", "k")], [ANY], secret="wrong"))), 403, "SignatureDoesNotMatch")
    refused(post(store, bucket, encode(signed(store, [("key", "k")], [ANY], algorithm="AWS4-HMAC-SHA1"))), 400, "InvalidArgument")
    refused(post(store, bucket, encode(signed(store, [("key", "k")], [ANY], day="20200101"))), 400, "InvalidArgument")
    fields = [(n, "CWNOSUCHKEY/" + v.split("/", 1)[1]) if n == "x-amz-credential" else (n, v) for n, v in signed(store, [("key", "k")], [ANY])]
    refused(post(store, bucket, encode(fields)), 403, "InvalidAccessKeyId")
    fields = [(n, v[:-4] + "AAA=") if n == "Policy" else (n, v) for n, v in signed(store, [("key", "k")], [ANY])]
    refused(post(store, bucket, encode(fields)), 403, "SignatureDoesNotMatch")
    fields = [(n, v) for n, v in signed(store, [("key", "k")], [ANY]) if n != "X-Amz-Signature"]
    refused(post(store, bucket, encode(fields)), 403, "SignatureDoesNotMatch")
    fields = [(n, v) for n, v in signed(store, [("key", "k")], [ANY]) if n != "Policy"]
    refused(post(store, bucket, encode(fields)), 400, "InvalidArgument")
    refused(post(store, bucket, encode([("key", "k"), ("AWSAccessKeyId", "x"), ("policy", "x"), ("signature", "x")])), 400, "InvalidRequest")


def test_anonymous(store, s3, raw, bucket):
    refused(post(store, bucket, encode([("key", "k")])), 403, "AccessDenied")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject",
                                                      "Resource": f"arn:aws:s3:::{bucket}/open/*"},
                                                     {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:*",
                                                      "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                                                      "Condition": {"StringLike": {"cw:PrincipalOrgID": "*"}}}]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    try:
        assert post(store, bucket, encode([("key", "open/k")])).status == 204
        refused(post(store, bucket, encode([("key", "k")])), 403, "AccessDenied")
    finally:
        s3.delete_bucket_policy(Bucket=bucket)
    assert raw.call("GET", bucket, "open/k").body == b"body"


# ---- forms that are none ----

@pytest.mark.parametrize("kind", [None, "text/plain", "multipart/form-data", "application/x-www-form-urlencoded"])
def test_not_a_form(store, bucket, kind):
    """A form without a boundary is one that cannot be read."""
    wrong = (400, "MalformedPOSTRequest") if kind == "multipart/form-data" else (412, "PreconditionFailed")
    refused(post(store, bucket, encode([("key", "k")]), kind), *wrong)


@pytest.mark.parametrize("body", [b"", b"junk", b"------b0undary\r\n\r\nx", b'------b0undary\r\nContent-Disposition: form-data; name="key"\r\n\r\nk'])
def test_malformed(store, bucket, body):
    refused(post(store, bucket, body), 400, "MalformedPOSTRequest")


def test_cut_file_is_not_stored(store, raw, bucket):
    body = encode(signed(store, [("key", "k")], [ANY]), bytes(200000))
    refused(post(store, bucket, body[:-100]), 400, "MalformedPOSTRequest")
    assert raw.call("GET", bucket, "k").status == 404


@pytest.mark.parametrize("fields,status,code", [
    ([], 400, "InvalidArgument"), ([("key", "")], 400, "InvalidArgument"), ([("key", "x" * 1025)], 400, "KeyTooLongError"),
    ([("key", "a"), ("key", "b")], 400, "InvalidArgument"), ([("key", "k"), ("x-amz-meta-big", "x" * 21000)], 400, "MaxPostPreDataLengthExceeded"),
    ([("key", "k"), *[(f"x-amz-meta-{n}", "1") for n in range(120)]], 400, "MalformedPOSTRequest"),
    ([("key", "k"), ("x-amz-meta-a", "one\r\ntwo: three")], 400, "InvalidArgument")])
def test_bad_fields(store, bucket, fields, status, code):
    refused(post(store, bucket, encode(fields)), status, code)


@pytest.mark.parametrize("name,value,status,code", [
    ("acl", "public-read", 400, "AccessControlListNotSupported"), ("x-amz-storage-class", "GLACIER", 400, "InvalidStorageClass"),
    ("x-amz-server-side-encryption", "AES256", 501, "NotImplemented"), ("tagging", "<junk/>", 400, "MalformedXML"),
    ("content-md5", "junk", 400, "InvalidDigest"), ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==", 400, "BadDigest"),
    ("x-amz-checksum-crc32", "AAAAAA==", 400, "BadDigest"), ("x-amz-meta-big", "x" * 2048, 400, "MetadataTooLarge")])
def test_refused_fields(store, raw, bucket, name, value, status, code):
    refused(post(store, bucket, encode(signed(store, [("key", "k"), (name, value)], [ANY, ["starts-with", f"${name}", ""]]))), status, code)
    assert raw.call("GET", bucket, "k").status == 404


def test_no_file(store, bucket):
    refused(post(store, bucket, encode(signed(store, [("key", "k")], [ANY]), file=None)), 400, "InvalidArgument")


def test_no_bucket(store):
    refused(post(store, "t-none-such", encode([("key", "k")])), 404, "NoSuchBucket")
