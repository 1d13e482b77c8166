"""No secret where it must not be: logs, error bodies, the data directory, a core file.

A store at log level debug, with access log and audit log, is made to handle each kind of secret, in requests that go well and in ones
that do not. Then everything it wrote is searched for all of them, raw, in base64 and in hex, and so is its memory, as far as a core
file would hold it: mappings that the kernel was told to leave out (VmFlags dd) do not count.
"""
import base64
import contextlib
import glob
import hashlib
import os
import re
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse

import pytest
import requests

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "s3"))

from api import Api  # noqa: E402
from signing import Request  # noqa: E402
from store import TOP, Store  # noqa: E402
from test_federation import Key, Provider  # noqa: E402
from uploads import sse  # noqa: E402

BUCKET = "/secrets"
OWN_FILES = {"master.key", "credentials", "admin-token"}       # where they belong, mode 0600


def forms(name, secret):
    """What to search for: (name and form, bytes). secret: text, or bytes of a key."""
    raw = secret if isinstance(secret, bytes) else secret.encode()
    yield name, raw
    yield name + " in hex", raw.hex().encode()
    yield name + " in HEX", raw.hex().upper().encode()
    yield name + " in base64", base64.b64encode(raw).rstrip(b"=")[:-1]     # the last digit depends on what follows
    yield name + " in base64url", base64.urlsafe_b64encode(raw).rstrip(b"=")[:-1]
    yield name + " in a URL", urllib.parse.quote(raw, safe="").encode()


class Secrets:
    def __init__(self):
        self.known = {}

    def add(self, name, secret):
        self.known[name] = secret
        return secret

    def found(self, data, where):
        wanted = {}
        for name, secret in self.known.items():
            for form, raw in forms(name, secret):
                wanted.setdefault(raw, form)
        return sorted(f"{form} in {where}" for raw, form in wanted.items() if raw in data)


def master(store):
    with open(store.data + "/master.key") as file:
        return bytes.fromhex(file.read().strip())


