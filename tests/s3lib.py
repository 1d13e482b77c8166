"""A small, fast S3 client for load and crash tests: SigV4 with an unsigned payload, one keep-alive connection.

Not for testing what SDKs do: tests/s3 uses the real ones.
"""
import contextlib
import datetime
import hashlib
import hmac
import http.client
import urllib.parse


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"

    @property
    def code(self):
        """The S3 error code, if there is one."""
        begin = self.body.find(b"<Code>")
        return self.body[begin + 6:self.body.find(b"</Code>")].decode() if begin >= 0 else None


class Client:
    """One connection. Any failure of it raises OSError or HTTPException: the outcome is then unknown."""

    def __init__(self, host, port, key, secret, timeout=30, tls=None):
        self.host, self.port, self.key, self.secret, self.timeout, self.tls = host, port, key, secret, timeout, tls
        self.connection = None
        self.signing = (None, None)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def now(self):
        return datetime.datetime.now(datetime.timezone.utc)

    def sign(self, method, path, query, headers):
        now = self.now()
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        headers["host"] = f"{self.host}:{self.port}"
        headers["x-amz-date"] = stamp
        headers.setdefault("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        names = sorted(headers)
        canonical = "\n".join([method, path, query, *(f"{n}:{' '.join(headers[n].split())}" for n in names), "",
                               ";".join(names), headers["x-amz-content-sha256"]])
        scope = f"{day}/local/s3/aws4_request"
        if self.signing[0] != day:
            key = ("AWS4" + self.secret).encode()
            for part in (day, "local", "s3", "aws4_request"):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            self.signing = (day, key)
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        signature = hmac.new(self.signing[1], text.encode(), hashlib.sha256).hexdigest()
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.key}/{scope},SignedHeaders={';'.join(names)},"
                                    f"Signature={signature}")

    def call(self, method, bucket, key="", query=None, headers=None, body=b""):
        path = urllib.parse.quote("/" + bucket + ("/" + key if key else ""), safe="/-._~")
        pairs = sorted((urllib.parse.quote(str(n), safe="-._~"), urllib.parse.quote(str(v), safe="-._~"))
                       for n, v in (query or {}).items())
        text = "&".join(f"{n}={v}" for n, v in pairs)
        headers = {n.lower(): v for n, v in (headers or {}).items()}
        self.sign(method, path, text, headers)
        headers["content-length"] = str(len(body))
        if self.connection is None:
            self.connection = (http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout, context=self.tls)
                               if self.tls else http.client.HTTPConnection(self.host, self.port, timeout=self.timeout))
        try:
            self.connection.request(method, path + ("?" + text if text else ""), body=body, headers=headers)
            answer = self.connection.getresponse()
            return Answer(answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read())
        except BaseException:
            self.close()
            raise


@contextlib.contextmanager
def refused(code, status=None):
    """The boto3 call in the block must fail with this S3 code (and status). Gives an object whose .error is the parsed answer."""
    import botocore.exceptions
    caught = Refusal()
    try:
        yield caught
    except botocore.exceptions.ClientError as error:
        caught.error = error.response
        got = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert got[0] == code, f"want {code}, got {error}"
        assert status is None or got[1] == status, f"want {status}, got {got[1]}"
        return
    raise AssertionError(f"not refused; want {code}")


class Refusal:
    error = None
