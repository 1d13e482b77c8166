"""CORS: the configuration, the question that a browser asks first, and the headers of the answer itself."""
import http.client

import botocore.exceptions
import pytest

from uploads import refused


def ask(store, method, path, **headers):
    """As a browser: nothing is signed."""
    connection = http.client.HTTPConnection(store.host, store.port, timeout=30)
    connection.request(method, path, headers={n.replace("_", "-"): v for n, v in headers.items()})
    answer = connection.getresponse()
    answer.text = answer.read().decode()
    connection.close()
    return answer


def preflight(store, path, origin, method, headers=None):
    more = {"access-control-request-headers": headers} if headers else {}
    return ask(store, "OPTIONS", path, origin=origin, access_control_request_method=method, **more)


RULES = [
    {"ID": "site", "AllowedOrigins": ["https://site.example", "https://*.site.example"], "AllowedMethods": ["GET", "PUT"],
     "AllowedHeaders": ["x-amz-*", "Content-Type"], "ExposeHeaders": ["ETag", "x-amz-version-id"], "MaxAgeSeconds": 600},
    {"AllowedOrigins": ["*"], "AllowedMethods": ["GET", "HEAD"]},
]


@pytest.fixture
def page(s3, bucket):
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    return bucket


def test_configuration(s3, bucket):
    def code(call):
        with pytest.raises(botocore.exceptions.ClientError) as failure:
            call(Bucket=bucket)
        return failure.value.response["Error"]["Code"], failure.value.response["ResponseMetadata"]["HTTPStatusCode"]
    assert code(s3.get_bucket_cors) == ("NoSuchCORSConfiguration", 404)
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == RULES
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES[1:]})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == RULES[1:]
    assert s3.delete_bucket_cors(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert code(s3.get_bucket_cors) == ("NoSuchCORSConfiguration", 404)


@pytest.mark.parametrize("origin,method,headers,good", [
    ("https://site.example", "PUT", "x-amz-date, content-type", True), ("https://site.example", "PUT", "X-Amz-Meta-A", True),
    ("https://a.site.example", "GET", None, True), ("https://site.example", "PUT", "authorization", False),
    ("https://site.example", "DELETE", None, False), ("http://site.example", "PUT", None, False), ("https://other", "PUT", None, False),
    ("https://other", "GET", None, True), ("https://other", "GET", "x-amz-date", False), ("https://other", "get", None, False)])
def test_preflight(store, page, origin, method, headers, good):
    answer = preflight(store, f"/{page}/some/key", origin, method, headers)
    if not good:
        assert answer.status == 403 and "AccessForbidden" in answer.text, answer.text
        assert answer.getheader("access-control-allow-origin") is None
        return
    assert answer.status == 200, answer.text
    anyone = origin == "https://other"
    assert answer.getheader("access-control-allow-origin") == ("*" if anyone else origin)
    assert method in answer.getheader("access-control-allow-methods")
    assert answer.getheader("access-control-allow-headers") == headers
    assert answer.getheader("access-control-max-age") == (None if anyone else "600")
    assert answer.getheader("access-control-allow-credentials") == (None if anyone else "true")
    assert answer.getheader("access-control-expose-headers") == (None if anyone else "ETag, x-amz-version-id")
    assert "Origin" in answer.getheader("vary")


def test_preflight_of_a_bucket(store, page):
    assert preflight(store, f"/{page}", "https://site.example", "PUT").status == 200


def test_incomplete_preflights(store, page):
    for headers in ({}, {"origin": "https://site.example"}, {"access_control_request_method": "GET"}):
        answer = ask(store, "OPTIONS", f"/{page}/k", **headers)
        assert answer.status == 400 and "BadRequest" in answer.text


def test_without_configuration(store, bucket):
    answer = preflight(store, f"/{bucket}/k", "https://site.example", "GET")
    assert answer.status == 403 and "no CORS rules" in answer.text
    answer = preflight(store, "/t-none-such/k", "https://site.example", "GET")
    assert answer.status == 404 and "NoSuchBucket" in answer.text


def test_answers(store, raw, page):
    """GET and PUT by the page, failures too, since it may read them; not by pages that no rule knows."""
    mine = {"origin": "https://site.example"}
    for method, key, status in (("PUT", "k", 200), ("GET", "k", 200), ("GET", "none", 404)):
        answer = raw.call(method, page, key, headers=mine, body=b"x" if method == "PUT" else b"")
        assert answer.status == status
        assert answer.headers.get("access-control-allow-origin") == "https://site.example", (method, key, answer.headers)
        assert answer.headers["access-control-expose-headers"] == "ETag, x-amz-version-id"
    answer = raw.call("GET", page, "k", headers={"origin": "https://other"})
    assert answer.status == 200 and answer.headers["access-control-allow-origin"] == "*"
    answer = raw.call("DELETE", page, "k", headers={"origin": "https://other"})
    assert answer.status == 204 and "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in raw.call("HEAD", page).headers
    denied = ask(store, "GET", f"/{page}/k", **mine)
    assert denied.status == 403 and denied.getheader("access-control-allow-origin") == "https://site.example"


def put(raw, bucket, rules):
    return raw.call("PUT", bucket, query={"cors": ""}, body=f"<CORSConfiguration>{rules}</CORSConfiguration>".encode())


RULE = "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>{}</CORSRule>"


@pytest.mark.parametrize("rules,code", [
    ("", "MalformedXML"), ("<CORSRule/>", "MalformedXML"), ("<CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>", "MalformedXML"),
    ("<Rule/>", "MalformedXML"), (RULE.format("<MaxAgeSeconds>x</MaxAgeSeconds>"), "MalformedXML"), (RULE.format("<Colour/>"), "MalformedXML"),
    (RULE.format("<MaxAgeSeconds>1</MaxAgeSeconds>" * 2), "MalformedXML"), (RULE.format("") * 101, "MalformedXML"),
    (RULE.format("<AllowedMethod>PATCH</AllowedMethod>"), "InvalidRequest"), (RULE.format("<AllowedMethod>get</AllowedMethod>"), "InvalidRequest"),
    (RULE.format("<AllowedOrigin>http://*.a.*</AllowedOrigin>"), "InvalidRequest"), (RULE.format("<ExposeHeader>x-*</ExposeHeader>"), "InvalidRequest"),
    (RULE.format("<AllowedHeader>*-*</AllowedHeader>"), "InvalidRequest"),
    (RULE.format("<AllowedHeader>X(a)</AllowedHeader>"), "InvalidRequest"), (RULE.format("<ExposeHeader>a/b</ExposeHeader>"), "InvalidRequest"),
    (RULE.format("<AllowedOrigin>a\nb</AllowedOrigin>"), "InvalidRequest"),
    (RULE.format("<ID>" + "x" * 256 + "</ID>"), "InvalidArgument"), (RULE.format("<ID>" + "x" * 70000 + "</ID>"), "MalformedXML")])
def test_bad_configurations(raw, bucket, rules, code):
    refused(put(raw, bucket, rules), 400, code)


def test_limits(raw, bucket):
    assert put(raw, bucket, RULE.format("") * 100).status == 200
    assert put(raw, bucket, RULE.format("<ID>" + "x" * 255 + "</ID>")).status == 200
    refused(raw.call("PUT", bucket, query={"cors": ""}), 400, "MalformedXML")
    refused(raw.call("PUT", "t-none-such", query={"cors": ""}, body=b"<a/>"), 404, "NoSuchBucket")