class Busy:
    """A store that has handled every kind of secret; bodies: what it answered to requests that failed."""

    def __init__(self, store):
        self.store, self.secrets, self.bodies = store, Secrets(), []
        self.api = Api(store)
        self.session = requests.Session()
        self.secrets.add("the first secret key", store.secret)
        self.secrets.add("the first token", store.token)
        self.secrets.add("the first master key", master(store))
        self.org = self.api.call("GET", "/v1/caisson/user")["users"][0]["orgId"]
        self.api.call("PUT", "/v1/cwobject/organization/settings",
                      {"settings": {"controlPlaneAuditLoggingEnabled": True, "bucketAuditLoggingEnabled": True}})
        assert self.s3("PUT", BUCKET, body=b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint>"
                       b"</CreateBucketConfiguration>").status == 200

    def s3(self, method, path, query="", fails=False, presigned=False, body=b"", headers=None, key=None, wrong=False):
        r = Request(self.store, method, path, query, headers=headers, body=body, key=key and key[0], secret=key and key[1])
        r.presign() if presigned else r.sign()
        if wrong:
            r.headers = [(n, v.replace("Signature=", "Signature=0")) for n, v in r.headers]
        answer = r.send()
        assert (answer.status >= 400) == fails, answer
        if fails:
            self.bodies.append(answer.body)
        return answer

    def hold(self, key, headers, head_only=0):
        """A request that is under way: its head and half of its body are sent, or only that much of the head. Gives the socket."""
        r = Request(self.store, "PUT", BUCKET + "/held", headers=headers, body=b"x" * 4000000, key=key[0], secret=key[1])
        r.set("Content-Length", "4000000").sign(payload="UNSIGNED-PAYLOAD")
        sock = socket.create_connection((self.store.host, self.store.port), timeout=30)
        sock.sendall(r.head()[:head_only] if head_only else r.head() + r.body[:2000000])
        return sock

    def fails(self, answer):
        assert answer.status_code >= 400, answer.text
        self.bodies.append(answer.content)

    # ---- each kind ----

    def access_keys(self):
        made = self.api.call("POST", "/v1/cwobject/access-key", {"durationSeconds": 0})
        key = made["accessKeyId"], self.secrets.add("a secret key", made["secretKey"])
        self.s3("PUT", BUCKET + "/k", body=b"x", key=key)
        self.s3("GET", BUCKET + "/k", presigned=True, key=key)
        self.s3("GET", BUCKET + "/k", wrong=True, fails=True, key=key)
        self.s3("GET", BUCKET + "/none", fails=True, key=key)
        revoked = self.api.call("POST", "/v1/cwobject/access-key", {"durationSeconds": 0})
        self.secrets.add("a revoked secret key", revoked["secretKey"])
        self.api.call("POST", "/v1/cwobject/revoke-access-key/access-key", {"accessKey": revoked["accessKeyId"]})
        self.s3("GET", BUCKET + "/k", fails=True, key=(revoked["accessKeyId"], revoked["secretKey"]))

    def session_tokens(self):
        made = self.api.call("GET", "/v1/cwobject/temporary-credentials/api-token")
        key = made["AccessKeyId"], self.secrets.add("a temporary secret key", made["SecretAccessKey"])
        token = self.secrets.add("a session token", made["Token"])
        self.s3("GET", BUCKET + "/k", key=key, headers={"x-amz-security-token": token})
        self.s3("GET", BUCKET + "/k", query="X-Amz-Security-Token=" + token, presigned=True, key=key)
        self.s3("GET", BUCKET + "/k", key=key, fails=True, headers={"x-amz-security-token": token[:-1] + "_"})
        self.s3("GET", BUCKET + "/k", key=key, fails=True, wrong=True, headers={"x-amz-security-token": token})
        self.s3("GET", BUCKET + "/k", fails=True, headers={"x-amz-security-token": token})

    def bearer_tokens(self):
        _, user = self.api.user("someone")
        token = self.secrets.add("a token", user.token)
        self.fails(user.raw("GET", "/v1/cwobject/access-key"))
        self.fails(user.raw("GET", "/v1/cwobject/access-key/" + token))
        self.fails(user.raw("POST", "/v1/cwobject/access-key", {token: token}))
        for header in ("Basic " + token, "Bearer " + token + "x", token):
            self.fails(requests.get(self.store.control + "/v1/cwobject/access-key", headers={"Authorization": header}, timeout=30))

    def customer_keys(self):
        mine, other = self.secrets.add("a customer's key", secrets.token_bytes(32)), self.secrets.add("another's key", secrets.token_bytes(32))
        self.s3("PUT", BUCKET + "/sse", body=b"x" * 100000, headers=sse(mine))
        self.s3("GET", BUCKET + "/sse", headers=sse(mine))
        self.s3("GET", BUCKET + "/sse", headers=sse(other), fails=True)
        self.s3("GET", BUCKET + "/sse", headers={**sse(mine), "x-amz-server-side-encryption-customer-key-md5": "AAAA"}, fails=True)
        self.s3("PUT", BUCKET + "/copy", headers={**sse(mine, "copy-source-"), **sse(other), "x-amz-copy-source": BUCKET + "/sse"})
        self.s3("PUT", BUCKET + "/small", body=b"x", headers=sse(mine), wrong=True, fails=True)

    def identity_tokens(self):
        provider, key = Provider(), Key("ES256", "one")
        provider.keys = [key]
        self.api.call("POST", "/v1/caisson/oidc-config", {"name": "p", "issuerUrl": provider.url, "clientId": "caisson"})
        self.api.policy("exchange", [f"role/{provider.url}*"], ["cwobject:CreateAccessKeyOIDC"])
        good, bad = (self.secrets.add(name, key.token(provider.claims(**more))) for name, more in
                     (("an identity token", {}), ("an identity token for others", {"aud": "other"})))
        path = "/v1/cwobject/temporary-credentials/oidc"
        made = self.api.call("POST", path, {"orgId": self.org, "oidcToken": good, "durationSeconds": 600}, headers={"Authorization": ""})
        self.secrets.add("a federated secret key", made["secretKey"])
        self.fails(self.api.raw("POST", path, {"orgId": self.org, "oidcToken": bad, "durationSeconds": 600}, headers={"Authorization": ""}))
        self.fails(self.api.raw("GET", path + "/" + self.org, headers={"Authorization": bad}))
        made = self.api.call("GET", path + "/" + self.org, headers={"Authorization": good})
        self.secrets.add("a federated session token", made["Token"])
        self.secrets.add("another federated secret key", made["SecretAccessKey"])
        provider.server.shutdown()

    def everything(self):
        for kind in (self.access_keys, self.session_tokens, self.bearer_tokens, self.customer_keys, self.identity_tokens):
            kind()
        self.api.call("POST", "/v1/caisson/master-key/rotate")
        self.secrets.add("the second master key", master(self.store))
        return self


def release(build):
    """The sanitizer keeps what was freed: its memory is not looked at."""
    return "build" if "asan" in build and os.path.exists(os.path.join(TOP, "build/caisson")) else build


@pytest.fixture(scope="module")
def busy(build):
    store = Store(release(build), "--log-level", "debug", "--access-log", "-", "--sse-c-plain-http", "true", "--inline-max", "512", "--workers", "8",
                  "--workers-small", "2")
    yield Busy(store).everything()
    store.close()


def test_error_bodies(busy):
    assert len(busy.bodies) > 15
    assert busy.secrets.found(b"\n".join(busy.bodies), "an error") == []


def files(store):
    return [f for f in glob.glob(store.data + "/**", recursive=True) if os.path.isfile(f) and os.path.basename(f) not in OWN_FILES]


def test_logs_and_data(busy):
    """Everything in the data directory, which holds the logs: secrets in the index are sealed, tokens are there by their hash."""
    names, wrong = files(busy.store), []
    for name in names:
        with open(name, "rb") as file:
            wrong += busy.secrets.found(file.read(), os.path.basename(name))
    assert wrong == []
    with open(busy.store.data + "/audit.log") as audit:
        assert len(audit.read().splitlines()) > 30
    assert "op=GetObject" in busy.store.output()
    for name in OWN_FILES:
        assert os.stat(f"{busy.store.data}/{name}").st_mode & 0o777 == 0o600


