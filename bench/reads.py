"""GETs: against nginx with the same bytes in files, without any authentication. SSE-C: against nginx reading through user space."""
import base64
import hashlib
import os
import statistics

from contender import BUCKET, MIB, note_of, turns, wrk

SSE_KEY = bytes(range(32))
SSE = {"x-amz-server-side-encryption-customer-algorithm": "AES256",
       "x-amz-server-side-encryption-customer-key": base64.b64encode(SSE_KEY).decode(),
       "x-amz-server-side-encryption-customer-key-md5": base64.b64encode(hashlib.md5(SSE_KEY).digest()).decode()}


def put(client, key, body, headers=None):
    answer = client.call("PUT", BUCKET, key, body=body, headers=headers)
    assert answer.status == 200, answer


def sizes(arguments):
    """label -> bytes, objects, connections, share of nginx that is wanted"""
    large = 64 if not arguments.short else 8
    return {"4 KiB": (4096, 500, 64, 0.6), "64 KiB": (65536, 100, 64, None), f"{large} MiB": (large * MIB, 2, 4, 0.9)}


def prepare(arguments, stores, root):
    for c in stores:
        client = c.client()
        for size, count, *_ in sizes(arguments).values():
            for i in range(count):
                body = os.urandom(size)
                put(client, f"g{size}-{i}", body)
                with open(os.path.join(root, BUCKET, f"g{size}-{i}"), "wb") as file:
                    file.write(body)
            if size > MIB and c.name == "caisson":
                put(client, f"s{size}-0", body, headers=SSE)
        client.close()


def one(table, arguments, label, contenders, links, size, connections, ratio_least, headers=()):
    """links: of each contender. The last contender is the reference, if there are several."""
    results, cpu = turns(contenders, arguments.rounds, lambda c: wrk(c, links[c.name], arguments.seconds, connections, headers=(
        headers if c.key else ())))
    measure, unit = ("MiB", "MiB/s") if size >= MIB else ("rate", "req/s")
    reference = statistics.median(r[measure] for r in results[contenders[-1].name]) if len(contenders) > 1 else None
    for c in reversed(contenders):
        done = results[c.name]
        work = sum(r["GiB"] for r in done) if size >= MIB else sum(r["requests"] for r in done) / 1000
        spent = f"{cpu[c.name] / work:.3f} s/{'GiB' if size >= MIB else 'kreq'}" if c.pids and work else ""
        table.add(f"GET {label} c{connections}", c.name, unit, [r[measure] for r in done], reference=reference,
                  ratio_least=ratio_least if c.name == "caisson" else None, cpu=spent, peak=c.peak_mib(), note=note_of(done))


def run(table, arguments, stores, nginx):
    for label, (size, count, connections, least) in sizes(arguments).items():
        contenders = stores + nginx[:1]
        links = {c.name: c.paths("GET", [f"g{size}-{i}" for i in range(count)]) for c in contenders}
        one(table, arguments, label, contenders, links, size, connections, least)
        if size < MIB:
            continue
        ours = [c for c in stores if c.name == "caisson"]
        links = {c.name: c.paths("GET", [f"s{size}-0" if c.key else f"g{size}-0"], headers=SSE if c.key else ())
                 for c in ours + nginx[1:]}
        one(table, arguments, label + " SSE-C", ours + nginx[1:], links, size, connections, 0.5, headers=SSE)
