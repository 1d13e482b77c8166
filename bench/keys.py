"""Large buckets: pages of listings, the start, memory that is idle, connections that are idle."""
import os
import re
import resource
import socket
import statistics
import time

from contender import BUCKET, CREATE, Caisson


def walk(contender, bucket, prefix, delimiter, seconds):
    """Rows a second, ms a page (median)."""
    client, rows, token, pages, began = contender.client(), 0, None, [], time.monotonic()
    while time.monotonic() - began < seconds:
        query = {"list-type": 2, "prefix": prefix, "delimiter": delimiter, "continuation-token": token}
        before = time.monotonic()
        answer = client.call("GET", bucket, query={n: v for n, v in query.items() if v})
        pages.append((time.monotonic() - before) * 1000)
        assert answer.status == 200, answer
        rows += answer.body.count(b"<Contents>") + answer.body.count(b"<CommonPrefixes>")
        found = re.search(rb"<NextContinuationToken>([^<]+)", answer.body)
        token = found.group(1).decode() if found else None
    client.close()
    return rows / (time.monotonic() - began), statistics.median(pages)


def lists(table, arguments, caisson, counts):
    """The same pages in buckets that grow tenfold. The first of them is the reference."""
    forms = (("pages of 1000 keys", "all/", None, 200000), ("1000 prefixes a page", "all/", "/", None),
             ("one prefix, one seek", "", "/", None))
    for label, prefix, delimiter, least in forms:
        first = None
        for count in counts:
            if count < 10 ** 6 and delimiter and prefix:
                continue		# less than a page of prefixes
            before, results = caisson.cpu_seconds(), []
            for _ in range(arguments.rounds):
                results.append(walk(caisson, f"bench-{count}", prefix, delimiter, arguments.seconds))
            rows = sum(r[0] for r in results) * arguments.seconds
            cpu = f"{(caisson.cpu_seconds() - before) / rows * 1e6:.2f} us/row"
            page = statistics.median(r[1] for r in results)
            first = first or page
            table.add(f"LIST {label}", "caisson", "rows/s", [r[0] for r in results], least=least, cpu=cpu,
                      note=f"among {count:,} keys: {page:.2f} ms a page", peak=caisson.peak_mib())
            table.add(f"LIST {label}, time", "caisson", "ms", [r[1] for r in results], reference=first, ratio_most=1.5,
                      note=f"among {count:,} keys, against {counts[0]:,}")


def idle_connections(table, caisson, count):
    """Keep-alive connections that have had an answer each."""
    path, before, sockets = caisson.path("HEAD", "nothing"), caisson.memory_mib("RssAnon"), []
    head = f"HEAD {path} HTTP/1.1\r\nHost: {caisson.host}:{caisson.port}\r\n\r\n".encode()
    for _ in range(count):
        s = socket.create_connection((caisson.host, int(caisson.port)))
        s.sendall(head)
        assert b" 404 " in s.recv(4096)
        sockets.append(s)
    more = caisson.memory_mib("RssAnon") - before
    for s in sockets:
        s.close()
    table.add(f"{count:,} idle connections", "caisson", "KiB each", [max(more, 0) * 1024 / count], most=16, note="without the kernel's buffers")


def run(table, arguments, folder):
    """A store of its own. The largest bucket is loaded last, for the start and the idle memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    connections = min(10000, hard - 1000) if not arguments.short else 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * connections + 1000), hard))
    counts = [10 ** n for n in range(3, 12) if 10 ** n <= arguments.keys]
    caisson = Caisson(arguments, os.path.join(folder, "keys"))
    try:
        client = caisson.client()
        for count in counts:
            assert client.call("PUT", f"bench-{count}", body=CREATE).status == 200
        client.close()
        for count in counts:
            caisson.load(f"bench-{count}", count)
            starts = [caisson.start()]
        starts += [caisson.restart() for _ in range(2)]
        table.add("start", "caisson", "s", starts, most=2, note=f"with {sum(counts):,} objects, to the line that says ready")
        lists(table, arguments, caisson, counts)
        cache = caisson.metric("caisson_index_memory_bytes") / (1 << 20)
        rss = caisson.memory_mib("VmRSS")
        table.add("memory after listing all that", "caisson", "MiB", [rss - cache], most=64, peak=caisson.peak_mib(),
                  note=f"resident {rss:.0f} MiB, without {cache:.0f} MiB of caches of the index")
        idle_connections(table, caisson, connections)
    finally:
        caisson.store.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
