"""Background work: how fast it goes, and what it does to reads."""
import base64
import datetime
import hashlib
import json
import os
import statistics
import threading
import time

from contender import BUCKET, CREATE, MIB, Caisson, wrk

RULE = ("<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>"
        "<Expiration><Days>{}</Days></Expiration></Rule></LifecycleConfiguration>")


def lifecycle(client, bucket, days):
    body = RULE.format(days).encode()
    answer = client.call("PUT", bucket, query={"lifecycle": ""}, body=body,
                         headers={"content-md5": base64.b64encode(hashlib.md5(body).digest()).decode()})
    assert answer.status == 200, answer


def one_pass(caisson, job, passes=1, timeout=600):
    """Waits for the end of that pass since the start. Gives what it has seen, done, and the bytes, a second of its own time."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        j = json.loads(caisson.control("GET", f"/v1/caisson/job/{job}"))["job"]
        if j["passes"] >= passes:
            began, ended = (datetime.datetime.fromisoformat(j[name].replace("Z", "+00:00")) for name in ("passBegan", "passEnded"))
            seconds = max((ended - began).total_seconds(), 0.001)
            return j["passSeen"] / seconds, j["done"] / seconds, j["bytes"] / seconds
        time.sleep(0.05)
    raise RuntimeError(f"no pass of {job} in {timeout} s")


def judging(table, arguments, caisson, keys):
    client = caisson.client()
    for bucket, days in (("kept", 3650), ("expiring", 1)):
        assert client.call("PUT", bucket, body=CREATE).status == 200
        lifecycle(client, bucket, days)
    client.close()
    caisson.load("kept", keys)
    caisson.start()
    seen, _, _ = one_pass(caisson, "lifecycle")
    table.add("lifecycle judges", "caisson", "keys/s", [seen], least=500000, note=f"{keys:,} keys of which none is due")
    caisson.load("expiring", keys // 4, age_days=10)
    caisson.start()
    _, done, _ = one_pass(caisson, "lifecycle")
    table.add("lifecycle expires", "caisson", "keys/s", [done], least=20000, note=f"{keys // 4:,} objects due, durably")


def scrub(table, caisson, keys, mib):
    """First of rows alone, then of a few large blobs too."""
    for label, blobs in (("rows", 0), ("blobs", 4)):
        client = caisson.client()
        for i in range(blobs):
            assert client.call("PUT", BUCKET, f"large{i}", body=os.urandom(mib * MIB)).status == 200
        client.close()
        caisson.restart("--scrub-interval", "0", "--scrub-rate", "0", "--lifecycle-interval", "86400000")
        caisson.control("POST", "/v1/caisson/job/scrub/run")
        _, done, size = one_pass(caisson, "scrub")
        if blobs:
            table.add("scrub, blobs", "caisson", "MiB/s", [size / MIB], note=f"{blobs} of {mib} MiB, and all rows again")
        else:
            table.add("scrub, rows", "caisson", "rows/s", [done], note=f"{keys:,} objects whose bytes are in the index")


def churn(caisson, stop):
    """Work for the reaper: objects with blobs, overwritten."""
    client, body, i = caisson.client(), os.urandom(65536), 0
    while not stop.is_set():
        client.call("PUT", BUCKET, f"churn{i % 64}", body=body)
        i += 1
        time.sleep(0.02)
    client.close()


def half_load(table, arguments, caisson, jobs):
    client = caisson.client()
    for i in range(500):
        client.call("PUT", BUCKET, f"g{i}", body=os.urandom(4096))
    client.close()
    busy = [f for job in jobs for f in (f"--{job}-interval", "1000" if job == "sweep" else "100")] + ["--reap-grace", "1000"]
    full, results = None, {"off": [], "on": []}
    for _ in range(arguments.rounds):
        for state in results:
            caisson.restart(*(busy if state == "on" else []))
            links = caisson.paths("GET", [f"g{i}" for i in range(500)])
            full = full or wrk(caisson, links, 2, 64)["rate"]
            stop = threading.Event()
            thread = threading.Thread(target=churn, args=(caisson, stop))
            thread.start()		# in both: the same requests, with and without the jobs
            # 256 connections that wait after each answer: about half of what 64 that do not wait reach.
            results[state].append(wrk(caisson, links, arguments.seconds, 256, delay_ms=max(1, round(256 / (full / 2) * 1000))))
            stop.set()
            thread.join()
    reference = statistics.median(r["p99_ms"] for r in results["off"])
    for state, done in results.items():
        beside = ", ".join(["overwrites"] + (jobs if state == "on" else []))
        table.add(f"GET 4 KiB half load, jobs {state}", "caisson", "ms p99", [r["p99_ms"] for r in done], reference=reference,
                  ratio_most=1.25 if state == "on" else None, peak=caisson.peak_mib(),
                  note=f"{statistics.median(r['rate'] for r in done):.0f} req/s beside {beside}")


def run(table, arguments, folder):
    caisson = Caisson(arguments, os.path.join(folder, "background"))
    try:
        keys = 10000 if arguments.short else 1000000
        judging(table, arguments, caisson, keys)
        scrub(table, caisson, keys, 8 if arguments.short else 256)
        half_load(table, arguments, caisson, ["reap", "sweep", "lifecycle", "scrub"])
    finally:
        caisson.store.stop()