PAGE = 4096


@contextlib.contextmanager
def stopped(pid):
    """A core file is of one instant: nothing is mapped or given back while we look."""
    def state():
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + 60
        while state() != "T" and time.monotonic() < deadline:
            time.sleep(0.01)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def core(pid):
    """What a core file would hold of the process: (where, bytes) of each writable mapping that is not left out, without pages of zeros."""
    with stopped(pid), open(f"/proc/{pid}/smaps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for begin, end, modes, name, flags in re.findall(
                r"^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)\n(?:.*\n)*?VmFlags: (.*)$", maps.read(), re.M):
            if "w" not in modes or " dd" in " " + flags:
                continue
            memory.seek(int(begin, 16))
            data, left = [], int(end, 16) - int(begin, 16)
            while left > 0 and (piece := memory.read(min(left, 1 << 20))):
                left -= len(piece)
                data += [p for p in (piece[i:i + PAGE] for i in range(0, len(piece), PAGE)) if any(p)]
            yield name or "anonymous", b"".join(data)


def test_core_with_the_key_in_the_environment(build):
    known, keys = Secrets(), [secrets.token_bytes(32) for _ in range(2)]
    for i, key in enumerate(keys):
        known.add(f"master key {i}", key)
    store = Store(release(build), environment={"CAISSON_MASTER_KEY": keys[0].hex()})
    store.stop()
    store.environment = {"CAISSON_MASTER_KEY": keys[1].hex(), "CAISSON_MASTER_KEY_OLD": keys[0].hex()}
    store.start()
    store.client().list_buckets()
    assert [f for where, data in core(store.process.pid) for f in known.found(data, where)] == []
    with open(f"/proc/{store.process.pid}/environ", "rb") as environ:
        assert known.found(environ.read(), "environ") == []
    store.close()


def test_core_over_tls(build, tmp_path):
    """Requests and answers on their way through OpenSSL. Bound at the start: what binds lazily saves vector registers on the stack."""
    cert, key = str(tmp_path / "cert"), str(tmp_path / "key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert,
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
    store, known = Store(release(build), "--tls-cert", cert, "--tls-key", key, "--meta-engine", "memory", "--blob-engine", "memory",
                         environment={"LD_BIND_NOW": "1"}), Secrets()
    known.add("the first token", store.token)
    with open(key) as file:
        known.add("the file of the private key", file.read().split("\n")[1])
    shown = subprocess.run(["openssl", "pkey", "-in", key, "-text", "-noout"], check=True, capture_output=True, text=True).stdout
    known.add("the private key", bytes.fromhex(re.sub(r"[\s:]", "", re.search(r"priv:\n((?:\s+[0-9a-f:]+\n)+)", shown)[1]))[-32:])
    made = requests.get(store.control + "/v1/cwobject/temporary-credentials/api-token", headers={"Authorization": "Bearer " + store.token},
                        verify=cert, timeout=30).json()
    token, mine = known.add("a session token", made["Token"]), known.add("a customer's key", secrets.token_bytes(32))
    who = {"key": made["AccessKeyId"], "secret": known.add("a secret key", made["SecretAccessKey"])}
    create = b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint></CreateBucketConfiguration>"
    open_ = []
    for path, body, sent in ((BUCKET, create, None), (BUCKET + "/k", b"x" * 100000, None), (BUCKET + "/held", b"x" * 4000000, 2000000)):
        r = Request(store, "PUT", path, body=body, headers={"x-amz-security-token": token, **(sse(mine) if body != create else {})}, **who)
        r.set("Content-Length", str(len(body))).sign()
        sock = ssl.create_default_context(cafile=cert).wrap_socket(socket.create_connection((store.host, store.port), 30), server_hostname=store.host)
        sock.sendall((r.head() + body)[:sent])
        assert sent or sock.recv(1 << 16).startswith(b"HTTP/1.1 200")
        open_.append(sock)
    time.sleep(1)
    assert [f for where, data in core(store.process.pid) for f in known.found(data, where)] == []
    for sock in open_:
        sock.close()
    store.close()


def test_core(busy):
    """Also with requests under way, and with half a head in a connection."""
    mine = busy.secrets.add("a key in use", secrets.token_bytes(32))
    made = busy.api.call("GET", "/v1/cwobject/temporary-credentials/api-token")
    token = busy.secrets.add("a session token in use", made["Token"])
    busy.secrets.add("a secret key in use", made["SecretAccessKey"])
    key = made["AccessKeyId"], made["SecretAccessKey"]
    open_ = [busy.hold(key, {**sse(mine), "x-amz-security-token": token}), busy.hold(key, {"x-amz-security-token": token}, head_only=900)]
    time.sleep(1)
    wrong = []
    for where, data in core(busy.store.process.pid):
        wrong += busy.secrets.found(data, where)
    for sock in open_:
        sock.close()
    assert wrong == []
