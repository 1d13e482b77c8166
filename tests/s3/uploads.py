"""What the tests of uploads and copies share: raw calls, one step of a protocol each."""
import base64
import hashlib
import random
import urllib.parse
import xml.etree.ElementTree as xml

NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"
MIB = 1 << 20
PART = 5 * MIB


def content(seed, size):
    return random.Random(seed).randbytes(size)


def md5(body):
    return hashlib.md5(body).hexdigest()


def etag_of(*bodies):
    return hashlib.md5(b"".join(hashlib.md5(b).digest() for b in bodies)).hexdigest() + f"-{len(bodies)}"


def text(answer, name):
    """Text of the first element of this name."""
    return next((e.text or "" for e in xml.fromstring(answer.body).iter(NS + name)), None)


def texts(answer, name):
    return [e.text or "" for e in xml.fromstring(answer.body).iter(NS + name)]


def refused(answer, status, code):
    assert (answer.status, answer.code) == (status, code), answer
    return answer


def sse(key, prefix=""):
    """The three headers of a customer key. prefix: "copy-source-"."""
    return {f"x-amz-{prefix}server-side-encryption-customer-algorithm": "AES256",
            f"x-amz-{prefix}server-side-encryption-customer-key": base64.b64encode(key).decode(),
            f"x-amz-{prefix}server-side-encryption-customer-key-md5": base64.b64encode(hashlib.md5(key).digest()).decode()}


class Upload:
    """One multipart upload by raw calls."""

    def __init__(self, raw, bucket, key, **headers):
        self.raw, self.bucket, self.key, self.etags, self.sums = raw, bucket, key, {}, {}
        self.begun = raw.call("POST", bucket, key, query={"uploads": ""}, headers={n.replace("_", "-"): v for n, v in headers.items()})
        assert self.begun.status == 200, self.begun
        self.id = text(self.begun, "UploadId")

    def put(self, number, body, **headers):
        answer = self.raw.call("PUT", self.bucket, self.key, query={"partNumber": number, "uploadId": self.id}, body=body,
                               headers={n.replace("_", "-"): v for n, v in headers.items()})
        if answer.status == 200:
            self.etags[number] = answer.headers["etag"]
        return answer

    def copy(self, number, source, span=None, **headers):
        headers = {n.replace("_", "-"): v for n, v in headers.items()}
        headers["x-amz-copy-source"] = urllib.parse.quote(source, safe="/?=")
        if span:
            headers["x-amz-copy-source-range"] = span
        answer = self.raw.call("PUT", self.bucket, self.key, query={"partNumber": number, "uploadId": self.id}, headers=headers)
        if answer.status == 200 and answer.code is None:
            self.etags[number] = text(answer, "ETag")
        return answer

    def complete(self, parts=None, more="", **headers):
        """parts: (number, ETag) pairs; default all. more: XML inside each part, "{n}" its number."""
        parts = sorted(self.etags.items()) if parts is None else parts
        body = "<CompleteMultipartUpload>" + "".join(
            f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag>{self.sums.get(n, more)}</Part>" for n, e in parts) + \
            "</CompleteMultipartUpload>"
        return self.raw.call("POST", self.bucket, self.key, query={"uploadId": self.id}, body=body.encode(),
                             headers={n.replace("_", "-"): v for n, v in headers.items()})

    def abort(self):
        return self.raw.call("DELETE", self.bucket, self.key, query={"uploadId": self.id})

    def list(self, **query):
        return self.raw.call("GET", self.bucket, self.key, query={"uploadId": self.id, **{n.replace("_", "-"): v for n, v in query.items()}})
