"""A small reference model of S3, and random sequences of calls that are compared with a store, answer by answer.

An operation is a plain tuple that is drawn before anything runs, and refers to versions and uploads by number, so any
subsequence of a sequence is a sequence too: a failure shrinks by leaving operations out.
"""
import base64
import hashlib
import os
import random
import re
import sys
import urllib.parse
import xml.etree.ElementTree as xml

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from test_checksums import chunked, header, value  # noqa: E402
from test_form import ANY, encode, post, signed  # noqa: E402
from uploads import sse  # noqa: E402

NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"
KEYS = ["a", "a/", "a/b", "a/b/c", "a/c", "a0", "b", "dir/x y+z", "dir/é", "dir/sub/1", "dir/sub/2", "z&<>"]
BUCKETS = ["plain", "kept"]
PART = 5 << 20
ALGORITHMS = [None, None, None, "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]
SLOW = ("CRC32C", "CRC64NVME")		# in Python
SSE_KEYS = [None, None, None, None, b"k" * 32, b"o" * 32]
UPLOAD_SUMS = [(None, None), (None, None), ("CRC32", "FULL_OBJECT"), ("CRC32", "COMPOSITE"), ("SHA256", "COMPOSITE"), ("CRC64NVME", "FULL_OBJECT")]


def content(seed, size):
    return (hashlib.sha256(str(seed).encode()).digest() * (size // 32 + 1))[:size]


class Version:
    def __init__(self, body=b"", marker=False, etag=None, tags=None, meta="", kind="binary/octet-stream", parts=None, key=None):
        self.id, self.marker, self.body, self.tags, self.meta, self.kind = None, marker, body, tags or {}, meta, kind
        self.etag = etag or hashlib.md5(body).hexdigest()
        self.parts = parts		# (number, size) of each, of a multipart object
        self.key = key			# of SSE-C
        self.sum = None			# (algorithm, type, text): what a read must answer, if that is known

    def copy(self):
        return Version(self.body, False, self.etag, dict(self.tags), self.meta, self.kind, self.parts)


class Part:
    def __init__(self, body, etag, sum=None):
        self.body, self.etag, self.sum = body, etag, sum


class Upload:
    def __init__(self, key, id, meta, tags, algorithm, kind, secret):
        self.key, self.id, self.meta, self.tags, self.parts = key, id, meta, tags, {}
        self.algorithm, self.kind, self.secret = algorithm, kind, secret

    def composite(self, parts):
        return f"{value(self.algorithm, b''.join(base64.b64decode(p.sum) for p in parts))}-{len(parts)}"


class Bucket:
    def __init__(self):
        self.versioning = None		# never, Enabled, Suspended
        self.keys = {}			# key -> versions, newest first
        self.uploads = []

    def current(self, key):
        versions = self.keys.get(key)
        return versions[0] if versions and not versions[0].marker else None

    def add(self, key, version, id):
        """A version becomes the newest. id: as the store named it; None where it names none."""
        version.id = id or "null"
        versions = self.keys.setdefault(key, [])
        if version.id == "null":
            versions[:] = [v for v in versions if v.id != "null"]
        versions.insert(0, version)

    def drop(self, key, id):
        self.keys[key] = [v for v in self.keys.get(key, []) if v.id != id]
        if not self.keys[key]:
            del self.keys[key]


def draw(chance):
    """One operation."""
    b, k, to = chance.choice(BUCKETS), chance.choice(KEYS), chance.choice(KEYS)
    pick, seed = chance.randrange(64), chance.randrange(1 << 30)
    size = chance.choice([0, 1, 17, 4096, 5000, 20000, 300000])
    condition = chance.choice([None] * 6 + ["none-star", "match", "match-wrong"])
    kind = chance.choices(
        ["put", "form", "get", "get-version", "head", "delete", "delete-version", "delete-many", "copy", "rename", "tags", "untag",
         "versioning", "upload", "part", "part-copy", "complete", "abort", "list", "versions", "uploads", "parts", "attributes"],
        [10, 1, 5, 3, 2, 4, 4, 3, 4, 3, 2, 1, 1, 2, 3, 1.5, 3, 0.7, 4, 3, 1, 1, 1])[0]
    return (kind, b, k, to, pick, seed, size, condition, chance.choice(BUCKETS))


class Run:
    """Applies operations to a store and to the model; any difference raises AssertionError."""

    def __init__(self, client, names, usage=None):
        self.client, self.names, self.usage = client, names, usage
        self.model = {b: Bucket() for b in BUCKETS}

    def call(self, method, bucket, key="", **more):
        return self.client.call(method, self.names[bucket], key, **more)

    def apply(self, op):
        kind, b, key, to, pick, seed, size, condition, other = op
        getattr(self, kind.replace("-", "_"))(b, key, to, pick, seed, size, condition, other)

    def expect(self, answer, status, code=None):
        assert answer.status == status and (code is None or not answer.body or answer.code == code), \
            f"want {status} {code}, got {answer.status} {answer.code} {answer.body[:300]!r}"

    def conditions(self, condition, current):
        """(headers, (status, code) that they lead to or None)"""
        if condition == "none-star":
            return {"if-none-match": "*"}, ((412, "PreconditionFailed") if current else None)
        if condition == "match":
            etag = current.etag if current else "0" * 32
            return {"if-match": f'"{etag}"'}, (None if current else (404, "NoSuchKey"))
        if condition == "match-wrong":
            return {"if-match": '"' + "f" * 32 + '"'}, ((412, "PreconditionFailed") if current else (404, "NoSuchKey"))
        return {}, None

    def version_of(self, answer, bucket):
        id = answer.headers.get("x-amz-version-id")
        want = {None: [None], "Enabled": [id] if id not in (None, "null") else [], "Suspended": ["null", None]}[bucket.versioning]
        assert id in want, f"version id {id} in a bucket whose versioning is {bucket.versioning}"
        return id

    # ---- objects ----

    def etag_of(self, answer, body, key):
        """The ETag that an answer gives to these bytes: their MD5, or anything but that."""
        etag = (answer.headers.get("etag") or xml.fromstring(answer.body).findtext(NS + "ETag")).strip('"')
        md5 = hashlib.md5(body).hexdigest()
        assert re.fullmatch("[0-9a-f]{32}", etag) and (etag == md5) == (key is None), f"ETag {etag} of {md5}, key {key}"
        return etag

    def put(self, b, key, to, pick, seed, size, condition, other):
        bucket, body = self.model[b], content(seed, size)
        headers, refused = self.conditions(condition, bucket.current(key))
        secret, algorithm = SSE_KEYS[(seed >> 12) % 6], ALGORITHMS[(seed >> 4) % 8]
        headers.update({"x-amz-meta-m": str(seed), "content-type": f"text/x-{pick}", **(sse(secret) if secret else {})})
        tags = {"t": str(pick)} if pick % 4 == 0 else {}
        if tags:
            headers["x-amz-tagging"] = urllib.parse.urlencode(tags)
        if algorithm in SLOW and size > 20000:
            algorithm = None
        sum, wrong, sent = algorithm and value(algorithm, body), algorithm and (seed >> 7) % 8 == 0, body
        text = value(algorithm, b"other" + body) if wrong else sum
        if algorithm and (seed >> 10) % 2:
            headers[header(algorithm)] = text
        elif algorithm:
            headers.update({"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "content-encoding": "aws-chunked",
                            "x-amz-decoded-content-length": str(size), "x-amz-trailer": header(algorithm)})
            sent = chunked(body, f"{header(algorithm)}:{text}")
        answer = self.call("PUT", b, key, headers=headers, body=sent)
        if refused:
            return self.expect(answer, *refused)
        if wrong:
            return self.expect(answer, 400, "BadDigest")
        self.expect(answer, 200)
        new = Version(body, etag=self.etag_of(answer, body, secret), tags=tags, meta=str(seed), kind=f"text/x-{pick}", key=secret)
        if algorithm is None and size <= 5000:
            algorithm, sum = "CRC64NVME", value("CRC64NVME", body)	# the store computes it by itself
        if algorithm:
            new.sum = (algorithm, "FULL_OBJECT", sum)
            assert answer.headers[header(algorithm)] == sum, "checksum in the answer"
        bucket.add(key, new, self.version_of(answer, bucket))

    def form(self, b, key, to, pick, seed, size, condition, other):
        """What a browser sends: a policy, signed, and a file."""
        body, name = content(seed, size), self.names[b]
        fields = [("key", key), ("content-type", "text/form"), ("x-amz-meta-m", str(seed))]
        answer = post(self.client, name, encode(signed(self.client, fields, [ANY, {"bucket": name}, *({n: v} for n, v in fields[1:])]), body))
        self.expect(answer, 204)
        new = Version(body, etag=self.etag_of(answer, body, None), meta=str(seed), kind="text/form")
        self.model[b].add(key, new, self.version_of(answer, self.model[b]))

    def keyed(self, version, pick, prefix=""):
        """(headers for reading a version, what they lead to): now and then the wrong ones."""
        wrong = pick % 16
        if version.key is None:
            return (sse(SSE_KEYS[4], prefix), (400, "InvalidRequest")) if wrong == 15 else ({}, None)
        if wrong == 15:
            return {}, (400, "InvalidRequest")
        if wrong == 14:
            return sse(bytes(32), prefix), (403, "AccessDenied")
        return sse(version.key, prefix), None

    def compare(self, answer, version, body=True):
        assert answer.headers["etag"] == f'"{version.etag}"', f"ETag {answer.headers['etag']}, want {version.etag}"
        assert answer.headers["x-amz-meta-m"] == version.meta, "metadata"
        assert answer.headers["content-type"] == version.kind, f"type {answer.headers['content-type']}, want {version.kind}"
        assert answer.headers.get("x-amz-tagging-count", "0") == str(len(version.tags)), "tag count"
        assert ("x-amz-server-side-encryption-customer-algorithm" in answer.headers) == (version.key is not None), "SSE-C"
        if version.sum:
            algorithm, kind, text = version.sum
            found = answer.headers.get(header(algorithm)), answer.headers.get("x-amz-checksum-type")
            assert found == (text, kind), f"checksum {found}, want {version.sum}"
        if body:
            assert answer.body == version.body, f"{len(answer.body)} other bytes, want {len(version.body)}"
        else:
            assert answer.headers["content-length"] == str(len(version.body)), "length"

    def get(self, b, key, to, pick, seed, size, condition, other):
        version, query = self.model[b].current(key), {}
        if version is None:
            return self.expect(self.call("GET", b, key), 404, "NoSuchKey")
        headers, refused = self.keyed(version, pick)
        headers["x-amz-checksum-mode"] = "ENABLED"
        begin, end = 0, len(version.body) - 1
        if condition:
            headers.update(self.conditions(condition, version)[0])
            refused = refused or {"none-star": (304, None), "match": None, "match-wrong": (412, "PreconditionFailed")}[condition]
        elif version.parts and pick % 4 == 1:
            at = seed % len(version.parts)
            query["partNumber"], size = version.parts[at]
            begin = sum(s for _, s in version.parts[:at])
            end = begin + size - 1
        elif pick % 2 and version.body:
            begin = seed % len(version.body)
            end = min(len(version.body) - 1, begin + size)
            headers["range"] = f"bytes={begin}-{end}"
        answer = self.call("GET", b, key, query=query, headers=headers)
        if refused:
            return self.expect(answer, *refused)
        if "range" not in headers and (not query or end < begin):
            self.expect(answer, 200)
            return self.compare(answer, version) if not query else None
        self.expect(answer, 206)
        assert answer.body == version.body[begin:end + 1], "other bytes in the range"
        assert answer.headers["content-range"] == f"bytes {begin}-{end}/{len(version.body)}"
        assert not query or answer.headers["x-amz-mp-parts-count"] == str(len(version.parts))

    def head(self, b, key, to, pick, seed, size, condition, other):
        version = self.model[b].current(key)
        headers, refused = self.keyed(version, pick) if version else ({}, (404, None))
        answer = self.call("HEAD", b, key, headers={**headers, "x-amz-checksum-mode": "ENABLED"})
        if refused:
            return self.expect(answer, *refused)
        self.expect(answer, 200)
        self.compare(answer, version, body=False)

    def pick_version(self, b, key, pick):
        versions = self.model[b].keys.get(key)
        return versions[pick % len(versions)] if versions else None

    def get_version(self, b, key, to, pick, seed, size, condition, other):
        version = self.pick_version(b, key, pick)
        if version is None:
            return self.expect(self.call("GET", b, key, query={"versionId": "0" * 31 + "1"}), 404, "NoSuchVersion")
        headers, refused = self.keyed(version, seed) if not version.marker else ({}, (405, "MethodNotAllowed"))
        answer = self.call("GET", b, key, query={"versionId": version.id}, headers={**headers, "x-amz-checksum-mode": "ENABLED"})
        if refused:
            self.expect(answer, *refused)
            assert answer.headers.get("x-amz-delete-marker") == ("true" if version.marker else None)
        else:
            self.expect(answer, 200)
            self.compare(answer, version)

    def delete(self, b, key, to, pick, seed, size, condition, other):
        bucket = self.model[b]
        headers, refused = self.conditions(condition, bucket.current(key)) if condition != "none-star" else ({}, None)
        answer = self.call("DELETE", b, key, headers=headers)
        if refused:
            return self.expect(answer, *refused)
        self.expect(answer, 204)
        self.deleted(bucket, key, answer.headers.get("x-amz-version-id"), answer.headers.get("x-amz-delete-marker"))

    def deleted(self, bucket, key, id, marker):
        if bucket.versioning is None:
            assert marker is None, "a delete marker in a bucket that never had versions"
            bucket.keys.pop(key, None)
        else:
            assert marker == "true" and (id == "null") == (bucket.versioning == "Suspended"), f"marker {marker} {id}"
            bucket.add(key, Version(marker=True), id)

    def delete_version(self, b, key, to, pick, seed, size, condition, other):
        version = self.pick_version(b, key, pick)
        if version is None:
            return
        answer = self.call("DELETE", b, key, query={"versionId": version.id})
        self.expect(answer, 204)
        if self.model[b].versioning is not None:
            assert answer.headers["x-amz-version-id"] == version.id
            assert answer.headers.get("x-amz-delete-marker") == ("true" if version.marker else None)
        self.model[b].drop(key, version.id)

    def delete_many(self, b, key, to, pick, seed, size, condition, other):
        """Versions and current ones of several keys, some twice, some on condition: as if they came one by one."""
        chance, bucket = random.Random(seed), self.model[b]
        items = []
        for k in (chance.choice(KEYS) for _ in range(chance.choice([1, 2, 5, 20]))):
            version = self.pick_version(b, k, chance.randrange(64)) if chance.random() < 0.6 else None
            etag = None if chance.random() < 0.8 else "f" * 32 if chance.random() < 0.5 or not bucket.current(k) else bucket.current(k).etag
            items.append((k, version.id if version else None, etag))
        escape = lambda text: text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        body = ("<Delete>" + "".join(f"<Object><Key>{escape(k)}</Key>" + (f"<VersionId>{v}</VersionId>" if v else "") +
                                     (f'<ETag>"{e}"</ETag>' if e else "") + "</Object>" for k, v, e in items) + "</Delete>").encode()
        answer = self.call("POST", b, query={"delete": ""}, body=body,
                           headers={"content-md5": base64.b64encode(hashlib.md5(body).digest()).decode()})
        self.expect(answer, 200)
        rows = list(xml.fromstring(answer.body))
        assert [(r.findtext(NS + "Key"), r.findtext(NS + "VersionId")) for r in rows] == [i[:2] for i in items], "other items answered"
        for row, (k, v, etag) in zip(rows, items):
            self.deleted_item(bucket, k, v, etag, row)

    def deleted_item(self, bucket, key, id, etag, row):
        version = next((v for v in bucket.keys.get(key, []) if v.id == id), None) if id else bucket.current(key)
        if etag and (version is None or version.marker or version.etag != etag):
            want = "PreconditionFailed" if version and (id or not version.marker) else "NoSuchKey"
            assert row.findtext(NS + "Code") == want, f"{key}: {row.findtext(NS + 'Code')}, want {want}"
            return
        assert row.tag == NS + "Deleted", f"{key}: {row.findtext(NS + 'Code')}"
        marker, marker_id = row.findtext(NS + "DeleteMarker"), row.findtext(NS + "DeleteMarkerVersionId")
        if not id:
            return self.deleted(bucket, key, marker_id, marker)
        gone = version is not None and version.marker
        assert (marker, marker_id) == (("true", id) if gone else (None, None)), f"{key} {id}: marker {marker} {marker_id}"
        if version:
            bucket.drop(key, id)

    def source(self, b, key, pick):
        """(header value, version, refusal)"""
        version = self.pick_version(b, key, pick) if pick % 3 == 0 else None
        text = urllib.parse.quote(f"{self.names[b]}/{key}")
        if version is not None:
            refused = (400, "InvalidRequest") if version.marker else None
            return f"{text}?versionId={version.id}", version, refused
        version = self.model[b].current(key)
        return text, version, None if version else (404, "NoSuchKey")

    def copy(self, b, key, to, pick, seed, size, condition, other):
        if (b, key) == (other, to):
            return
        bucket = self.model[other]
        text, version, refused = self.source(b, key, pick)
        headers, unmet = self.conditions(condition, bucket.current(to))
        headers["x-amz-copy-source"] = text
        new = version.copy() if version and not version.marker else None
        secret, sum = SSE_KEYS[(seed >> 12) % 6], (seed >> 16) % 5 == 0
        headers.update(sse(secret) if secret else {})
        if new:
            keys, wrong_key = self.keyed(version, pick, "copy-source-")
            headers.update(keys)
            refused = refused or wrong_key
            new.key = secret
        if sum:
            headers["x-amz-checksum-algorithm"] = "SHA256"
        if pick % 2:
            headers.update({"x-amz-metadata-directive": "REPLACE", "x-amz-meta-m": str(seed), "content-type": "text/copy"})
            if new:
                new.meta, new.kind = str(seed), "text/copy"
        if pick % 5 == 0:
            headers.update({"x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "c=1"})
            if new:
                new.tags = {"c": "1"}
        answer = self.call("PUT", other, to, headers=headers)
        if refused and unmet:
            assert (answer.status, answer.code) in (refused, unmet), answer
            return
        if refused or unmet:
            return self.expect(answer, *(refused or unmet))
        self.expect(answer, 200)
        assert answer.code is None, answer
        etag = xml.fromstring(answer.body).findtext(NS + "ETag").strip('"')
        if not (version.parts and etag == version.etag and secret == version.key):
            # Amazon gives the copy of a multipart object a plain ETag, and copies in constant time keep it. Both are fine.
            assert etag == self.etag_of(answer, version.body, secret)
            new.parts = new.parts if secret == version.key else None
        new.etag = etag
        if sum:
            new.sum = ("SHA256", "FULL_OBJECT", value("SHA256", version.body))
            assert xml.fromstring(answer.body).findtext(NS + "ChecksumSHA256") == new.sum[2], "checksum of the copy"
        bucket.add(to, new, self.version_of(answer, bucket))

    def rename(self, b, key, to, pick, seed, size, condition, other):
        bucket = self.model[b]
        headers, unmet = self.conditions(condition, bucket.current(to))
        headers["x-amz-rename-source"] = urllib.parse.quote(key)
        answer = self.call("PUT", b, to, query={"renameObject": ""}, headers=headers)
        if bucket.versioning is not None:
            return self.expect(answer, 409, "InvalidBucketState")
        if key == to:
            return self.expect(answer, 400, "InvalidRequest")
        source = bucket.current(key)
        if source is None and unmet:
            assert answer.status in (404, 412), answer
            return
        if source is None:
            return self.expect(answer, 404, "NoSuchKey")
        if unmet:
            return self.expect(answer, *unmet)
        self.expect(answer, 200)
        del bucket.keys[key]
        bucket.keys[to] = [source]

    def tags(self, b, key, to, pick, seed, size, condition, other):
        version, query = self.model[b].current(key), {"tagging": ""}
        if pick % 3 == 0 and self.pick_version(b, key, pick):
            version = self.pick_version(b, key, pick)
            query["versionId"] = version.id
        body = f"<Tagging><TagSet><Tag><Key>k{pick}</Key><Value>v{seed}</Value></Tag></TagSet></Tagging>".encode()
        answer = self.call("PUT", b, key, query=query, body=body)
        if version is None:
            return self.expect(answer, 404, "NoSuchKey")
        if version.marker:
            return self.expect(answer, 405, "MethodNotAllowed")
        self.expect(answer, 200)
        version.tags = {f"k{pick}": f"v{seed}"}
        self.check_tags(b, key, version, query)

    def untag(self, b, key, to, pick, seed, size, condition, other):
        version = self.model[b].current(key)
        if version is None:
            return
        self.expect(self.call("DELETE", b, key, query={"tagging": ""}), 204)
        version.tags = {}
        self.check_tags(b, key, version)

    def check_tags(self, b, key, version, query={"tagging": ""}):
        answer = self.call("GET", b, key, query=query)
        self.expect(answer, 200)
        found = {t.findtext(NS + "Key"): t.findtext(NS + "Value") for t in xml.fromstring(answer.body).iter(NS + "Tag")}
        assert found == version.tags, f"tags {found}, want {version.tags}"

    def attributes(self, b, key, to, pick, seed, size, condition, other):
        version = self.model[b].current(key)
        headers, refused = self.keyed(version, pick) if version else ({}, (404, "NoSuchKey"))
        answer = self.call("GET", b, key, query={"attributes": ""}, headers={**headers, "x-amz-object-attributes": "ETag,ObjectSize,ObjectParts"})
        if refused:
            return self.expect(answer, *refused)
        self.expect(answer, 200)
        assert next((c.text for c in xml.fromstring(answer.body).iter(NS + "PartsCount")), None) == \
            (str(len(version.parts)) if version.parts else None), "number of parts"
        root = xml.fromstring(answer.body)
        assert root.findtext(NS + "ETag") == version.etag, "ETag"
        assert root.findtext(NS + "ObjectSize") == str(len(version.body)), "ObjectSize"

    def versioning(self, b, key, to, pick, seed, size, condition, other):
        if b != "kept":
            return
        state = "Enabled" if pick % 3 else "Suspended"
        body = f"<VersioningConfiguration><Status>{state}</Status></VersioningConfiguration>".encode()
        self.expect(self.call("PUT", b, query={"versioning": ""}, body=body), 200)
        self.model[b].versioning = state

    # ---- uploads ----

    def upload(self, b, key, to, pick, seed, size, condition, other):
        if len(self.model[b].uploads) >= 4:
            return
        (algorithm, kind), secret, tags = UPLOAD_SUMS[(seed >> 4) % 6], SSE_KEYS[(seed >> 12) % 6], {"u": "1"} if pick % 4 == 0 else {}
        headers = {"x-amz-meta-m": str(seed), "content-type": "text/mp", "x-amz-tagging": urllib.parse.urlencode(tags), **(sse(secret) if secret else {})}
        if algorithm:
            headers.update({"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind})
        answer = self.call("POST", b, key, query={"uploads": ""}, headers=headers)
        self.expect(answer, 200)
        id = xml.fromstring(answer.body).findtext(NS + "UploadId")
        self.model[b].uploads.append(Upload(key, id, str(seed), tags, algorithm, kind, secret))

    def pick_upload(self, b, pick):
        uploads = self.model[b].uploads
        return uploads[pick % len(uploads)] if uploads else None

    def part(self, b, key, to, pick, seed, size, condition, other):
        upload = self.pick_upload(b, pick)
        if upload is None:
            return
        number = seed % 3 + 1
        body = content(seed, PART if number < 3 and seed % 5 else 1000)
        headers = sse(upload.secret) if upload.secret else {}
        sum = value(upload.algorithm, body) if upload.algorithm not in (None, *SLOW) else None
        if sum and (upload.kind == "COMPOSITE" or seed % 2):
            headers[header(upload.algorithm)] = sum
        answer = self.call("PUT", b, upload.key, query={"partNumber": number, "uploadId": upload.id}, headers=headers, body=body)
        self.expect(answer, 200)
        upload.parts[number] = Part(body, self.etag_of(answer, body, upload.secret), sum)

    def part_copy(self, b, key, to, pick, seed, size, condition, other):
        upload = self.pick_upload(other, pick)
        if upload is None:
            return
        text, version, refused = self.source(b, key, pick)
        headers = {"x-amz-copy-source": text, **(sse(upload.secret) if upload.secret else {})}
        body = version.body if version and not version.marker else b""
        if version and not version.marker:
            keys, wrong_key = self.keyed(version, pick, "copy-source-")
            headers.update(keys)
            refused = refused or wrong_key
        if body and seed % 2:
            begin = seed % len(body)
            headers["x-amz-copy-source-range"] = f"bytes={begin}-{len(body) - 1}"
            body = body[begin:]
        answer = self.call("PUT", other, upload.key, query={"partNumber": 3, "uploadId": upload.id}, headers=headers)
        if refused:
            return self.expect(answer, *refused)
        self.expect(answer, 200)
        assert answer.code is None, answer
        sum = value(upload.algorithm, body) if upload.algorithm not in (None, *SLOW) else None
        assert sum is None or xml.fromstring(answer.body).findtext(NS + "Checksum" + upload.algorithm) == sum, "checksum of a copied part"
        upload.parts[3] = Part(body, self.etag_of(answer, body, upload.secret), sum)

    def complete(self, b, key, to, pick, seed, size, condition, other):
        upload = self.pick_upload(b, pick)
        if upload is None:
            return
        bucket = self.model[b]
        numbers = sorted(upload.parts)
        if len(numbers) > 1 and seed % 4 == 0:
            numbers.pop(seed % len(numbers))
        headers, unmet = self.conditions(condition, bucket.current(upload.key))
        parts, wrong = [upload.parts[n] for n in numbers], seed % 7 == 0
        body = "<CompleteMultipartUpload>" + "".join(
            f'<Part><PartNumber>{n}</PartNumber><ETag>"{"0" * 32 if wrong else p.etag}"</ETag>' +
            (f"<Checksum{upload.algorithm}>{p.sum}</Checksum{upload.algorithm}>" if p.sum else "") + "</Part>"
            for n, p in zip(numbers, parts)) + "</CompleteMultipartUpload>"
        send = lambda: self.call("POST", b, upload.key, query={"uploadId": upload.id}, headers=dict(headers), body=body.encode())
        answer = send()
        small = any(len(p.body) < PART for p in parts[:-1])
        faults = [f for f, there in (((400, "MalformedXML"), not numbers), ((400, "InvalidPart"), wrong and numbers),
                                     ((400, "EntityTooSmall"), small), (unmet, unmet)) if there]
        if faults:
            assert (answer.status, answer.code) in faults, f"want one of {faults}, got {answer}"
            return
        self.expect(answer, 200)
        assert answer.code is None, answer
        digest = hashlib.md5(b"".join(bytes.fromhex(p.etag) for p in parts)).hexdigest()
        new = Version(b"".join(p.body for p in parts), etag=f"{digest}-{len(numbers)}", meta=upload.meta, kind="text/mp", tags=upload.tags,
                      parts=[(n, len(p.body)) for n, p in zip(numbers, parts)], key=upload.secret)
        if upload.kind == "COMPOSITE":
            new.sum = (upload.algorithm, upload.kind, upload.composite(parts))
        elif upload.algorithm == "CRC32":
            new.sum = (upload.algorithm, upload.kind, value("CRC32", new.body))
        assert xml.fromstring(answer.body).findtext(NS + "ETag").strip('"') == new.etag, "ETag of the whole"
        bucket.add(upload.key, new, self.version_of(answer, bucket))
        bucket.uploads.remove(upload)
        if not condition and seed % 3 == 0:
            again = send()
            self.expect(again, 200)
            assert xml.fromstring(again.body).findtext(NS + "ETag").strip('"') == new.etag, "ETag of a repeated completion"

    def abort(self, b, key, to, pick, seed, size, condition, other):
        upload = self.pick_upload(b, pick)
        if upload is None:
            return
        self.expect(self.call("DELETE", b, upload.key, query={"uploadId": upload.id}), 204)
        self.model[b].uploads.remove(upload)
        again = self.call("PUT", b, upload.key, query={"partNumber": 1, "uploadId": upload.id}, body=b"x")
        self.expect(again, 404, "NoSuchUpload")

    def parts(self, b, key, to, pick, seed, size, condition, other):
        upload = self.pick_upload(b, pick)
        if upload is None:
            return
        answer = self.call("GET", b, upload.key, query={"uploadId": upload.id})
        self.expect(answer, 200)
        found = {int(p.findtext(NS + "PartNumber")): int(p.findtext(NS + "Size")) for p in xml.fromstring(answer.body).iter(NS + "Part")}
        assert found == {n: len(p.body) for n, p in upload.parts.items()}, "parts"

    # ---- listing ----

    def pages(self, b, query, rows, next):
        """All rows of a paged listing. next: response elements -> query parameters of the next page."""
        result, more, pages = [], {}, 0
        while True:
            answer = self.call("GET", b, query={**query, **more, "encoding-type": "url"})
            self.expect(answer, 200)
            root = xml.fromstring(answer.body)
            page = [row for child in root for row in rows(child)]
            if "max-keys" in query:
                assert len(page) <= query["max-keys"], "more rows than asked for"
            result += page
            pages += 1
            assert pages < 500, "the listing does not end"
            if root.findtext(NS + "IsTruncated") != "true":
                return result
            assert page, "an empty page that says there is more"
            more = {p: urllib.parse.unquote_plus(root.findtext(NS + e)) for e, p in next.items() if root.findtext(NS + e) is not None}

    def fold(self, names, prefix, delimiter):
        """Keys and common prefixes in order, as (kind, name)."""
        result = []
        for name in names:
            if not name.startswith(prefix):
                continue
            at = name.find(delimiter, len(prefix)) if delimiter else -1
            row = ("prefix", name[:at + len(delimiter)]) if at >= 0 else ("key", name)
            if row[0] == "key" or row not in result:
                result.append(row)
        return sorted(result, key=lambda r: r[1].encode()) if delimiter else result

    def list_query(self, pick, seed):
        prefix = ["", "", "a", "a/", "dir/", "dir/sub/", "nothing"][pick % 7]
        delimiter = ["", "/", "/", "b"][seed % 4]
        query = {**({"prefix": prefix} if prefix else {}), **({"delimiter": delimiter} if delimiter else {})}
        return prefix, delimiter, query

    def list(self, b, key, to, pick, seed, size, condition, other):
        bucket = self.model[b]
        prefix, delimiter, query = self.list_query(pick, seed)
        query["max-keys"] = [1, 2, 3, 1000][seed // 4 % 4]
        names = sorted((k for k in bucket.keys if bucket.current(k)), key=str.encode)
        want = self.fold(names, prefix, delimiter)

        def rows(child):
            if child.tag == NS + "Contents":
                name = urllib.parse.unquote_plus(child.findtext(NS + "Key"))
                version = bucket.current(name)
                assert version is not None, f"listed but not there: {name}"
                assert child.findtext(NS + "Size") == str(len(version.body)), f"size of {name}"
                assert child.findtext(NS + "ETag") == f'"{version.etag}"', f"ETag of {name}"
                yield ("key", name)
            elif child.tag == NS + "CommonPrefixes":
                yield ("prefix", urllib.parse.unquote_plus(child.findtext(NS + "Prefix")))
        if pick % 2:
            if pick % 8 == 1:
                query["start-after"] = to
                want = [r for r in want if r[1].encode() > to.encode()]
            found = self.pages(b, {**query, "list-type": 2}, rows, {"NextContinuationToken": "continuation-token"})
        else:
            query.setdefault("delimiter", "/")
            want = self.fold(names, prefix, query["delimiter"])
            found = self.pages(b, query, rows, {"NextMarker": "marker"})
        order = lambda r: r[1].encode()
        assert sorted(found, key=order) == sorted(want, key=order), f"listing of {query}: {found}, want {want}"

    def versions(self, b, key, to, pick, seed, size, condition, other):
        bucket = self.model[b]
        prefix, delimiter, query = self.list_query(pick, seed)
        query["max-keys"] = [1, 2, 3, 1000][seed // 4 % 4]
        query["versions"] = ""
        want = []
        for kind, name in self.fold(sorted(bucket.keys, key=str.encode), prefix, delimiter):
            if kind == "prefix":
                want.append((name,))
            else:
                want += [(name, v.id, v.marker, i == 0) for i, v in enumerate(bucket.keys[name])]

        def rows(child):
            if child.tag in (NS + "Version", NS + "DeleteMarker"):
                yield (urllib.parse.unquote_plus(child.findtext(NS + "Key")), child.findtext(NS + "VersionId"),
                       child.tag == NS + "DeleteMarker", child.findtext(NS + "IsLatest") == "true")
            elif child.tag == NS + "CommonPrefixes":
                yield (urllib.parse.unquote_plus(child.findtext(NS + "Prefix")),)
        found = self.pages(b, query, rows, {"NextKeyMarker": "key-marker", "NextVersionIdMarker": "version-id-marker"})
        single = lambda r: [x for x in r if len(x) > 1]
        assert single(found) == single(want), f"versions of {query}: {single(found)}, want {single(want)}"
        assert sorted(r for r in found if len(r) == 1) == sorted(r for r in want if len(r) == 1), "common prefixes"

    def uploads(self, b, key, to, pick, seed, size, condition, other):
        bucket = self.model[b]
        want = sorted((u.key.encode(), u.id) for u in bucket.uploads)

        def rows(child):
            if child.tag == NS + "Upload":
                yield (urllib.parse.unquote_plus(child.findtext(NS + "Key")).encode(), child.findtext(NS + "UploadId"))
        found = self.pages(b, {"uploads": "", "max-uploads": [1, 2, 1000][seed % 3]}, rows,
                           {"NextKeyMarker": "key-marker", "NextUploadIdMarker": "upload-id-marker"})
        assert sorted(found) == want, f"uploads {found}, want {want}"

    def everything(self):
        """The final comparison: listings, versions, uploads, and each version's bytes."""
        for b in BUCKETS:
            for pick in (0, 1):
                self.list(b, "", "", pick, 0, 0, None, b)
            self.versions(b, "", "", 0, 0, 0, None, b)
            self.uploads(b, "", "", 0, 0, 0, None, b)
            for key, versions in self.model[b].keys.items():
                for i in range(len(versions)):
                    self.get_version(b, key, "", i, 0, 0, None, b)
            if self.usage:
                there = [len(v.body) for vs in self.model[b].keys.values() for v in vs if not v.marker]
                found = self.usage(self.names[b])
                assert (found["STANDARD_OBJECTS"], found["STANDARD_BYTES"]) == (len(there), sum(there)), f"usage of {b}: {found}, want {there}"


def try_sequence(client, operations, serial, usage=None):
    """None, or (index, what was wrong). usage: of a bucket, as the control API tells it."""
    from s3lib import Client  # noqa: F401  (the caller's path has it)
    names = {b: f"model-{b}-{serial}" for b in BUCKETS}
    for name in names.values():
        made = client.call("PUT", name, body=b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint></CreateBucketConfiguration>")
        assert made.status == 200, made
    run = Run(client, names, usage)
    for i, op in enumerate(operations):
        try:
            run.apply(op)
        except (AssertionError, LookupError, AttributeError, xml.ParseError) as fault:
            return i, f"{op}: {fault!r}"
    try:
        run.everything()
    except AssertionError as fault:
        return len(operations), f"in the end: {fault}"
    return None


def shrink(client, operations, serial, usage=None, tries=300):
    """A shorter sequence that still fails: leave out ever smaller pieces."""
    size, used = max(1, len(operations) // 2), 0
    while size >= 1 and used < tries:
        at, shorter = 0, False
        while at < len(operations) and used < tries:
            candidate = operations[:at] + operations[at + size:]
            used += 1
            if candidate and try_sequence(client, candidate, f"{serial}-{used}", usage):
                operations, shorter = candidate, True
            else:
                at += size
        if not shorter:
            size //= 2
    return operations


def sequence(seed, length):
    chance = random.Random(seed)
    return [draw(chance) for _ in range(length)]
