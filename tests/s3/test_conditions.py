"""Conditions: on reads, on writes, and in races."""
import concurrent.futures
import datetime
import email.utils

import pytest

from s3lib import Client


def date(seconds):
    return email.utils.format_datetime(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds), usegmt=True)


OLD, NEW = date(-86400), date(86400)
WRONG = '"' + "f" * 32 + '"'

# "E" stands for the ETag of the object.
READS = [
    ({"if-match": "E"}, 200), ({"if-match": "*"}, 200), ({"if-match": WRONG}, 412), ({"if-match": f"{WRONG}, E"}, 200),
    ({"if-match": "unquoted E"}, 200),
    ({"if-none-match": "E"}, 304), ({"if-none-match": "*"}, 304), ({"if-none-match": WRONG}, 200), ({"if-none-match": f"{WRONG},E"}, 304),
    ({"if-none-match": "W/E"}, 304), ({"if-match": "W/E"}, 412),
    ({"if-modified-since": OLD}, 200), ({"if-modified-since": "LM"}, 304), ({"if-modified-since": "junk"}, 200),
    ({"if-unmodified-since": OLD}, 412), ({"if-unmodified-since": "LM"}, 200), ({"if-unmodified-since": NEW}, 200),
    ({"if-unmodified-since": "junk"}, 200),
    # RFC 9110 section 13.2.2: ETags count, dates beside them do not
    ({"if-match": "E", "if-unmodified-since": OLD}, 200), ({"if-match": WRONG, "if-unmodified-since": NEW}, 412),
    ({"if-none-match": "E", "if-modified-since": OLD}, 304), ({"if-none-match": WRONG, "if-modified-since": "LM"}, 200),
    ({"if-match": "E", "if-none-match": "E"}, 304),
]


@pytest.mark.parametrize("size", [10, 300000])
def test_reads(raw, bucket, size):
    etag = raw.call("PUT", bucket, "k", headers={"cache-control": "max-age=5", "x-amz-meta-a": "b"}, body=b"x" * size).headers["etag"]
    modified = raw.call("HEAD", bucket, "k").headers["last-modified"]

    def fill(value):
        if value.startswith("unquoted"):
            return etag.strip('"')
        return modified if value == "LM" else value.replace("E", etag)
    for conditions, status in READS:
        headers = {n: fill(v) if n.endswith("match") or v == "LM" else v for n, v in conditions.items()}
        for method in ("GET", "HEAD"):
            answer = raw.call(method, bucket, "k", headers=headers)
            assert answer.status == status, f"{method} {conditions}: {answer.status}"
            if status == 304:
                assert answer.body == b"" and answer.headers["etag"] == etag and answer.headers["last-modified"] == modified
                assert answer.headers["cache-control"] == "max-age=5"
            if status == 412 and method == "GET":
                assert answer.code == "PreconditionFailed"
    answer = raw.call("GET", bucket, "gone", headers={"if-none-match": "*"})
    assert (answer.status, answer.code) == (404, "NoSuchKey")


def test_writes(raw, bucket):
    put = lambda body, **headers: raw.call("PUT", bucket, "k", headers={n.replace("_", "-"): v for n, v in headers.items()}, body=body)
    assert put(b"0", if_match=WRONG).code == "NoSuchKey"
    assert put(b"0", if_match="*").status == 404
    first = put(b"1", if_none_match="*")
    assert first.status == 200
    answer = put(b"2", if_none_match="*")
    assert (answer.status, answer.code) == (412, "PreconditionFailed")
    answer = put(b"2", if_match=WRONG)
    assert (answer.status, answer.code) == (412, "PreconditionFailed")
    second = put(b"2", if_match=first.headers["etag"])
    assert second.status == 200
    assert put(b"3", if_match=first.headers["etag"]).status == 412
    assert put(b"3", if_match="*").status == 200
    for etag in (first.headers["etag"], WRONG, "x"):
        answer = put(b"4", if_none_match=etag)
        assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert raw.call("GET", bucket, "k").body == b"3"
    # dates do not matter to writes
    assert put(b"4", if_unmodified_since=OLD).status == 200


