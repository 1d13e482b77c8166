"""Background work: how fast it goes, and what it does to reads."""
import base64
import hashlib
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


def one_pass(caisson, job, timeout=600):
    """Just started: waits for the end of the first pass. Gives what it has looked at, done, and the bytes, all a second."""
    name = lambda what: f'caisson_job_{what}{{job="{job}"}}'
    began = time.monotonic()
    deadline = began + timeout
    while time.monotonic() < deadline:
        before, m = time.monotonic(), caisson.metrics()
        if m[name("seen_total")] == 0:
            began = before
        elif m[name("passes_total")] > 0:
            seconds = time.monotonic() - began
            return [m[name(what)] / seconds for what in ("seen_total", "done_total", "bytes_total")]
        time.sleep(0.01)
    raise RuntimeError(f"no pass of {job} in {timeout} s")


def judging(table, arguments, caisson, keys):
    client = caisson.client()
    for bucket, days in (("kept", 3650), ("expiring", 1)):
        assert client.call("PUT", bucket, body=CREATE).status == 200
        lifecycle(client, bucket, days)
    client.close()
    caisson.load("kept", keys)
    caisson.start("--lifecycle-interval", "100")
    seen, _, _ = one_pass(caisson, "lifecycle")
    table.add("lifecycle judges", "caisson", "keys/s", [seen], least=500000, note=f"{keys:,} keys of which none is due")
    caisson.load("expiring", keys // 4, age_days=10)
    caisson.start("--lifecycle-interval", "100")
    _, done, _ = one_pass(caisson, "lifecycle")
    table.add("lifecycle expires", "caisson", "keys/s", [done], least=20000, note=f"{keys // 4:,} objects due, durably")


def scrub(table, caisson):
    caisson.restart("--scrub-interval", "100")
    seen, _, size = one_pass(caisson, "scrub")
    table.add("scrub", "caisson", "items/s", [seen], note=f"{size / MIB:.0f} MiB/s of blobs beside")


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
            if state == "on":
                thread.start()
            # 256 connections that wait after each answer: about half of what 64 that do not wait reach.
            results[state].append(wrk(caisson, links, arguments.seconds, 256, delay_ms=max(1, round(256 / (full / 2) * 1000))))
            stop.set()
            if state == "on":
                thread.join()
    reference = statistics.median(r["p99_ms"] for r in results["off"])
    for state, done in results.items():
        table.add(f"GET 4 KiB half load, jobs {state}", "caisson", "ms p99", [r["p99_ms"] for r in done], reference=reference,
                  ratio_most=1.25 if state == "on" else None, peak=caisson.peak_mib(),
                  note=f"{statistics.median(r['rate'] for r in done):.0f} req/s" + (f" beside {', '.join(jobs)}, overwrites" if state == "on" else ""))


def run(table, arguments, folder):
    caisson = Caisson(arguments, os.path.join(folder, "background"))
    try:
        judging(table, arguments, caisson, 10000 if arguments.short else 1000000)
        names = [key.split('"')[1] for key in caisson.metrics() if key.startswith("caisson_job_passes_total{")]
        if "scrub" in names:
            scrub(table, caisson)
        half_load(table, arguments, caisson, ["reap" if n == "reaper" else n for n in names])
    finally:
        caisson.store.stop()
