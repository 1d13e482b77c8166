"""Contending clients on few keys, and the history of what they saw."""
import hashlib
import http.client
import random
import threading
import time
import urllib.parse
import xml.etree.ElementTree as xml

from checker import Op
from s3lib import Client

NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"
ANSWERS = {200: "ok", 204: "ok", 404: "missing", 412: "failed", 409: "conflict"}
# kind, condition: weight. Of two keys; with one there are no renames and copies.
ALL = {("put", ""): 2, ("put", "new"): 3, ("put", "match"): 4, ("multipart", ""): 1, ("multipart", "new"): 1, ("get", ""): 5,
       ("delete", ""): 2, ("delete", "match"): 1, ("rename", ""): 2, ("rename", "new"): 1, ("rename", "match"): 1, ("copy", ""): 1,
       ("copy", "match"): 1, ("copy", "new"): 1, ("list", ""): 1}
# What looks at both keys at once, and little else.
MOVES = {("put", ""): 1, ("put", "new"): 1, ("delete", ""): 1, ("rename", ""): 4, ("rename", "new"): 4, ("copy", "new"): 3, ("get", ""): 1}


def etag_of(body):
    return hashlib.md5(body).hexdigest()


def composite(body):
    return hashlib.md5(hashlib.md5(body).digest()).hexdigest() + "-1"


class Contender(threading.Thread):
    def __init__(self, store, bucket, prefix, number, keys, count, seed, mix):
        super().__init__(daemon=True)
        self.client = Client(store.host, store.port, store.key, store.secret, timeout=20)
        self.bucket, self.prefix, self.number, self.keys, self.count = bucket, prefix, number, keys, count
        self.random = random.Random(seed)
        self.history, self.etag, self.fault = [], {}, None
        self.mix = {m: w for m, w in mix.items() if keys > 1 or m[0] not in ("rename", "copy")}

    def name(self, key):
        return f"{self.prefix}/{key}"

    def run(self):
        try:
            for serial in range(self.count):
                self.one(serial)
        except (OSError, http.client.HTTPException):
            pass		# the store was killed: the last operation has no end
        except Exception as fault:
            self.fault = fault
        finally:
            self.client.close()

    def one(self, serial):
        key = self.random.randrange(self.keys)
        kind, condition = self.random.choices(list(self.mix), self.mix.values())[0]
        op = Op(self.number, "put" if kind == "multipart" else kind, key, 0.0, new=condition == "new")
        if condition == "match":
            op.expected = self.etag.get(key) or "0" * 32
        answer = {"put": self.put, "multipart": self.put, "rename": self.move, "copy": self.move}.get(kind, self.plain)(op, kind, serial)
        if answer is None or answer.status >= 500:
            return			# refused or unknown: no end
        self.note(op, answer)
        op.end = time.monotonic()

    def call(self, op, method, key, **more):
        """The call that counts: from here on op may have taken effect."""
        op.begin = time.monotonic()
        self.history.append(op)
        return self.client.call(method, self.bucket, key, **more)

    def conditions(self, op):
        headers = {"if-none-match": "*"} if op.new else {}
        if op.expected is not None:
            headers["if-match"] = f'"{op.expected}"'
        return headers

    def put(self, op, kind, serial):
        size = self.random.choice([20, 20, 20, 9000])
        body = (f"{self.prefix} {self.number} {serial} ".encode() * size)[:size * 8]
        name = self.name(op.key)
        if kind == "put":
            op.value = etag_of(body)
            return self.call(op, "PUT", name, body=body, headers=self.conditions(op))
        op.value = composite(body)
        begun = self.client.call("POST", self.bucket, name, query={"uploads": ""})
        if begun.status != 200:
            return None
        upload = xml.fromstring(begun.body).findtext(NS + "UploadId")
        if self.client.call("PUT", self.bucket, name, query={"partNumber": 1, "uploadId": upload}, body=body).status != 200:
            return None
        parts = (f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag_of(body)}</ETag></Part>"
                 "</CompleteMultipartUpload>").encode()
        return self.call(op, "POST", name, query={"uploadId": upload}, body=parts, headers=self.conditions(op))

    def move(self, op, kind, serial):
        op.to = (op.key + 1 + self.random.randrange(self.keys - 1)) % self.keys
        headers = {"if-none-match": "*"} if op.new else {}
        source, match = "x-amz-copy-source", "x-amz-copy-source-if-match"
        if kind == "rename":
            source, match = "x-amz-rename-source", "x-amz-rename-source-if-match"
            headers[source] = urllib.parse.quote(self.name(op.key))
        else:
            headers[source] = urllib.parse.quote(f"/{self.bucket}/{self.name(op.key)}")
        if op.expected is not None:
            headers[match] = f'"{op.expected}"'
        return self.call(op, "PUT", self.name(op.to), query={"renameObject": ""} if kind == "rename" else {}, headers=headers)

    def plain(self, op, kind, serial):
        if kind == "list":
            return self.call(op, "GET", "", query={"list-type": 2, "prefix": self.prefix + "/"})
        return self.call(op, kind.upper(), self.name(op.key), headers=self.conditions(op))

    def note(self, op, answer):
        if op.kind == "list":
            found = {e.findtext(NS + "Key") for e in xml.fromstring(answer.body).iter(NS + "Contents")}
            op.answer = tuple(self.name(k) in found for k in range(self.keys))
        elif op.kind == "get":
            op.answer = answer.headers["etag"].strip('"') if answer.status == 200 else None
            if answer.status == 200:
                assert op.answer in (etag_of(answer.body), composite(answer.body)), "the bytes are not those of the ETag"
            self.etag[op.key] = op.answer
        else:
            op.answer = ANSWERS.get(answer.status)
            assert op.answer, f"{op}: {answer}"
            if answer.status == 200 and b"<Error>" in answer.body:
                op.answer = {"PreconditionFailed": "failed", "ConditionalRequestConflict": "conflict"}[answer.code]


def round_of(store, bucket, prefix, clients=5, keys=2, count=8, mix=ALL, seed=0, during=None):
    """One history. during: called while the clients run (a kill)."""
    contenders = [Contender(store, bucket, prefix, n, keys, count, f"{seed}-{prefix}-{n}", mix) for n in range(clients)]
    for each in contenders:
        each.start()
    if during:
        during()
    for each in contenders:
        each.join(120)
    for each in contenders:
        assert each.fault is None, repr(each.fault)
    return [op for each in contenders for op in each.history]
