"""Every way in which a signature, a presigned URL or a signed payload can be wrong, by raw requests."""
import base64
import hashlib

import pytest

from signing import CHUNKS, CHUNKS_TRAILER, EMPTY, UNSIGNED, UNSIGNED_TRAILER, Request, checksum, quote, shaped

MODES = [CHUNKS, CHUNKS_TRAILER, UNSIGNED_TRAILER]
BODY = bytes(range(256)) * 700      # 179,200 bytes


@pytest.fixture(scope="module")
def place(s3):
    """A bucket with one object, for requests that change nothing when they fail."""
    import uuid
    name = "sig-" + uuid.uuid4().hex[:20]
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    s3.put_object(Bucket=name, Key="there", Body=b"hello")
    yield name
    for row in s3.list_objects_v2(Bucket=name).get("Contents", []):
        s3.delete_object(Bucket=name, Key=row["Key"])
    s3.delete_bucket(Bucket=name)


def get(store, place, **more):
    return Request(store, "GET", f"/{place}/there", **more)


def absent(store, place, key):
    assert Request(store, "HEAD", f"/{place}/{key}").sign().send().status == 404


# ---- what is right ----

@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "auto", "US-TEST-01A", "x"])
@pytest.mark.parametrize("shift", [0, -14 * 60, 14 * 60])
def test_any_region_and_some_skew(store, place, region, shift):
    for _ in range(2):
        answer = get(store, place, region=region, shift=shift).sign().send()
        assert (answer.status, answer.body) == (200, b"hello")
    assert get(store, place, region=region, shift=shift).presign().send().body == b"hello"


