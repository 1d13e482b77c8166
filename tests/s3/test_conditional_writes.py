"""Races of conditional writes other than PUT: exactly one wins, nothing is lost. test_conditions.py has those of PUT."""
import concurrent.futures
import threading

from s3lib import Client
from uploads import Upload, text

LOST = ((412, "PreconditionFailed"), (409, "ConditionalRequestConflict"))


def together(store, works):
    """All at once, each with a connection of its own. Answers in order."""
    barrier = threading.Barrier(len(works))

    def one(work):
        client = Client(store.host, store.port, store.key, store.secret)
        try:
            client.call("GET", "t-none")		# connected
            barrier.wait()
            return work(client)
        finally:
            client.close()
    with concurrent.futures.ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(one, works))


def one_won(answers):
    won = [i for i, a in enumerate(answers) if a.status == 200]
    assert len(won) == 1, answers
    assert all((a.status, a.code) in LOST for i, a in enumerate(answers) if i != won[0]), answers
    return won[0]


def put(bucket, key, body, **headers):
    return lambda c: c.call("PUT", bucket, key, body=body, headers={n.replace("_", "-"): v for n, v in headers.items()})


def test_complete_if_absent(store, raw, bucket):
    """Six uploads of one key end at once."""
    for round in range(5):
        uploads = [Upload(raw, bucket, f"k{round}") for _ in range(6)]
        for n, upload in enumerate(uploads):
            upload.put(1, b"%d" % n)

        def work(upload):
            def run(client):
                upload.raw = client
                return upload.complete(if_none_match="*")
            return run
        won = one_won(together(store, [work(u) for u in uploads]))
        assert raw.call("GET", bucket, f"k{round}").body == b"%d" % won


def test_one_upload_completed_by_many(store, raw, bucket):
    """The same upload, the same list: every answer is the same success, and one object comes of it."""
    upload = Upload(raw, bucket, "k")
    upload.put(1, b"body")

    def work(client):
        twin = object.__new__(Upload)
        twin.__dict__.update(upload.__dict__, raw=client)
        return twin.complete()
    answers = together(store, [work] * 6)
    assert {a.status for a in answers} <= {200, 409}, answers
    assert 200 in {a.status for a in answers}
    assert len({text(a, "ETag") for a in answers if a.status == 200}) == 1
    assert raw.call("GET", bucket, "k").body == b"body"


def test_complete_against_abort(store, raw, bucket):
    for round in range(6):
        upload = Upload(raw, bucket, f"k{round}")
        upload.put(1, b"body")

        def twin(client):
            other = object.__new__(Upload)
            other.__dict__.update(upload.__dict__, raw=client)
            return other
        done, gone = together(store, [lambda c: twin(c).complete(), lambda c: twin(c).abort()])
        assert (done.status, gone.status) in ((200, 404), (404, 204)), (done, gone)
        assert raw.call("GET", bucket, f"k{round}").status == done.status


def test_copy_if_absent(store, raw, bucket):
    for n in range(6):
        raw.call("PUT", bucket, f"s{n}", body=b"%d" % n * 20000)
    for round in range(5):
        answers = together(store, [put(bucket, f"k{round}", b"", x_amz_copy_source=f"{bucket}/s{n}", if_none_match="*") for n in range(6)])
        won = one_won(answers)
        assert raw.call("GET", bucket, f"k{round}").body == b"%d" % won * 20000


def test_rename_if_absent(store, raw, bucket):
    """Six sources to one name: five stay where they were."""
    for round in range(5):
        for n in range(6):
            raw.call("PUT", bucket, f"s{n}", body=b"%d" % n)

        def work(n):
            return lambda c: c.call("PUT", bucket, f"k{round}", query={"renameObject": ""},
                                    headers={"x-amz-rename-source": f"s{n}", "if-none-match": "*"})
        won = one_won(together(store, [work(n) for n in range(6)]))
        assert raw.call("GET", bucket, f"k{round}").body == b"%d" % won
        assert [raw.call("HEAD", bucket, f"s{n}").status for n in range(6)] == [404 if n == won else 200 for n in range(6)]


def test_rename_of_one_source(store, raw, bucket):
    """One source, six names: it goes to one of them."""
    for round in range(5):
        raw.call("PUT", bucket, "s", body=b"x")

        def work(n):
            return lambda c: c.call("PUT", bucket, f"r{round}-{n}", query={"renameObject": ""}, headers={"x-amz-rename-source": "s"})
        answers = together(store, [work(n) for n in range(6)])
        won = [n for n, a in enumerate(answers) if a.status == 200]
        assert len(won) == 1 and all(a.status in (200, 404, 409) for a in answers), answers
        assert [raw.call("HEAD", bucket, f"r{round}-{n}").status for n in range(6)] == [200 if n == won[0] else 404 for n in range(6)]


def test_swap_by_complete(store, raw, bucket):
    """A counter advanced by uploads that complete If-Match: no increment is lost."""
    raw.call("PUT", bucket, "n", body=b"0")

    def add(client):
        done = 0
        while done < 5:
            got = client.call("GET", bucket, "n")
            upload = Upload(client, bucket, "n")
            upload.put(1, b"%d" % (int(got.body) + 1))
            answer = upload.complete(if_match=got.headers["etag"])
            assert answer.status in (200, 409, 412), answer
            done += answer.status == 200
            if answer.status != 200:
                upload.abort()
    together(store, [add] * 4)
    assert raw.call("GET", bucket, "n").body == b"20"


def test_swap_by_copy(store, raw, bucket):
    """Copies of numbered objects onto one name, If-Match: it goes up one at a time."""
    for n in range(25):
        raw.call("PUT", bucket, f"v{n}", body=b"%d" % n)
    raw.call("PUT", bucket, "n", body=b"0")

    def add(client):
        done = 0
        while done < 5:
            got = client.call("GET", bucket, "n")
            answer = client.call("PUT", bucket, "n", headers={"x-amz-copy-source": f"{bucket}/v{int(got.body) + 1}",
                                                              "if-match": got.headers["etag"]})
            assert answer.status in (200, 409, 412), answer
            done += answer.status == 200
    together(store, [add] * 4)
    assert raw.call("GET", bucket, "n").body == b"20"
