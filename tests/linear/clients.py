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


class Contender(threading.Thread):
    def __init__(self, store, bucket, prefix, number, keys, count, seed):
        super().__init__(daemon=True)
        self.client = Client(store.host, store.port, store.key, store.secret, timeout=20)
        self.bucket, self.prefix, self.number, self.keys, self.count = bucket, prefix, number, keys, count
        self.random = random.Random(seed)
        self.history, self.etag, self.fault = [], {}, None

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
        kind = self.random.choices(["put", "put-new", "put-match", "get", "delete", "rename", "copy", "list"], [2, 3, 4, 4, 2, 2, 1, 1])[0]
        op = Op(self.number, kind, key, 0.0)
        size = self.random.choice([20, 20, 20, 9000])
        body = (f"{self.prefix} {self.number} {serial} ".encode() * size)[:size * 8]
        call = {"method": "PUT", "key": self.name(key)}
        if kind in ("put", "put-new", "put-match"):
            op.value = hashlib.md5(body).hexdigest()
            call["body"] = body
            if kind == "put-new":
                call["headers"] = {"if-none-match": "*"}
            if kind == "put-match":
                op.expected = self.etag.get(key) or "0" * 32
                call["headers"] = {"if-match": f'"{op.expected}"'}
        elif kind in ("rename", "copy"):
            op.to = (key + 1 + self.random.randrange(self.keys - 1)) % self.keys
            call["key"] = self.name(op.to)
            if kind == "rename":
                call.update(query={"renameObject": ""}, headers={"x-amz-rename-source": urllib.parse.quote(self.name(key))})
            else:
                call["headers"] = {"x-amz-copy-source": urllib.parse.quote(f"/{self.bucket}/{self.name(key)}")}
        elif kind == "list":
            call = {"method": "GET", "key": "", "query": {"list-type": 2, "prefix": self.prefix + "/"}}
        else:
            call["method"] = "GET" if kind == "get" else "DELETE"
        op.begin = time.monotonic()
        self.history.append(op)
        answer = self.client.call(call.pop("method"), self.bucket, **call)
        if answer.status >= 500:
            return			# refused or unknown: no end
        self.note(op, answer)
        op.end = time.monotonic()

    def note(self, op, answer):
        if op.kind == "list":
            found = {e.findtext(NS + "Key") for e in xml.fromstring(answer.body).iter(NS + "Contents")}
            op.answer = tuple(self.name(k) in found for k in range(self.keys))
        elif op.kind == "get":
            op.answer = answer.headers["etag"].strip('"') if answer.status == 200 else None
            if answer.status == 200:
                digest = hashlib.md5(answer.body).hexdigest()
                assert digest == op.answer, "the bytes are not those of the ETag"
            self.etag[op.key] = op.answer
        else:
            op.answer = ANSWERS.get(answer.status)
            assert op.answer, f"{op}: {answer}"
            if op.kind == "copy" and op.answer == "ok":
                assert b"<Error>" not in answer.body, answer


def round_of(store, bucket, prefix, clients=5, keys=2, count=8, seed=0, during=None):
    """One history. during: called while the clients run (a kill)."""
    contenders = [Contender(store, bucket, prefix, n, keys, count, f"{seed}-{prefix}-{n}") for n in range(clients)]
    for each in contenders:
        each.start()
    if during:
        during()
    for each in contenders:
        each.join(120)
    for each in contenders:
        assert each.fault is None, each.fault
    return [op for each in contenders for op in each.history]
