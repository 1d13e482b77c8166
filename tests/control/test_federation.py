"""Keys from tokens: container credentials as SDKs fetch them by themselves, and OIDC against a provider of the test's own."""
import base64
import concurrent.futures
import contextlib
import datetime
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from api import Api


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(n, size=None):
    return b64(n.to_bytes(size or (n.bit_length() + 7) // 8, "big"))


class Key:
    def __init__(self, alg, kid):
        self.alg, self.kid = alg, kid
        self.key = {"RS256": lambda: rsa.generate_private_key(65537, 2048), "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
                    "EdDSA": ed25519.Ed25519PrivateKey.generate}[alg]()

    def jwk(self):
        public = self.key.public_key()
        if self.alg == "RS256":
            n = public.public_numbers()
            return {"kty": "RSA", "kid": self.kid, "n": number(n.n), "e": number(n.e), "use": "sig", "alg": "RS256"}
        if self.alg == "ES256":
            n = public.public_numbers()
            return {"kty": "EC", "crv": "P-256", "kid": self.kid, "x": number(n.x, 32), "y": number(n.y, 32)}
        return {"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": b64(public.public_bytes_raw())}

    def token(self, claims):
        text = b64(json.dumps({"alg": self.alg, "kid": self.kid, "typ": "JWT"}).encode()) + "." + b64(json.dumps(claims).encode())
        if self.alg == "RS256":
            signature = self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        elif self.alg == "ES256":
            r, s = decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        else:
            signature = self.key.sign(text.encode())
        return text + "." + b64(signature)


class Provider:
    """Discovery and keys on a free port of this machine."""

    def __init__(self):
        provider = self
        self.keys, self.asked = [], 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/.well-known/openid-configuration":
                    body = {"issuer": provider.url, "jwks_uri": provider.url + "/keys"}
                else:
                    provider.asked += 1
                    body = {"keys": [k.jwk() for k in provider.keys]}
                text = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def claims(self, **more):
        now = int(time.time())
        return {"iss": self.url, "sub": "repo:team/app", "aud": "caisson", "exp": now + 300, "iat": now, **more}


@pytest.fixture
def provider(api):
    p = Provider()
    api.call("POST", "/v1/caisson/oidc-config", {"name": "test", "issuerUrl": p.url, "clientId": "caisson"})
    yield p
    p.server.shutdown()


@pytest.fixture(scope="module")
def org(api):
    return api.call("GET", "/v1/caisson/user")["users"][0]["orgId"]


def exchange(api, org, token, **more):
    return api.raw("POST", "/v1/cwobject/temporary-credentials/oidc", {"orgId": org, "oidcToken": token, "durationSeconds": 600, **more},
                   headers={"Authorization": ""})


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_oidc(store, api, org, provider, alg):
    key = Key(alg, "one")
    provider.keys = [key]
    token = key.token(provider.claims())
    answer = exchange(api, org, token)
    assert answer.status_code == 403 and answer.json()["code"] == 7, answer.text	# nobody allowed the exchange
    api.policy("oidc-" + alg.lower(), [f"role/{provider.url}*"], ["cwobject:CreateAccessKeyOIDC", "s3:ListAllMyBuckets"])
    answer = exchange(api, org, token)
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert made["principalName"] == f"role/{provider.url}:repo:team/app" and made["expiry"] > "2026"
    store.client(aws_access_key_id=made["accessKeyId"], aws_secret_access_key=made["secretKey"]).list_buckets()
    asked = provider.asked
    assert exchange(api, org, token).status_code == 200 and provider.asked == asked		# keys are cached


@pytest.mark.parametrize("change,word", [
    ({"aud": "other"}, "audience"), ({"exp": 1000}, "expired"), ({"iat": 9999999999}, "not valid yet"), ({"iss": "https://other"}, "issuer"),
    ({"sub": None}, "sub")])
def test_oidc_refuses(api, org, provider, change, word):
    key = Key("ES256", "one")
    provider.keys = [key]
    answer = exchange(api, org, key.token(provider.claims(**change)))
    assert answer.status_code == 401 and answer.json()["code"] == 16 and word in answer.json()["message"], answer.text


def test_oidc_forged_and_rotated(api, org, provider):
    real, forged, new = Key("ES256", "one"), Key("ES256", "one"), Key("ES256", "two")
    provider.keys = [real]
    api.policy("oidc-rotate", [f"role/{provider.url}*"], ["cwobject:CreateAccessKeyOIDC"])
    assert exchange(api, org, real.token(provider.claims())).status_code == 200
    assert "signature" in exchange(api, org, forged.token(provider.claims())).json()["message"]
    provider.keys = [new]
    asked, begin = provider.asked, time.monotonic()
    for _ in range(5):		# an unknown key: asked anew once in ten seconds, no more
        exchange(api, org, new.token(provider.claims()))
    assert provider.asked <= asked + 1 + (time.monotonic() - begin) // 10
    deadline = time.monotonic() + 60
    while exchange(api, org, new.token(provider.claims())).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.5)


def aws(store, uri, token, token_file=None):
    """Both SDKs fetch keys by themselves; token_file: a path to hold the token."""
    if token_file:
        token_file.write_text(token)
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
                   "AWS_CONTAINER_CREDENTIALS_FULL_URI": store.control + uri,
                   **({"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file)} if token_file else {"AWS_CONTAINER_AUTHORIZATION_TOKEN": token}),
                   "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_S3": store.url, "AWS_CONFIG_FILE": "/dev/null",
                   "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    code = "import boto3; print(len(boto3.client('s3').list_buckets()['Buckets']))"
    for command in ([sys.executable, "-c", code], [os.path.join(os.path.dirname(sys.executable), "aws"), "s3", "ls"]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stderr


@pytest.mark.timeout(1200)        # the CLI takes a second to start, or a minute
def test_container_credentials_by_api_token(store, api):
    aws(store, "/v1/cwobject/temporary-credentials/api-token", "Bearer " + store.token)
    made = api.call("GET", "/v1/cwobject/temporary-credentials/api-token")
    assert {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"} <= set(made)


def test_session_token_belongs_to_its_key(store, api):
    one, two = (api.call("GET", "/v1/cwobject/temporary-credentials/api-token") for _ in range(2))

    def codes(token):
        s3 = store.client(aws_access_key_id=one["AccessKeyId"], aws_secret_access_key=one["SecretAccessKey"], aws_session_token=token)
        try:
            s3.list_buckets()
        except s3.exceptions.ClientError as e:
            return e.response["Error"]["Code"]
    assert codes(one["Token"]) is None
    assert codes(two["Token"]) == "InvalidToken"
    assert codes(None) == "InvalidToken"


@pytest.mark.timeout(1200)        # the CLI takes a second to start, or a minute
def test_container_credentials_by_oidc(store, api, org, provider, tmp_path):
    key = Key("RS256", "one")
    provider.keys = [key]
    api.policy("oidc-container", [f"role/{provider.url}*"], ["cwobject:CreateAccessKeyOIDC", "s3:ListAllMyBuckets"])
    aws(store, "/v1/cwobject/temporary-credentials/oidc/" + org, key.token(provider.claims()), tmp_path / "token")


def test_provider_that_does_not_answer(api, org):
    """It is asked once, by one worker; the others give up soon, and the control API goes on. For a while it is left alone."""
    deaf, asked = socket.create_server(("127.0.0.1", 0)), []
    url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
    api.call("POST", "/v1/caisson/oidc-config", {"name": "deaf", "issuerUrl": url, "clientId": "caisson"})
    now = int(time.time())
    token = Key("ES256", "k").token({"iss": url, "sub": "s", "aud": "caisson", "exp": now + 300, "iat": now})

    def accept():
        with contextlib.suppress(OSError):
            while True:
                asked.append(deaf.accept()[0])
    threading.Thread(target=accept, daemon=True).start()
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(exchange, api, org, token) for _ in range(3)]
        time.sleep(0.3)
        assert api.raw("GET", "/v1/cwobject/access-key").status_code == 200 and not all(a.done() for a in answers)
        assert all(a.result().status_code == 503 and a.result().json()["code"] == 14 for a in answers)
    begin = time.monotonic()
    assert exchange(api, org, token).status_code == 503 and time.monotonic() - begin < 4.5     # it is given five when it is asked
    deaf.close()
    assert len(asked) == 1


def test_issuers_on_this_machine_are_for_operators(api):
    _, admin = api.user("admin", "admin")
    body = {"issuerUrl": "http://127.0.0.1:1", "clientId": "c"}
    assert "https" in admin.fails("POST", "/v1/caisson/oidc-config", 400, 3, body)
    api.call("POST", "/v1/caisson/oidc-config", body)
    assert "https" in api.fails("POST", "/v1/caisson/oidc-config", 400, 3, {**body, "issuerUrl": "http://127.0.0.1:1@issuer.example"})


def test_durations(api, org, provider):
    """As asked, up to twelve hours; an hour if nothing or 0 is said: federated keys are never permanent."""
    key = Key("EdDSA", "one")
    provider.keys = [key]
    api.policy("oidc-durations", [f"role/{provider.url}*"], ["cwobject:CreateAccessKeyOIDC"])
    for asked, seconds in ((1, 1), (43200, 43200), (0, 3600), (None, 3600)):
        answer = exchange(api, org, key.token(provider.claims()), durationSeconds=asked)
        end = datetime.datetime.fromisoformat(answer.json()["expiry"].replace("Z", "+00:00")).timestamp()
        assert abs(end - time.time() - seconds) < 30, answer.text
    assert exchange(api, org, key.token(provider.claims()), durationSeconds=43201).status_code == 400
    for bad in ({"cw-x": "a"}, {"role": "a"}, {"groupsx": "a"}):
        assert exchange(api, org, key.token(provider.claims()), attributes=bad).status_code == 400
