"""Listings against a model in ten lines: every prefix, delimiter, marker and page size, in all three calls."""
import base64
import concurrent.futures
import os
import random
import urllib.parse
import xml.etree.ElementTree as xml

import pytest

from s3lib import refused

NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"
ROUNDS = int(os.environ.get("CAISSON_LIST_ROUNDS", "120"))
LETTERS = ["a", "b", "/", "/", "-", "é", "日", "\U0001f600", " ", "+", "%", "&", "<", "z"]


def put_many(s3, bucket, keys):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: s3.put_object(Bucket=bucket, Key=k, Body=k.encode()), keys))


def entries(keys, prefix, delimiter, after=""):
    """What a listing holds: keys and common prefixes that sort behind after, in order."""
    found = set()
    for key in keys:
        if key.startswith(prefix):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            found.add((key[:at + len(delimiter)], "prefix") if at >= 0 else (key, "key"))
    return sorted((e for e in found if e[0].encode() > after.encode()), key=lambda e: e[0].encode())


def random_keys(chance, n):
    return sorted({"".join(chance.choices(LETTERS, k=chance.randrange(1, 7))) for _ in range(n)}, key=str.encode)


@pytest.fixture(scope="module", params=range(3))
def filled(request, s3):
    """(bucket, keys in order)"""
    import uuid
    from conftest import empty
    name = f"l-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "x"})
    keys = random_keys(random.Random(request.param), 150)
    put_many(s3, name, keys)
    yield name, keys
    empty(s3, name)
    s3.delete_bucket(Bucket=name)


def parse(answer, encoded=False):
    """(entries, fields) of an answer."""
    assert answer.status == 200, answer
    text = urllib.parse.unquote if encoded else str
    root = xml.fromstring(answer.body)
    rows = [(text(c.findtext(NS + "Key")), "key") for c in root.iter(NS + "Contents")]
    rows += [(text(c.findtext(NS + "Prefix")), "prefix") for c in root.iter(NS + "CommonPrefixes")]
    fields = {c.tag[len(NS):]: c.text or "" for c in root if len(c) == 0}
    return sorted(rows, key=lambda e: e[0].encode()), fields


def draw(chance, keys):
    some = chance.choice(keys)
    prefix = chance.choice(["", "", some[:1], some[:2], some, "nothing", "a/", "/"])
    delimiter = chance.choice(["", "/", "/", "/", "a", "é", "a/", "//", "%"])
    after = chance.choice(["", "", some, some[:2], some + "x", prefix, prefix + "a/", "zzz", "a/b"])
    return prefix, delimiter, after, chance.choice([1, 2, 3, 7, 50, 1000])


def pages(raw, bucket, query, follow, page, encoded):
    """All entries by following pages; each page is as long as it may be."""
    found = []
    while True:
        rows, fields = parse(raw.call("GET", bucket, query={**query, "max-keys": page}), encoded)
        found += rows
        assert fields["MaxKeys"] == str(page) and fields["Name"] == bucket
        if "KeyCount" in fields:
            assert fields["KeyCount"] == str(len(rows))
        if fields["IsTruncated"] == "false":
            assert len(rows) <= page
            return found
        assert len(rows) == page
        query = {**query, **follow(rows, fields)}


def test_v2_against_model(raw, filled):
    bucket, keys = filled
    chance = random.Random(f"v2 {bucket[:1]}{len(keys)}")
    for _ in range(ROUNDS):
        prefix, delimiter, after, page = draw(chance, keys)
        encoded = chance.random() < 0.5
        query = {"list-type": 2, **({"prefix": prefix} if prefix else {}), **({"delimiter": delimiter} if delimiter else {}),
                 **({"start-after": after} if after else {}), **({"encoding-type": "url"} if encoded else {})}
        want = entries(keys, prefix, delimiter, after)
        if len(want) > 20 * page:
            page = len(want) // 20 + 1
        got = pages(raw, bucket, query, lambda rows, f: {"continuation-token": f["NextContinuationToken"]}, page, encoded)
        assert got == want, f"{query} in pages of {page}"


def test_v1_against_model(raw, filled):
    bucket, keys = filled
    chance = random.Random(f"v1 {len(keys)}")

    def follow(rows, fields):
        assert ("NextMarker" in fields) == bool(fields.get("Delimiter"))
        return {"marker": urllib.parse.unquote(fields["NextMarker"]) if "NextMarker" in fields else rows[-1][0]}
    for _ in range(ROUNDS):
        prefix, delimiter, after, page = draw(chance, keys)
        query = {"encoding-type": "url", **({"prefix": prefix} if prefix else {}), **({"delimiter": delimiter} if delimiter else {}),
                 **({"marker": after} if after else {})}
        want = entries(keys, prefix, delimiter, after)
        if len(want) > 20 * page:
            page = len(want) // 20 + 1
        assert pages(raw, bucket, query, follow, page, True) == want, f"{query} in pages of {page}"


