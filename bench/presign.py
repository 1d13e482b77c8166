"""Presigned request targets, many and fast."""
import datetime
import hashlib
import hmac
import urllib.parse


class Presigner:
    def __init__(self, host, key, secret, expires=86400):
        now = datetime.datetime.now(datetime.timezone.utc)
        self.host, self.stamp = host, now.strftime("%Y%m%dT%H%M%SZ")
        self.scope = f"{now:%Y%m%d}/local/s3/aws4_request"
        self.key = ("AWS4" + secret).encode()
        for part in (f"{now:%Y%m%d}", "local", "s3", "aws4_request"):
            self.key = hmac.new(self.key, part.encode(), hashlib.sha256).digest()
        self.query = urllib.parse.urlencode(sorted({
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{key}/{self.scope}", "X-Amz-Date": self.stamp,
            "X-Amz-Expires": str(expires), "X-Amz-SignedHeaders": "host"}.items()))

    def path(self, method, path):
        path = urllib.parse.quote(path, safe="/-._~")
        canonical = f"{method}\n{path}\n{self.query}\nhost:{self.host}\n\nhost\nUNSIGNED-PAYLOAD"
        text = f"AWS4-HMAC-SHA256\n{self.stamp}\n{self.scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()
        return f"{path}?{self.query}&X-Amz-Signature={signature}"
