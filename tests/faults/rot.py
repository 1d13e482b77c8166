"""A store with some of everything on its disk, copies of it with one bit turned, and what then becomes of them."""
import glob
import hashlib
import http.client
import os
import random
import re
import shutil
import struct

from s3lib import Client
from store import TOP, Store, check  # noqa: F401

BUCKET = "rot"
CREATE = b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint></CreateBucketConfiguration>"
PART = 5 << 20


def fill(store):
    """key -> digest. Inlined, in volumes, in files of their own, of parts."""
    chance, made = random.Random(1), {}
    client = Client(store.host, store.port, store.key, store.secret)
    assert client.call("PUT", BUCKET, body=CREATE).status == 200
    for prefix, count, size in (("inline", 150, 3000), ("small", 25, 40000), ("large", 3, 1500000)):
        for i in range(count):
            body = chance.randbytes(size + i)
            assert client.call("PUT", BUCKET, f"{prefix}/{i:03}", body=body).status == 200
            made[f"{prefix}/{i:03}"] = hashlib.md5(body).hexdigest()
    parts = [chance.randbytes(PART), chance.randbytes(9000)]
    upload = re.search(rb"<UploadId>([^<]+)", client.call("POST", BUCKET, "parts", query={"uploads": ""}).body).group(1).decode()
    etags = [client.call("PUT", BUCKET, "parts", query={"partNumber": n, "uploadId": upload}, body=part).headers["etag"]
             for n, part in enumerate(parts, 1)]
    body = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in enumerate(etags, 1))
    answer = client.call("POST", BUCKET, "parts", query={"uploadId": upload},
                         body=f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>".encode())
    assert answer.status == 200 and b"<Error>" not in answer.body, answer
    made["parts"] = hashlib.md5(b"".join(parts)).hexdigest()
    client.close()
    return made


class Rot:
    """One copy of the store at data, in folder."""

    def __init__(self, build, data, folder, made):
        self.build, self.made = build, made
        self.data = os.path.join(folder, "copy")
        shutil.copytree(data, self.data)

    def find(self, pattern):
        """The largest file of a pattern."""
        found = glob.glob(os.path.join(self.data, pattern))
        assert found, f"no file is like {pattern}"
        return max(sorted(found), key=os.path.getsize)

    def turn(self, path, at, bit=3):
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 1 << bit]))

    def check(self):
        return check(self.build, self.data)

    def read_all(self, client):
        """The keys that cannot be read. Those that can are what was written: a wrong one fails the test."""
        lost = []
        for key, digest in self.made.items():
            try:
                answer = client.call("GET", BUCKET, key)
            except (OSError, http.client.HTTPException):
                lost.append(key)		# the connection ended before the last byte
                continue
            if answer.status == 200:
                assert hashlib.md5(answer.body).hexdigest() == digest, f"{key}: wrong bytes in a 200 that looks whole"
            else:
                assert answer.status >= 500, f"{key}: {answer}"
                lost.append(key)
        return lost

    def serve(self):
        """(what it says if it does not start, the keys that cannot be read)"""
        try:
            store = Store(self.build, data=self.data)
        except RuntimeError as refused:
            return str(refused), None
        client = Client(store.host, store.port, store.key, store.secret)
        try:
            return None, self.read_all(client)
        finally:
            client.close()
            store.kill()


def sst_parts(path):
    """Where in a RocksDB table its parts lie: name -> (offset, length). The footer of format version 5."""
    with open(path, "rb") as file:
        data = file.read()
    footer = data[-53:]
    assert struct.unpack("<Q", footer[-8:])[0] == 0x88e241b785f4cff7, "not a block-based table"

    def varint(text, at):
        value = shift = 0
        while True:
            byte = text[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value, at
    meta_at, at = varint(footer, 1)
    meta_len, at = varint(footer, at)
    index_at, at = varint(footer, at)
    index_len, at = varint(footer, at)
    name = b"partitionedfilter.rocksdb.BuiltinBloomFilter"
    filter_at, _ = varint(data, data.index(name, meta_at) + len(name))
    # Data blocks, parts of the filter, the filter (where those are), the same two of the index, properties, where all that is, footer.
    return {"data": (0, len(data) // 2), "filter": (filter_at, 0), "index": (index_at, index_len), "metaindex": (meta_at, meta_len),
            "footer": (len(data) - 53, 53), "size": (0, len(data))}
