"""Signature Version 4 by hand, every piece of it changeable, over a plain socket: for requests that no SDK would send."""
import base64
import datetime
import hashlib
import hmac
import http.client
import re
import socket
import urllib.parse
import zlib

EMPTY = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
CHUNKS_TRAILER = CHUNKS + "-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def now(shift=0):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=shift)


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256)


def quote(text, safe="-._~"):
    return urllib.parse.quote(text, safe=safe)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {n.lower(): v for n, v in response.getheaders()}
        self.body = response.read()

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:1500]!r}>"

    def element(self, name):
        import xml.etree.ElementTree
        found = xml.etree.ElementTree.fromstring(self.body).find(name)
        return found.text or "" if found is not None else None

    @property
    def code(self):
        return self.element("Code") if self.body else None


class Request:
    """One request. Change any member before, between or after the two sign_...() calls, then send()."""

    def __init__(self, store, method, path, query="", headers=None, body=b"", region="us-east-1", shift=0, key=None, secret=None):
        self.store, self.method, self.path, self.query, self.body = store, method, path, query, body
        self.host = f"{store.host}:{store.port}"
        self.headers = [("Host", self.host), *(headers or {}).items()]
        self.time = now(shift)
        self.region, self.service = region, "s3"
        self.key, self.secret = key or store.key, secret or store.secret
        self.payload = hashlib.sha256(body).hexdigest()
        self.signature = None

    @property
    def stamp(self):
        return self.time.strftime("%Y%m%dT%H%M%SZ")

    @property
    def scope(self):
        return f"{self.stamp[:8]}/{self.region}/{self.service}/aws4_request"

    def set(self, name, value):
        self.headers = [(n, v) for n, v in self.headers if n.lower() != name.lower()]
        if value is not None:
            self.headers.append((name, value))
        return self

    def signing_key(self):
        key = ("AWS4" + self.secret).encode()
        for part in self.scope.split("/"):
            key = mac(key, part).digest()
        return key

    def canonical(self, names, payload):
        pairs = sorted(tuple((p + "=").split("=")[:2]) for p in self.query.split("&") if p)
        values = {}
        for name, value in self.headers:
            values.setdefault(name.lower(), []).append(" ".join(value.split()))
        return "\n".join([self.method, self.path, "&".join(f"{n}={v}" for n, v in pairs),
                          *(f"{n}:{','.join(values.get(n, ['']))}" for n in names), "", ";".join(names), payload])

    def sign_text(self, names, payload):
        text = "\n".join(["AWS4-HMAC-SHA256", self.stamp, self.scope,
                          hashlib.sha256(self.canonical(names, payload).encode()).hexdigest()])
        self.signature = mac(self.signing_key(), text).hexdigest()
        return self.signature

    def sign(self, names=None, payload=None):
        """In the Authorization header. names: signed headers, all of them if not given."""
        payload = payload or self.payload
        self.set("Authorization", None)     # of an earlier call
        self.set("x-amz-date", self.stamp)
        self.set("x-amz-content-sha256", payload)
        names = names or sorted({n.lower() for n, _ in self.headers})
        return self.set("Authorization", f"AWS4-HMAC-SHA256 Credential={self.key}/{self.scope},"
                        f"SignedHeaders={';'.join(names)},Signature={self.sign_text(names, payload)}")

    def presign(self, expires=900, names=None, payload=None, **change):
        """In the query. change: X_Amz_Expires="..." and so on; None leaves one out."""
        names = names or sorted({n.lower() for n, _ in self.headers})
        query = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{self.key}/{self.scope}", "X-Amz-Date": self.stamp,
                 "X-Amz-Expires": str(expires), "X-Amz-SignedHeaders": ";".join(names)}
        query.update({n.replace("_", "-"): v for n, v in change.items()})
        pairs = "&".join(f"{quote(n)}={quote(v)}" for n, v in query.items() if v is not None)
        self.query = "&".join(filter(None, [self.query, pairs]))
        self.query += "&X-Amz-Signature=" + self.sign_text(names, payload or UNSIGNED)
        return self

    # ---- aws-chunked ----

    def chunked(self, mode, sizes=(65536,), algorithm="crc32", trailer=True, decoded=None, content_encoding="aws-chunked"):
        """Sign with this payload mode; self.pieces are the chunks, to be joined by send()."""
        data, chunks = self.body, []
        for size in [*sizes, *[65536] * (len(data) // 65536 + 1)]:
            if not data:
                break
            chunks.append(data[:size])
            data = data[size:]
        chunks.append(b"")
        if content_encoding:
            self.set("Content-Encoding", content_encoding)
        self.set("x-amz-decoded-content-length", str(len(self.body) if decoded is None else decoded))
        has_trailer = mode != CHUNKS and trailer
        if has_trailer:
            self.set("x-amz-trailer", "x-amz-checksum-" + algorithm)
        self.sign(payload=mode)
        self.pieces, previous, key = [], self.signature, self.signing_key()
        for chunk in chunks:
            extension = ""
            if mode != UNSIGNED_TRAILER:
                text = "\n".join(["AWS4-HMAC-SHA256-PAYLOAD", self.stamp, self.scope, previous, EMPTY,
                                  hashlib.sha256(chunk).hexdigest()])
                previous = mac(key, text).hexdigest()
                extension = ";chunk-signature=" + previous
            self.pieces.append(b"%x%s\r\n%s%s" % (len(chunk), extension.encode(), chunk, b"\r\n" if chunk else b""))
        if has_trailer:
            line = f"x-amz-checksum-{algorithm}:{checksum(algorithm, self.body)}"
            self.pieces.append(line.encode() + b"\r\n")
            if mode == CHUNKS_TRAILER:
                text = "\n".join(["AWS4-HMAC-SHA256-TRAILER", self.stamp, self.scope, previous,
                                  hashlib.sha256(line.encode() + b"\n").hexdigest()])
                self.pieces.append(f"x-amz-trailer-signature:{mac(key, text).hexdigest()}\r\n".encode())
        self.pieces.append(b"\r\n")
        return self

    # ---- sending ----

    def head(self):
        lines = [f"{self.method} {self.path}{'?' + self.query if self.query else ''} HTTP/1.1",
                 *(f"{n}: {v}" for n, v in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def send(self, body=None, length=True):
        if body is None:
            body = b"".join(self.pieces) if hasattr(self, "pieces") else self.body
        if length and (body or self.method in ("PUT", "POST")):
            self.set("Content-Length", str(len(body) if length is True else length))
        with socket.create_connection((self.store.host, self.store.port), timeout=30) as s:
            try:
                s.sendall(self.head() + body)
            except OSError:
                pass        # refused before all of it was sent: the answer is there all the same
            if length is not True:
                s.shutdown(socket.SHUT_WR)
            response = http.client.HTTPResponse(s, method=self.method)
            response.begin()
            return Answer(response)


def crc64nvme(data):
    crc = 0xffffffffffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x9a6c9329ac4bc9b5 if crc & 1 else 0)
    return (crc ^ 0xffffffffffffffff).to_bytes(8, "big")


def checksum(algorithm, data):
    digest = {"crc32": lambda: zlib.crc32(data).to_bytes(4, "big"), "sha1": lambda: hashlib.sha1(data).digest(),
              "sha256": lambda: hashlib.sha256(data).digest(), "crc64nvme": lambda: crc64nvme(data)}[algorithm]()
    return base64.b64encode(digest).decode()


def shaped(answer, status, code):
    """The answer is S3's error XML, whole and consistent."""
    assert answer.status == status and answer.code == code, answer
    assert answer.headers["content-type"] == "application/xml", answer
    assert answer.element("Message"), answer
    assert answer.element("RequestId") == answer.headers["x-amz-request-id"], answer
    assert answer.element("HostId") == answer.headers["x-amz-id-2"], answer
    assert answer.element("Resource").startswith("/"), answer
    assert re.match(rb'<\?xml version="1.0" encoding="UTF-8"\?>\s*<Error>', answer.body), answer
    return answer
