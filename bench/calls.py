"""Calls that take constant time: copy, complete, rename at 1 KiB (one part) and at 5 GiB (80 parts)."""
import re
import time

from contender import BUCKET, MIB
from writes import start_upload


def p99(times):
    return sorted(times)[int(len(times) * 0.99)]


def ok(answer):
    assert answer.status == 200 and b"<Error>" not in answer.body, answer
    return answer


def timed(into, *call, **named):
    """The client's connection as it is: one call, its ms."""
    function, *rest = call
    began = time.monotonic()
    answer = ok(function(*rest, **named))
    into.append((time.monotonic() - began) * 1000)
    return answer


def complete(client, key, source, count, into):
    """An upload of so many parts, each a copy of source: their bytes are shared. Only its completion is timed."""
    upload, parts = start_upload(client, key), []
    for n in range(1, count + 1):
        answer = ok(client.call("PUT", BUCKET, key, query={"partNumber": n, "uploadId": upload},
                                headers={"x-amz-copy-source": f"/{BUCKET}/{source}"}))
        etag = re.search(rb"&quot;(\w+)&quot;", answer.body).group(1).decode()
        parts.append(f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>")
    body = f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>"
    timed(into, client.call, "POST", BUCKET, key, query={"uploadId": upload}, body=body.encode())


def run(table, arguments, stores):
    times, gib = (30, 1) if arguments.short else (400, 5)
    for c in stores:
        client, first = c.client(), {}
        ok(client.call("PUT", BUCKET, "tiny", body=b"x" * 1024))
        ok(client.call("PUT", BUCKET, "block", body=b"\xa5" * (64 * MIB)))
        complete(client, "huge", "block", gib * 16, [])
        for label, source, part, parts in (("1 KiB", "tiny", "tiny", 1), (f"{gib} GiB", "huge", "block", gib * 16)):
            spent = {"CopyObject": [], "CompleteMultipartUpload": [], "RenameObject": []}
            for _ in range(times):
                timed(spent["CopyObject"], client.call, "PUT", BUCKET, "copy", headers={"x-amz-copy-source": f"/{BUCKET}/{source}"})
            for _ in range(times):
                complete(client, "completed", part, parts, spent["CompleteMultipartUpload"])
            for i in range(times if c.name == "caisson" else 0):
                timed(spent["RenameObject"], client.call, "PUT", BUCKET, f"name{i}", query={"renameObject": ""},
                      headers={"x-amz-rename-source": f"name{i - 1}" if i else "copy"})
            for call, ms in spent.items():
                if not ms:
                    continue
                table.add(f"{call} {label}", c.name, "ms p99", [p99(ms)], reference=first.setdefault(call, p99(ms)),
                          most=5 if c.name == "caisson" else None, ratio_most=2 if c.name == "caisson" else None,
                          note=f"median {sorted(ms)[len(ms) // 2]:.2f} of {len(ms)}; ratio to 1 KiB")
            if c.name == "caisson":
                ok(client.call("PUT", BUCKET, f"name{times - 1}", body=b""))
        client.close()