def test_none_match_with_etag_in_aws(new_store):
    store = new_store("--s3-dialect", "aws")
    client = Client(store.host, store.port, store.key, store.secret)
    client.call("PUT", "conditions")
    answer = client.call("PUT", "conditions", "k", headers={"if-none-match": WRONG}, body=b"x")
    assert (answer.status, answer.code) == (501, "NotImplemented")
    client.close()


def test_writes_on_markers(s3, raw, bucket):
    """A delete marker is nothing: If-None-Match: * holds, If-Match does not."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    etag = raw.call("PUT", bucket, "k", body=b"1").headers["etag"]
    assert raw.call("PUT", bucket, "k", headers={"if-none-match": "*"}, body=b"2").status == 412
    raw.call("DELETE", bucket, "k")
    assert raw.call("PUT", bucket, "k", headers={"if-match": etag}, body=b"2").code == "NoSuchKey"
    assert raw.call("PUT", bucket, "k", headers={"if-none-match": "*"}, body=b"3").status == 200


def test_deletes(raw, bucket):
    etag = raw.call("PUT", bucket, "k", body=b"1").headers["etag"]
    answer = raw.call("DELETE", bucket, "k", headers={"if-match": WRONG})
    assert (answer.status, answer.code) == (412, "PreconditionFailed")
    assert raw.call("GET", bucket, "k").status == 200
    assert raw.call("DELETE", bucket, "k", headers={"if-match": etag}).status == 204
    assert raw.call("GET", bucket, "k").status == 404
    answer = raw.call("DELETE", bucket, "k", headers={"if-match": etag})
    assert (answer.status, answer.code) == (404, "NoSuchKey")
    raw.call("PUT", bucket, "k", body=b"1")
    assert raw.call("DELETE", bucket, "k", headers={"if-match": "*"}).status == 204
    for name in ("x-amz-if-match-last-modified-time", "x-amz-if-match-size"):
        answer = raw.call("DELETE", bucket, "k", headers={name: "1"})
        assert (answer.status, answer.code) == (501, "NotImplemented")


def many(store, n, work):
    def one(i):
        client = Client(store.host, store.port, store.key, store.secret)
        try:
            return work(client, i)
        finally:
            client.close()
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        return list(pool.map(one, range(n)))


@pytest.mark.parametrize("size", [3, 200000])
def test_one_wins(store, raw, bucket, size):
    """If-None-Match: * among many: one 200; the others 412 or 409; the winner's body stays."""
    for round in range(8):
        answers = many(store, 8, lambda client, i: client.call("PUT", bucket, f"k{round}", headers={"if-none-match": "*"},
                                                               body=bytes([i]) * size))
        won = [i for i, a in enumerate(answers) if a.status == 200]
        assert len(won) == 1, [a.status for a in answers]
        assert all((a.status, a.code) in ((412, "PreconditionFailed"), (409, "ConditionalRequestConflict"))
                   for i, a in enumerate(answers) if i != won[0]), answers
        assert raw.call("GET", bucket, f"k{round}").body == bytes(won) * size


def test_no_lost_update(store, raw, bucket):
    """Compare-and-swap loops over one counter: every acknowledged increment is in it."""
    raw.call("PUT", bucket, "n", body=b"0")

    def add(client, i):
        done = 0
        while done < 15:
            got = client.call("GET", bucket, "n")
            answer = client.call("PUT", bucket, "n", headers={"if-match": got.headers["etag"]}, body=b"%d" % (int(got.body) + 1))
            assert answer.status in (200, 409, 412), answer
            done += answer.status == 200
    many(store, 6, add)
    assert raw.call("GET", bucket, "n").body == b"90"