def test_signed_by_date_header(store, place):
    request = get(store, place)
    request.set("Date", request.time.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    request.sign(names=["date", "host", "x-amz-content-sha256"])
    assert request.set("x-amz-date", None).send().body == b"hello"


def test_headers_repeated_folded_and_signed_or_not(store, place):
    request = get(store, place)
    request.headers += [("x-amz-meta-b", " one   two "), ("X-Amz-Meta-B", "three"), ("x-amz-meta-e", "")]
    assert request.sign().send().status == 200
    assert request.set("X-Custom", "added on the way").send().status == 200


def test_empty_session_token_is_none(store, place):
    assert get(store, place).set("x-amz-security-token", "").sign().send().status == 200
    assert get(store, place).presign(X_Amz_Security_Token="").send().status == 200


@pytest.mark.parametrize("expires", [1, 604800])
def test_presigned_expiry_bounds(store, place, expires):
    assert get(store, place).presign(expires=expires).send().status == 200


def test_presigned_put_signs_its_headers_in_the_query(store, s3, place):
    """As the JavaScript and Go SDKs do: what would be headers is hoisted into the query."""
    request = Request(store, "PUT", f"/{place}/hoisted", query="x-amz-meta-color=blue&x-amz-tagging=" + quote("a=b"), body=b"hi")
    assert request.presign(names=["host"]).send().status == 200
    head = s3.head_object(Bucket=place, Key="hoisted")
    assert head["Metadata"] == {"color": "blue"}
    assert s3.get_object_tagging(Bucket=place, Key="hoisted")["TagSet"] == [{"Key": "a", "Value": "b"}]
    copy = Request(store, "PUT", f"/{place}/copied", query="x-amz-copy-source=" + quote(f"{place}/there"))
    assert copy.presign(names=["host"]).send().status == 200
    assert s3.get_object(Bucket=place, Key="copied")["Body"].read() == b"hello"


def test_presigned_with_a_hash_in_the_query(store, place):
    digest = hashlib.sha256(b"hi").hexdigest()
    for body, status in ((b"hi", 200), (b"ho", 400)):
        request = Request(store, "PUT", f"/{place}/hash", body=body)
        assert request.presign(names=["host"], payload=digest, X_Amz_Content_Sha256=digest).send().status == status


# ---- the Authorization header ----

def edited(*changes):
    def edit(request):
        value = dict(request.headers)["Authorization"]
        for before, after in changes:
            assert before in value, value
            value = value.replace(before, after, 1)
        request.set("Authorization", value)
    return edit


def scope_part(index, text):
    def edit(request):
        value = dict(request.headers)["Authorization"]
        begin, end = value.index("Credential=") + 11, value.index(",Signed")
        parts = value[begin:end].split("/")
        parts[index] = text
        request.set("Authorization", value[:begin] + "/".join(parts) + value[end:])
    return edit


HEADER_FAULTS = {
    "signature": (edited(("Signature=", "Signature=0")), 403, "SignatureDoesNotMatch"),
    "no signature": (edited((",Signature=", ",Sig=")), 400, "AuthorizationHeaderMalformed"),
    "no signed headers": (edited((",SignedHeaders=", ",Signed=")), 400, "AuthorizationHeaderMalformed"),
    "no credential": (edited(("Credential=", "Cred=")), 400, "AuthorizationHeaderMalformed"),
    "sigv2": (lambda r: r.set("Authorization", f"AWS {r.key}:c2lnbmF0dXJl"), 400, "InvalidRequest"),
    "sigv4a": (edited(("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")), 400, "InvalidRequest"),
    "bearer": (lambda r: r.set("Authorization", "Bearer abc"), 400, "InvalidArgument"),
    "basic": (lambda r: r.set("Authorization", "Basic YTpi"), 400, "InvalidArgument"),
    "empty": (lambda r: r.set("Authorization", ""), 400, "InvalidArgument"),
    "unknown key": (scope_part(0, "CWNOSUCHKEY"), 403, "InvalidAccessKeyId"),
    "no key": (scope_part(0, ""), 400, "AuthorizationHeaderMalformed"),
    "other day": (scope_part(1, "20130524"), 400, "AuthorizationHeaderMalformed"),
    "date no date": (scope_part(1, "today"), 400, "AuthorizationHeaderMalformed"),
    "other region": (scope_part(2, "elsewhere"), 403, "SignatureDoesNotMatch"),
    "no region": (scope_part(2, ""), 400, "AuthorizationHeaderMalformed"),
    "other service": (scope_part(3, "ec2"), 400, "AuthorizationHeaderMalformed"),
    "other terminal": (scope_part(4, "aws5_request"), 400, "AuthorizationHeaderMalformed"),
    "no hash": (lambda r: r.set("x-amz-content-sha256", None), 400, "InvalidRequest"),
    "hash unreadable": (lambda r: r.set("x-amz-content-sha256", "abc"), 400, "InvalidArgument"),
    "other hash": (lambda r: r.set("x-amz-content-sha256", EMPTY[::-1]), 403, "SignatureDoesNotMatch"),
    "no date": (lambda r: r.set("x-amz-date", None), 403, "AccessDenied"),
    "date unreadable": (lambda r: r.set("x-amz-date", "yesterday"), 403, "AccessDenied"),
    "amz header added": (lambda r: r.set("x-amz-acl", "private"), 403, "AccessDenied"),
    "token of nobody": (lambda r: r.set("x-amz-security-token", "t").sign(), 403, "InvalidToken"),
    "path changed": (lambda r: setattr(r, "path", r.path + "x"), 403, "SignatureDoesNotMatch"),
    "query changed": (lambda r: setattr(r, "query", "partNumber=1"), 403, "SignatureDoesNotMatch"),
    "method changed": (lambda r: setattr(r, "method", "DELETE"), 403, "SignatureDoesNotMatch"),
    "host changed": (lambda r: r.set("Host", "localhost:1"), 403, "SignatureDoesNotMatch"),
    "presigned too": (lambda r: setattr(r, "query", "X-Amz-Algorithm=AWS4-HMAC-SHA256"), 400, "InvalidArgument"),
}


@pytest.mark.parametrize("fault", HEADER_FAULTS)
def test_header_faults(store, place, fault):
    change, status, code = HEADER_FAULTS[fault]
    request = get(store, place).sign()
    change(request)
    shaped(request.send(), status, code)


def test_unsigned_headers_are_named(store, place):
    answer = get(store, place).sign().set("x-amz-acl", "private").set("x-amz-meta-a", "b").send()
    assert shaped(answer, 403, "AccessDenied").element("HeadersNotSigned") == "x-amz-acl, x-amz-meta-a"
    answer = get(store, place).sign(names=["x-amz-content-sha256", "x-amz-date"]).send()
    assert shaped(answer, 403, "AccessDenied").element("HeadersNotSigned").lower() == "host"


def test_a_mismatch_shows_what_the_server_signed(store, place):
    request = get(store, place, secret="x" * 40).sign()
    answer = shaped(request.send(), 403, "SignatureDoesNotMatch")
    canonical = request.canonical(sorted(n.lower() for n, _ in request.headers if n != "Authorization"), request.payload)
    assert answer.element("CanonicalRequest") == canonical
    assert bytes.fromhex(answer.element("CanonicalRequestBytes")) == canonical.encode()
    assert answer.element("StringToSign").split("\n")[1:3] == [request.stamp, request.scope]
    assert bytes.fromhex(answer.element("StringToSignBytes")) == answer.element("StringToSign").encode()
    assert answer.element("SignatureProvided") == request.signature
    assert answer.element("AWSAccessKeyId") == store.key
    assert store.secret.encode() not in answer.body


@pytest.mark.parametrize("shift", [-16 * 60, 16 * 60, -86400 * 400])
def test_skew(store, place, shift):
    request = get(store, place, shift=shift).sign()
    answer = shaped(request.send(), 403, "RequestTimeTooSkewed")
    assert answer.element("RequestTime") == request.stamp
    assert answer.element("MaxAllowedSkewMilliseconds") == "900000"
    assert answer.element("ServerTime").endswith("Z")


# ---- presigned ----

QUERY_FAULTS = {
    "expired": (dict(shift=-100), dict(expires=60), 403, "AccessDenied"),
    "not yet": (dict(shift=16 * 60), {}, 403, "AccessDenied"),
    "more than a week": ({}, dict(expires=604801), 400, "AuthorizationQueryParametersError"),
    "negative": ({}, dict(expires=-1), 400, "AuthorizationQueryParametersError"),
    "no number": ({}, dict(expires="soon"), 400, "AuthorizationQueryParametersError"),
    "no expiry": ({}, dict(X_Amz_Expires=None), 400, "AuthorizationQueryParametersError"),
    "no date": ({}, dict(X_Amz_Date=None), 400, "AuthorizationQueryParametersError"),
    "date unreadable": ({}, dict(X_Amz_Date="now"), 400, "AuthorizationQueryParametersError"),
    "other day": ({}, dict(X_Amz_Date="20130524T000000Z"), 400, "AuthorizationQueryParametersError"),
    "no algorithm": ({}, dict(X_Amz_Algorithm=None), 400, "AuthorizationQueryParametersError"),
    "other algorithm": ({}, dict(X_Amz_Algorithm="AWS4-HMAC-SHA1"), 400, "AuthorizationQueryParametersError"),
    "no credential": ({}, dict(X_Amz_Credential=None), 400, "AuthorizationQueryParametersError"),
    "credential unreadable": ({}, dict(X_Amz_Credential="me"), 400, "AuthorizationQueryParametersError"),
    "no signed headers": ({}, dict(X_Amz_SignedHeaders=None), 400, "AuthorizationQueryParametersError"),
    "host unsigned": ({}, dict(X_Amz_SignedHeaders="range"), 403, "AccessDenied"),
    "unknown key": (dict(key="CWNOSUCHKEY"), {}, 403, "InvalidAccessKeyId"),
    "other secret": (dict(secret="x" * 40), {}, 403, "SignatureDoesNotMatch"),
    "token of nobody": ({}, dict(X_Amz_Security_Token="t"), 403, "InvalidToken"),
}


@pytest.mark.parametrize("fault", QUERY_FAULTS)
def test_query_faults(store, place, fault):
    how, change, status, code = QUERY_FAULTS[fault]
    answer = shaped(get(store, place, **how).presign(**change).send(), status, code)
    if fault == "expired":
        assert "expired" in answer.element("Message")
        assert answer.element("X-Amz-Expires") == "60"
        assert answer.element("Expires") < answer.element("ServerTime")


def test_presigned_requests_changed_on_the_way(store, place):
    assert get(store, place).presign().set("x-amz-acl", "private").send().code == "AccessDenied"
    request = get(store, place).presign()
    request.query += "&partNumber=1"
    shaped(request.send(), 403, "SignatureDoesNotMatch")
    request = get(store, place).presign()
    request.method = "DELETE"
    shaped(request.send(), 403, "SignatureDoesNotMatch")
    request = get(store, place).set("Range", "bytes=0-1").presign()
    shaped(request.set("Range", "bytes=1-2").send(), 403, "SignatureDoesNotMatch")
    request = Request(store, "GET", f"/{place}/there", query=f"AWSAccessKeyId={store.key}&Signature=x&Expires=9999999999")
    answer = shaped(request.send(), 400, "InvalidRequest")
    # s3cmd compares this sentence, and then signs as it says
    assert answer.element("Message") == "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."


def test_framing_cannot_be_smuggled_around_the_signature(store, place):
    request = Request(store, "PUT", f"/{place}/smuggled", body=b"0\r\n\r\n").presign()
    request.set("x-amz-content-sha256", UNSIGNED_TRAILER).set("x-amz-decoded-content-length", "0")
    shaped(request.send(), 403, "AccessDenied")
    absent(store, place, "smuggled")


# ---- payloads ----

@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size,sizes", [(0, ()), (1, ()), (65536, ()), (len(BODY), (1, 8192, 65536)), (len(BODY), (7,) * 300)])
def test_chunked_payloads_arrive(store, s3, place, mode, size, sizes):
    request = Request(store, "PUT", f"/{place}/chunked", body=BODY[:size]).set("Content-Type", "text/plain")
    answer = request.chunked(mode, sizes=sizes, content_encoding="aws-chunked,gzip").send()
    assert answer.status == 200, answer
    assert answer.headers["etag"] == '"' + hashlib.md5(BODY[:size]).hexdigest() + '"'
    if mode != CHUNKS:
        assert answer.headers["x-amz-checksum-crc32"] == checksum("crc32", BODY[:size])
    got = s3.get_object(Bucket=place, Key="chunked")
    assert got["Body"].read() == BODY[:size]
    assert (got["ContentEncoding"], got["ContentType"]) == ("gzip", "text/plain")


@pytest.mark.parametrize("algorithm", ["crc32", "crc64nvme", "sha1", "sha256"])
def test_trailing_checksums(store, place, algorithm):
    body = BODY[:5000]
    for mode in (CHUNKS_TRAILER, UNSIGNED_TRAILER):
        request = Request(store, "PUT", f"/{place}/trailer", body=body).chunked(mode, algorithm=algorithm)
        answer = request.send()
        assert answer.headers[f"x-amz-checksum-{algorithm}"] == checksum(algorithm, body), answer


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def test_any_tampering_with_signed_chunks_is_seen(store, place):
    """A bit anywhere: in data, sizes, signatures, line ends, the trailer. Nothing of it becomes visible."""
    request = Request(store, "PUT", f"/{place}/tampered", body=BODY[:3000]).chunked(CHUNKS_TRAILER, sizes=(1000, 1000, 1000))
    whole = b"".join(request.pieces)
    for at in [*range(0, len(whole), 97), *range(len(whole) - 200, len(whole), 7)]:
        answer = request.send(body=flipped(whole, at))
        assert answer.status in (400, 403), (at, answer)
        assert answer.code in ("SignatureDoesNotMatch", "InvalidRequest", "IncompleteBody", "MalformedTrailerError", "BadDigest"), answer
    absent(store, place, "tampered")


def changed(piece, before, after):
    def change(pieces):
        assert before in pieces[piece]
        pieces[piece] = pieces[piece].replace(before, after, 1)
    return change


CHUNK_FAULTS = [
    (CHUNKS, changed(0, BODY[:20], BODY[1:21]), "SignatureDoesNotMatch"),
    (CHUNKS, changed(0, b";chunk-signature=", b";chunk-signatura="), "InvalidRequest"),
    (CHUNKS, lambda p: p.insert(1, p[0]), "SignatureDoesNotMatch"),
    (CHUNKS, lambda p: p.__setitem__(slice(0, 2), p[1::-1]), "SignatureDoesNotMatch"),
    (CHUNKS, lambda p: p.pop(1), "InvalidRequest"),
    (CHUNKS, lambda p: p.__delitem__(slice(-2, None)), "IncompleteBody"),
    (CHUNKS, lambda p: p.append(b"more"), "InvalidRequest"),
    (CHUNKS_TRAILER, changed(-2, b"signature:", b"signature:0"), "InvalidRequest"),
    (CHUNKS_TRAILER, lambda p: p.pop(-2), "MalformedTrailerError"),
    (CHUNKS_TRAILER, lambda p: p.pop(-3), "MalformedTrailerError"),
    (CHUNKS_TRAILER, changed(-3, b"crc32:", b"crc32:AAAA"), "InvalidRequest"),
    (CHUNKS_TRAILER, lambda p: p.__setitem__(-3, b"x-amz-checksum-crc32:AAAAAA==\r\n"), "SignatureDoesNotMatch"),
    (UNSIGNED_TRAILER, lambda p: p.__setitem__(-2, b"x-amz-checksum-crc32:AAAAAA==\r\n"), "BadDigest"),
    (UNSIGNED_TRAILER, lambda p: p.__setitem__(-2, b"x-amz-checksum-sha1:AAAAAA==\r\n"), "MalformedTrailerError"),
    (UNSIGNED_TRAILER, lambda p: p.pop(-2), "MalformedTrailerError"),
    (UNSIGNED_TRAILER, changed(0, BODY[:20], BODY[1:21]), "BadDigest"),
    (UNSIGNED_TRAILER, changed(0, b"3e8\r\n", b"3e9\r\n"), "InvalidRequest"),
    (UNSIGNED_TRAILER, changed(0, b"3e8\r\n", b"x\r\n"), "InvalidRequest"),
    (UNSIGNED_TRAILER, changed(0, b"3e8\r\n", b"ffffffffffffffff\r\n"), "InvalidRequest"),
    (UNSIGNED_TRAILER, changed(0, b"3e8\r\n", b"3e8\n"), "InvalidRequest"),
    (UNSIGNED_TRAILER, lambda p: p.insert(0, b"0" * 5000), "InvalidRequest"),
]


@pytest.mark.parametrize("number", range(len(CHUNK_FAULTS)))
def test_chunk_faults(store, place, number):
    mode, change, code = CHUNK_FAULTS[number]
    request = Request(store, "PUT", f"/{place}/faulty", body=BODY[:2500]).chunked(mode, sizes=(1000, 1000, 500))
    change(request.pieces)
    shaped(request.send(), 403 if code == "SignatureDoesNotMatch" else 400, code)
    absent(store, place, "faulty")


@pytest.mark.parametrize("mode,piece", [(CHUNKS_TRAILER, -3), (UNSIGNED_TRAILER, -2)])
def test_trailer_of_minio(store, place, mode, piece):
    """MinIO's SDK for Go ends lines with a bare line feed, and sends a CRLF more behind them."""
    request = Request(store, "PUT", f"/{place}/minio", body=BODY[:2500]).chunked(mode, sizes=(2500,))
    changed(piece, b"\r\n", b"\n\r\n")(request.pieces)
    assert request.send().status == 200
    assert store.client().get_object(Bucket=place, Key="minio")["Body"].read() == BODY[:2500]
    request.pieces.append(b"\r\n" if mode == CHUNKS_TRAILER else b"\r\n\r\n")
    request.pieces.append(b"x")
    shaped(request.send(), 400, "InvalidRequest")


@pytest.mark.parametrize("mode", MODES)
def test_decoded_length(store, place, mode):
    for decoded, code in ((2499, "InvalidRequest"), (2501, "IncompleteBody"), ("x", "InvalidArgument"), (1 << 40, "InvalidRequest")):
        request = Request(store, "PUT", f"/{place}/length", body=BODY[:2500]).chunked(mode, decoded=decoded)
        shaped(request.send(), 400, code)
    absent(store, place, "length")


@pytest.mark.parametrize("mode", MODES)
def test_decoded_length_is_needed(store, place, mode):
    request = Request(store, "PUT", f"/{place}/length", body=BODY[:2500]).chunked(mode)
    request.set("x-amz-decoded-content-length", None).sign(payload=mode)
    shaped(request.send(), 411, "MissingContentLength")


@pytest.mark.parametrize("mode", MODES)
def test_cut_uploads_leave_nothing(store, place, mode):
    request = Request(store, "PUT", f"/{place}/cut", body=BODY).chunked(mode)
    whole = b"".join(request.pieces)
    for n in (0, 10, 70000, len(whole) - 1):
        shaped(request.send(body=whole[:n], length=len(whole)), 400, "IncompleteBody")
    absent(store, place, "cut")


def test_plain_payloads(store, place):
    body, other = b"hello", b"hellp"
    assert Request(store, "PUT", f"/{place}/plain", body=body).sign().send().status == 200
    assert Request(store, "PUT", f"/{place}/plain", body=body).sign(payload=UNSIGNED).send().status == 200
    shaped(Request(store, "PUT", f"/{place}/plain2", body=body).sign().send(body=other), 400, "XAmzContentSHA256Mismatch")
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    for sent, value, code in ((body, md5, None), (other, md5, "BadDigest"), (body, "x", "InvalidDigest"), (body, "", "InvalidDigest")):
        answer = Request(store, "PUT", f"/{place}/plain2", body=sent).set("Content-MD5", value).sign().send()
        assert (answer.code, answer.status) == (code, 400 if code else 200), answer
    crc = Request(store, "PUT", f"/{place}/plain3", body=body).set("x-amz-checksum-crc32", checksum("crc32", other))
    shaped(crc.sign().send(), 400, "BadDigest")
    absent(store, place, "plain3")


def test_xml_bodies_are_verified_too(store, place):
    xml = b"<Delete><Object><Key>there</Key></Object></Delete>"
    request = Request(store, "POST", f"/{place}", query="delete=", body=xml)
    shaped(request.set("x-amz-checksum-crc32", checksum("crc32", xml + b" ")).sign().send(), 400, "BadDigest")
    other = xml.replace(b"there", b"their")
    request = Request(store, "POST", f"/{place}", query="delete=", body=xml).set("x-amz-checksum-crc32", checksum("crc32", other)).sign()
    shaped(request.send(body=other), 400, "XAmzContentSHA256Mismatch")
    assert get(store, place).sign().send().status == 200


# ---- anonymous ----

def test_anonymous_requests_are_refused(store, place):
    for method, path in (("GET", f"/{place}/there"), ("PUT", f"/{place}/new"), ("DELETE", f"/{place}/there"), ("GET", f"/{place}"),
                         ("GET", "/"), ("PUT", "/new-bucket-of-nobody")):
        shaped(Request(store, method, path).send(), 403, "AccessDenied")
    request = Request(store, "PUT", f"/{place}/new", body=b"x").chunked(CHUNKS)
    shaped(request.set("Authorization", None).send(), 403, "AccessDenied")


def test_head_errors_have_no_body(store, place):
    answer = Request(store, "HEAD", f"/{place}/there").send()
    assert (answer.status, answer.body) == (403, b"")
    answer = Request(store, "HEAD", f"/{place}/not-there").sign().send()
    assert (answer.status, answer.body) == (404, b"")
    assert answer.headers["x-amz-request-id"]


def test_what_is_not_there(store, place):
    answer = shaped(Request(store, "GET", f"/{place}/not/there").sign().send(), 404, "NoSuchKey")
    assert (answer.element("Key"), answer.element("Resource")) == ("not/there", f"/{place}/not/there")
    answer = shaped(Request(store, "GET", "/no-such-bucket/k").sign().send(), 404, "NoSuchBucket")
    assert answer.element("BucketName") == "no-such-bucket"
    shaped(Request(store, "GET", "/No_Such_Bucket/k").sign().send(), 400, "InvalidBucketName")
    shaped(Request(store, "PATCH", f"/{place}/there").sign().send(), 405, "MethodNotAllowed")
    shaped(Request(store, "GET", f"/{place}", query="inventory=").sign().send(), 501, "NotImplemented")


# ---- the newest SDK ----

@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_boto3_defaults(store, place, algorithm):
    """Checksums by default, in a header and in multipart."""
    import io
    client = store.client()
    answer = client.put_object(Bucket=place, Key="boto", Body=io.BytesIO(BODY), ChecksumAlgorithm=algorithm)
    assert answer["Checksum" + algorithm] == checksum(algorithm.lower(), BODY)
    got = client.get_object(Bucket=place, Key="boto")
    assert got["Body"].read() == BODY


def test_boto3_signature_versions(store, place):
    from botocore import UNSIGNED as NOBODY
    import botocore.exceptions
    for version in ("s3v4", None):
        client = store.client(config={"signature_version": version} if version else {})
        assert client.get_object(Bucket=place, Key="there")["Body"].read() == b"hello"
    for version, code in (("s3", "InvalidRequest"), (NOBODY, "AccessDenied")):
        client = store.client(config={"signature_version": version})
        with pytest.raises(botocore.exceptions.ClientError) as caught:
            client.get_object(Bucket=place, Key="there")
        assert caught.value.response["Error"]["Code"] == code