# ---- versions ----

@pytest.fixture(scope="module")
def versioned(s3):
    """(bucket, {key: [(version id, kind), newest first]})"""
    import uuid
    from conftest import empty
    name = f"v-{uuid.uuid4().hex[:16]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "x"})
    chance = random.Random(5)
    keys, history = random_keys(chance, 30), {}

    def work(key, old):
        for _ in range(chance.randrange(1, 5)):
            if chance.random() < 0.3:
                history[key].insert(0, (s3.delete_object(Bucket=name, Key=key)["VersionId"], "DeleteMarker"))
            else:
                history[key].insert(0, (s3.put_object(Bucket=name, Key=key, Body=b"x").get("VersionId"), "Version"))
    for key in keys[::3]:			# these have a null version
        s3.put_object(Bucket=name, Key=key, Body=b"x")
        history[key] = [("null", "Version")]
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for key in keys:
        history.setdefault(key, [])
        work(key, history[key])
    yield name, history
    empty(s3, name)
    s3.delete_bucket(Bucket=name)


def version_entries(history, prefix, delimiter, after, after_version):
    for entry, kind in entries(history, prefix, delimiter):
        if kind == "prefix":
            if entry.encode() > after.encode():
                yield (entry, "CommonPrefixes", None, None)
            continue
        rows = [(entry, k, id, i == 0) for i, (id, k) in enumerate(history[entry])]
        if entry == after and after_version:
            ids = [r[2] for r in rows]
            yield from rows[ids.index(after_version) + 1:]
        elif entry.encode() > after.encode():
            yield from rows


def test_versions_against_model(raw, versioned):
    bucket, history = versioned
    chance = random.Random(9)
    keys = sorted(history, key=str.encode)
    for _ in range(ROUNDS):
        prefix, delimiter, after, page = draw(chance, keys)
        version = ""
        if after in history and chance.random() < 0.7:
            version = chance.choice(history[after])[0]
        rolled = delimiter and after.startswith(prefix) and delimiter in after[len(prefix):]
        want = list(version_entries(history, prefix, delimiter, after, "" if rolled else version))
        query = {"versions": "", **({"prefix": prefix} if prefix else {}), **({"delimiter": delimiter} if delimiter else {}),
                 **({"key-marker": after} if after else {}), **({"version-id-marker": version} if version else {})}
        page = max(page, len(want) // 20 + 1)
        got = []
        while True:
            answer = raw.call("GET", bucket, query={**query, "max-keys": page})
            assert answer.status == 200, (query, answer)
            root = xml.fromstring(answer.body)
            rows = [(r.findtext(NS + "Key"), r.tag[len(NS):], r.findtext(NS + "VersionId"), r.findtext(NS + "IsLatest") == "true")
                    for r in root if r.tag[len(NS):] in ("Version", "DeleteMarker")]
            rows += [(r.findtext(NS + "Prefix"), "CommonPrefixes", None, None) for r in root.iter(NS + "CommonPrefixes")]
            got += rows
            if root.findtext(NS + "IsTruncated") == "false":
                break
            assert len(rows) == page
            query.pop("version-id-marker", None)
            query["key-marker"] = root.findtext(NS + "NextKeyMarker")
            if root.findtext(NS + "NextVersionIdMarker"):
                query["version-id-marker"] = root.findtext(NS + "NextVersionIdMarker")
        assert sorted(got, key=str) == sorted(want, key=str), f"{query} in pages of {page}"
        by_key = [r[2] for r in got if r[1] != "CommonPrefixes" and r[0] == keys[3]]
        assert by_key == [r[2] for r in want if r[1] != "CommonPrefixes" and r[0] == keys[3]], "order of versions"


# ---- fields ----

def test_fields(s3, raw, bucket):
    etag = s3.put_object(Bucket=bucket, Key="dir/a", Body=b"hello", ChecksumAlgorithm="SHA256")["ETag"]
    raw.call("PUT", bucket, "b")
    one, two = s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"]
    assert two["Key"] == "dir/a" and two["Size"] == 5 and two["ETag"] == etag and two["StorageClass"] == "STANDARD"
    assert two["ChecksumAlgorithm"] == ["SHA256"] and two["ChecksumType"] == "FULL_OBJECT"
    assert one["ChecksumAlgorithm"] == ["CRC64NVME"] and one["Size"] == 0
    assert two["Owner"]["ID"] == s3.list_buckets()["Owner"]["ID"]
    head = s3.head_object(Bucket=bucket, Key="dir/a")
    assert two["LastModified"].replace(microsecond=0) == head["LastModified"]
    assert "Owner" not in s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert "Owner" in s3.list_objects(Bucket=bucket)["Contents"][0]
    answer = s3.list_objects_v2(Bucket=bucket, Prefix="d", Delimiter="/", StartAfter="c", MaxKeys=10, EncodingType="url",
                                OptionalObjectAttributes=["RestoreStatus"])
    assert [p["Prefix"] for p in answer["CommonPrefixes"]] == ["dir/"] and answer["KeyCount"] == 1
    assert (answer["Prefix"], answer["Delimiter"], answer["StartAfter"], answer["MaxKeys"], answer["EncodingType"]) == ("d", "/", "c", 10, "url")
    rows, fields = parse(raw.call("GET", bucket, query={"list-type": 2, "delimiter": ""}))
    assert len(rows) == 2 and "Delimiter" not in fields and fields["Prefix"] == ""


def test_empty(s3, bucket):
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert "Contents" not in s3.list_objects(Bucket=bucket)
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)


