"""Presigned request targets, many and fast."""
import datetime
import hashlib
import hmac
import urllib.parse


class Presigner:
    """query, headers: further ones of all targets; the headers are to be sent as they are."""

    def __init__(self, host, key, secret, expires=86400, query=None, headers=None):
        now = datetime.datetime.now(datetime.timezone.utc)
        self.stamp, self.scope = now.strftime("%Y%m%dT%H%M%SZ"), f"{now:%Y%m%d}/local/s3/aws4_request"
        self.key = ("AWS4" + secret).encode()
        for part in (f"{now:%Y%m%d}", "local", "s3", "aws4_request"):
            self.key = hmac.new(self.key, part.encode(), hashlib.sha256).digest()
        headers = {"host": host, **(headers or {})}
        names = ";".join(sorted(headers))
        self.headers = "".join(f"{n}:{headers[n]}\n" for n in sorted(headers)) + "\n" + names
        self.query = urllib.parse.urlencode(sorted({
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{key}/{self.scope}", "X-Amz-Date": self.stamp,
            "X-Amz-Expires": str(expires), "X-Amz-SignedHeaders": names, **(query or {})}.items()))

    def path(self, method, path):
        path = urllib.parse.quote(path, safe="/-._~")
        canonical = f"{method}\n{path}\n{self.query}\n{self.headers}\nUNSIGNED-PAYLOAD"
        text = f"AWS4-HMAC-SHA256\n{self.stamp}\n{self.scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()
        return f"{path}?{self.query}&X-Amz-Signature={signature}"
