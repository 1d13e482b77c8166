"""A small reference model of S3, and random sequences of calls that are compared with a store, answer by answer.

An operation is a plain tuple that is drawn before anything runs, and refers to versions and uploads by number, so any
subsequence of a sequence is a sequence too: a failure shrinks by leaving operations out.
"""
import hashlib
import random
import re
import urllib.parse
import xml.etree.ElementTree as xml

NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"
KEYS = ["a", "a/", "a/b", "a/b/c", "a/c", "a0", "b", "dir/x y+z", "dir/é", "dir/sub/1", "dir/sub/2", "z&<>"]
BUCKETS = ["plain", "kept"]
PART = 5 << 20


def content(seed, size):
    return (hashlib.sha256(str(seed).encode()).digest() * (size // 32 + 1))[:size]


class Version:
    def __init__(self, body=b"", marker=False, etag=None, tags=None, meta="", kind="binary/octet-stream", parts=None):
        self.id, self.marker, self.body, self.tags, self.meta, self.kind = None, marker, body, tags or {}, meta, kind
        self.etag = etag or hashlib.md5(body).hexdigest()
        self.parts = parts

    def copy(self):
        return Version(self.body, False, self.etag, dict(self.tags), self.meta, self.kind, self.parts)


class Upload:
    def __init__(self, key, id, meta):
        self.key, self.id, self.meta, self.parts = key, id, meta, {}


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
        ["put", "get", "get-version", "head", "delete", "delete-version", "delete-many", "copy", "rename", "tags", "untag",
         "versioning", "upload", "part", "part-copy", "complete", "abort", "list", "versions", "uploads", "parts", "attributes"],
        [10, 5, 3, 2, 4, 4, 1, 4, 3, 2, 1, 1, 2, 3, 1, 3, 0.7, 4, 3, 1, 1, 1])[0]
    return (kind, b, k, to, pick, seed, size, condition, chance.choice(BUCKETS))


class Run:
    """Applies operations to a store and to the model; any difference raises AssertionError."""

    def __init__(self, client, names):
        self.client, self.names = client, names
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

    def put(self, b, key, to, pick, seed, size, condition, other):
        bucket, body = self.model[b], content(seed, size)
        headers, refused = self.conditions(condition, bucket.current(key))
        headers.update({"x-amz-meta-m": str(seed), "content-type": f"text/x-{pick}"})
        tags = {"t": str(pick)} if pick % 4 == 0 else {}
        if tags:
            headers["x-amz-tagging"] = urllib.parse.urlencode(tags)
        answer = self.call("PUT", b, key, headers=headers, body=body)
        if refused:
            return self.expect(answer, *refused)
        self.expect(answer, 200)
        new = Version(body, tags=tags, meta=str(seed), kind=f"text/x-{pick}")
        assert answer.headers["etag"] == f'"{new.etag}"'
        bucket.add(key, new, self.version_of(answer, bucket))

    def compare(self, answer, version, body=True):
        assert answer.headers["etag"] == f'"{version.etag}"', f"ETag {answer.headers['etag']}, want {version.etag}"
        assert answer.headers["x-amz-meta-m"] == version.meta, "metadata"
        assert answer.headers["content-type"] == version.kind, f"type {answer.headers['content-type']}, want {version.kind}"
        assert answer.headers.get("x-amz-tagging-count", "0") == str(len(version.tags)), "tag count"
        if body:
            assert answer.body == version.body, f"{len(answer.body)} other bytes, want {len(version.body)}"
        else:
            assert answer.headers["content-length"] == str(len(version.body)), "length"

    def get(self, b, key, to, pick, seed, size, condition, other):
        version = self.model[b].current(key)
        if version is None or pick % 2 == 0 or not version.body:
            answer = self.call("GET", b, key)
            if version is None:
                return self.expect(answer, 404, "NoSuchKey")
            self.expect(answer, 200)
            return self.compare(answer, version)
        begin = seed % len(version.body)
        end = min(len(version.body) - 1, begin + size)
        answer = self.call("GET", b, key, headers={"range": f"bytes={begin}-{end}"})
        self.expect(answer, 206)
        assert answer.body == version.body[begin:end + 1], "other bytes in the range"
        assert answer.headers["content-range"] == f"bytes {begin}-{end}/{len(version.body)}"

    def head(self, b, key, to, pick, seed, size, condition, other):
        version = self.model[b].current(key)
        answer = self.call("HEAD", b, key)
        if version is None:
            return self.expect(answer, 404)
        self.expect(answer, 200)
        self.compare(answer, version, body=False)

    def pick_version(self, b, key, pick):
        versions = self.model[b].keys.get(key)
        return versions[pick % len(versions)] if versions else None

    def get_version(self, b, key, to, pick, seed, size, condition, other):
        version = self.pick_version(b, key, pick)
        if version is None:
            return self.expect(self.call("GET", b, key, query={"versionId": "0" * 31 + "1"}), 404, "NoSuchVersion")
        answer = self.call("GET", b, key, query={"versionId": version.id})
        if version.marker:
            self.expect(answer, 405, "MethodNotAllowed")
            assert answer.headers["x-amz-delete-marker"] == "true"
        else:
            self.expect(answer, 200)
            self.compare(answer, version)

    def delete(self, b, key, to, pick, seed, size, condition, other):
        bucket = self.model[b]
        answer = self.call("DELETE", b, key)
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
        keys = sorted({key, to})
        escaped = {k: k.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for k in keys}
        body = ("<Delete>" + "".join(f"<Object><Key>{escaped[k]}</Key></Object>" for k in keys) + "</Delete>").encode()
        import base64
        answer = self.call("POST", b, query={"delete": ""}, body=body,
                           headers={"content-md5": base64.b64encode(hashlib.md5(body).digest()).decode()})
        self.expect(answer, 200)
        rows = list(xml.fromstring(answer.body).iter(NS + "Deleted"))
        assert sorted(r.findtext(NS + "Key") for r in rows) == keys, "other keys deleted"
        for row in rows:
            marker = row.findtext(NS + "DeleteMarker")
            self.deleted(self.model[b], row.findtext(NS + "Key"), row.findtext(NS + "DeleteMarkerVersionId"), marker)

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
        if version.parts:
            # A copy of a multipart object is one object: Amazon gives it a plain ETag, and copies in constant time keep it. Both are fine.
            assert etag in (version.etag, hashlib.md5(version.body).hexdigest()), etag
            new.etag = etag
        assert etag == new.etag, "ETag of the copy"
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
        version = self.model[b].current(key)
        body = f"<Tagging><TagSet><Tag><Key>k{pick}</Key><Value>v{seed}</Value></Tag></TagSet></Tagging>".encode()
        answer = self.call("PUT", b, key, query={"tagging": ""}, body=body)
        if version is None:
            marker = self.model[b].keys.get(key)
            return self.expect(answer, 405 if marker else 404) if answer.status != 404 else None
        self.expect(answer, 200)
        version.tags = {f"k{pick}": f"v{seed}"}
        self.check_tags(b, key, version)

    def untag(self, b, key, to, pick, seed, size, condition, other):
        version = self.model[b].current(key)
        if version is None:
            return
        self.expect(self.call("DELETE", b, key, query={"tagging": ""}), 204)
        version.tags = {}
        self.check_tags(b, key, version)

    def check_tags(self, b, key, version):
        answer = self.call("GET", b, key, query={"tagging": ""})
        self.expect(answer, 200)
        found = {t.findtext(NS + "Key"): t.findtext(NS + "Value") for t in xml.fromstring(answer.body).iter(NS + "Tag")}
        assert found == version.tags, f"tags {found}, want {version.tags}"

    def attributes(self, b, key, to, pick, seed, size, condition, other):
        version = self.model[b].current(key)
        answer = self.call("GET", b, key, query={"attributes": ""}, headers={"x-amz-object-attributes": "ETag,ObjectSize,ObjectParts"})
        if version is None:
            return self.expect(answer, 404, "NoSuchKey")
        self.expect(answer, 200)
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
        answer = self.call("POST", b, key, query={"uploads": ""}, headers={"x-amz-meta-m": str(seed), "content-type": "text/mp"})
        self.expect(answer, 200)
        id = xml.fromstring(answer.body).findtext(NS + "UploadId")
        self.model[b].uploads.append(Upload(key, id, str(seed)))

    def pick_upload(self, b, pick):
        uploads = self.model[b].uploads
        return uploads[pick % len(uploads)] if uploads else None

    def part(self, b, key, to, pick, seed, size, condition, other):
        upload = self.pick_upload(b, pick)
        if upload is None:
            return
        number = seed % 3 + 1
        body = content(seed, PART if number < 3 and seed % 5 else 1000)
        answer = self.call("PUT", b, upload.key, query={"partNumber": number, "uploadId": upload.id}, body=body)
        self.expect(answer, 200)
        assert answer.headers["etag"].strip('"') == hashlib.md5(body).hexdigest(), "ETag of a part"
        upload.parts[number] = body

    def part_copy(self, b, key, to, pick, seed, size, condition, other):
        upload = self.pick_upload(other, pick)
        if upload is None:
            return
        text, version, refused = self.source(b, key, pick)
        headers = {"x-amz-copy-source": text}
        body = version.body if version and not version.marker else b""
        if body and seed % 2:
            begin = seed % len(body)
            headers["x-amz-copy-source-range"] = f"bytes={begin}-{len(body) - 1}"
            body = body[begin:]
        answer = self.call("PUT", other, upload.key, query={"partNumber": 3, "uploadId": upload.id}, headers=headers)
        if refused:
            return self.expect(answer, *refused)
        self.expect(answer, 200)
        assert answer.code is None, answer
        etag = xml.fromstring(answer.body).findtext(NS + "ETag").strip('"')
        assert etag == hashlib.md5(body).hexdigest(), "ETag of a copied part"
        upload.parts[3] = body

    def complete(self, b, key, to, pick, seed, size, condition, other):
        upload = self.pick_upload(b, pick)
        if upload is None:
            return
        bucket = self.model[b]
        numbers = sorted(upload.parts)
        if len(numbers) > 1 and seed % 4 == 0:
            numbers.pop(seed % len(numbers))
        headers, unmet = self.conditions(condition, bucket.current(upload.key))
        etags = {n: hashlib.md5(upload.parts[n]).hexdigest() for n in numbers}
        wrong = seed % 7 == 0
        body = "<CompleteMultipartUpload>" + "".join(
            f'<Part><PartNumber>{n}</PartNumber><ETag>"{"0" * 32 if wrong else etags[n]}"</ETag></Part>' for n in numbers) + \
            "</CompleteMultipartUpload>"
        answer = self.call("POST", b, upload.key, query={"uploadId": upload.id}, headers=headers, body=body.encode())
        small = any(len(upload.parts[n]) < PART for n in numbers[:-1])
        faults = [f for f, there in (((400, "MalformedXML"), not numbers), ((400, "InvalidPart"), wrong and numbers),
                                     ((400, "EntityTooSmall"), small), (unmet, unmet)) if there]
        if faults:
            assert (answer.status, answer.code) in faults, f"want one of {faults}, got {answer}"
            return
        self.expect(answer, 200)
        assert answer.code is None, answer
        digest = hashlib.md5(b"".join(bytes.fromhex(etags[n]) for n in numbers)).hexdigest()
        new = Version(b"".join(upload.parts[n] for n in numbers), etag=f"{digest}-{len(numbers)}", meta=upload.meta, kind="text/mp",
                      parts=[len(upload.parts[n]) for n in numbers])
        assert xml.fromstring(answer.body).findtext(NS + "ETag").strip('"') == new.etag, "ETag of the whole"
        bucket.add(upload.key, new, self.version_of(answer, bucket))
        bucket.uploads.remove(upload)

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
        assert found == {n: len(p) for n, p in upload.parts.items()}, "parts"

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


def try_sequence(client, operations, serial):
    """None, or (index, what was wrong)."""
    from s3lib import Client  # noqa: F401  (the caller's path has it)
    names = {b: f"model-{b}-{serial}" for b in BUCKETS}
    for name in names.values():
        made = client.call("PUT", name, body=b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint></CreateBucketConfiguration>")
        assert made.status == 200, made
    run = Run(client, names)
    for i, op in enumerate(operations):
        try:
            run.apply(op)
        except AssertionError as fault:
            return i, f"{op}: {fault}"
    try:
        run.everything()
    except AssertionError as fault:
        return len(operations), f"in the end: {fault}"
    return None


def shrink(client, operations, serial, tries=300):
    """A shorter sequence that still fails: leave out ever smaller pieces."""
    size, used = max(1, len(operations) // 2), 0
    while size >= 1 and used < tries:
        at, shorter = 0, False
        while at < len(operations) and used < tries:
            candidate = operations[:at] + operations[at + size:]
            used += 1
            if candidate and try_sequence(client, candidate, f"{serial}-{used}"):
                operations, shorter = candidate, True
            else:
                at += size
        if not shorter:
            size //= 2
    return operations


def sequence(seed, length):
    chance = random.Random(seed)
    return [draw(chance) for _ in range(length)]