@pytest.mark.parametrize("more", [{"list-type": 2}, {}, {"versions": ""}], ids=["v2", "v1", "versions"])
def test_max_keys(s3, raw, bucket, more):
    put_many(s3, bucket, [f"{i:03}" for i in range(5)])
    for asked, shown in (("0", "0"), ("1", "1"), ("1000", "1000"), ("1001", "1000"), ("2147483647", "1000"), ("", "1000")):
        answer = raw.call("GET", bucket, query={**more, "max-keys": asked})
        assert answer.status == 200
        root = xml.fromstring(answer.body)
        assert root.findtext(NS + "MaxKeys") == shown
        assert root.findtext(NS + "IsTruncated") == ("true" if shown == "1" else "false")
    for asked in ("x", "-0", "-1", "2147483648", "1.5", " 1", "99999999999999999999"):
        answer = raw.call("GET", bucket, query={**more, "max-keys": asked})
        assert (answer.status, answer.code) == (400, "InvalidArgument"), asked
        assert b"<ArgumentName>max-keys</ArgumentName>" in answer.body


def token(*numbers, text=""):
    return base64.b64encode(bytes(numbers) + text.encode()).decode()


@pytest.mark.parametrize("query", [
    {"encoding-type": "hex"},
    {"list-type": 2, "continuation-token": ""}, {"list-type": 2, "continuation-token": "junk"}, {"list-type": 2, "continuation-token": "===="},
    {"list-type": 2, "continuation-token": token(1, 0)}, {"list-type": 2, "continuation-token": token(2, 0, text="k")},
    {"list-type": 2, "continuation-token": token(1, 2, text="k")}, {"list-type": 2, "continuation-token": token(1, 0, text="k" * 1025)},
    {"versions": "", "version-id-marker": "null"}, {"versions": "", "key-marker": "k", "version-id-marker": ""},
    {"versions": "", "key-marker": "k", "version-id-marker": "junk"},
], ids=str)
def test_arguments(raw, bucket, query):
    answer = raw.call("GET", bucket, query=query)
    assert (answer.status, answer.code) == (400, "InvalidArgument"), answer


def test_thousand_a_page(s3, bucket):
    keys = [f"{i:05}" for i in range(1203)]
    put_many(s3, bucket, keys)
    first = s3.list_objects_v2(Bucket=bucket)
    assert first["KeyCount"] == 1000 and first["IsTruncated"]
    second = s3.list_objects_v2(Bucket=bucket, ContinuationToken=first["NextContinuationToken"])
    assert second["KeyCount"] == 203 and not second["IsTruncated"]
    assert [o["Key"] for o in first["Contents"] + second["Contents"]] == keys
    assert second["ContinuationToken"] == first["NextContinuationToken"]


def test_control_characters_need_encoding(s3, raw, bucket):
    """XML cannot hold them, so only encoding-type=url gives the key back."""
    raw.call("PUT", bucket, "a\x01b\uffff", body=b"x")
    rows, _ = parse(raw.call("GET", bucket, query={"list-type": 2, "encoding-type": "url"}), encoded=True)
    assert rows == [("a\x01b\uffff", "key")]
    rows, _ = parse(raw.call("GET", bucket, query={"list-type": 2}))
    assert rows == [("a\ufffdb\ufffd", "key")] or len(rows) == 1
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"] == "a\x01b\uffff"


def test_no_bucket(s3):
    for call in (s3.list_objects, s3.list_objects_v2, s3.list_object_versions):
        with refused("NoSuchBucket", 404):
            call(Bucket="no-such-bucket-here")
