"""Fixed workloads side by side in one run: Caisson, nginx with sendfile, the raw index engine, any other S3 endpoint.

    make bench
    tools/bench --seconds 5 --rounds 3 --peer garage=http://127.0.0.1:3900,KEY,SECRET

Contenders of one workload take turns, round by round, since machines are noisy: compare ratios, not absolute numbers. Load comes from
wrk with presigned URLs. Prints a table, writes bench/out/bench.json and bench/out/bench.svg. Nothing timed here gates CI.
"""
import argparse
import hashlib
import json
import mmap
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TOP, "tests"), os.path.join(TOP, "bench")]

from presign import Presigner  # noqa: E402
from s3lib import Client  # noqa: E402
from store import Store  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
BUCKET = "bench"
CREATE = b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint></CreateBucketConfiguration>"
MIB = 1 << 20


class Contender:
    """Something that serves. pids: what to count CPU and memory of."""

    def __init__(self, name, url, pids=(), key=None, secret=None, stop=lambda: None):
        self.name, self.url, self.pids, self.key, self.secret, self.stop = name, url, list(pids), key, secret, stop
        self.host, self.port = re.match(r"https?://([^:/]+):(\d+)", url).groups()

    def client(self):
        return Client(self.host, int(self.port), self.key, self.secret, timeout=120)

    def paths(self, method, keys):
        """Request targets: presigned where there are credentials."""
        if not self.key:
            return [f"/{BUCKET}/{k}" for k in keys]
        presigner = Presigner(f"{self.host}:{self.port}", self.key, self.secret)
        return [presigner.path(method, f"/{BUCKET}/{k}") for k in keys]

    def cpu_seconds(self):
        total = 0
        for pid in self.pids:
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def peak_mib(self):
        """Peak resident memory, or None for a peer whose processes are not ours."""
        total = 0
        for pid in self.pids:
            with open(f"/proc/{pid}/status") as status:
                total += int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1))
        return total / 1024 or None


def start_nginx(root, folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf = os.path.join(folder, "nginx.conf")
    with open(conf, "w") as out:
        out.write(f"""daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/error.log; user root;
events {{ worker_connections 2048; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; open_file_cache max=4096; {temporary}
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
""")
    process = subprocess.Popen(["nginx", "-c", conf], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    workers = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()

    def stop():
        process.send_signal(signal.SIGTERM)
        process.wait()
    return Contender("nginx", f"http://127.0.0.1:{port}", [process.pid, *map(int, workers)], stop=stop)


def wrk(contender, paths, seconds, connections, method="GET", body=0):
    """Rates a second, latencies in ms, totals."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listing:
        listing.write("\n".join(paths) + "\n")
        listing.flush()
        environment = {**os.environ, "BENCH_PATHS": listing.name, "BENCH_METHOD": method, "BENCH_BODY": str(body)}
        done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s", "-s",
                               os.path.join(TOP, "bench", "paths.lua"), contender.url], capture_output=True, text=True, env=environment)
    found = re.search(r"RESULT requests=(\d+) bytes=(\d+) micros=(\d+) p50=(\d+) p99=(\d+) errors=(\d+)", done.stdout)
    if not found:
        raise RuntimeError(done.stdout + done.stderr)
    requests, size, micros, p50, p99, errors = map(int, found.groups())
    return {"rate": requests / micros * 1e6, "MiB": size / micros * 1e6 / MIB, "p50_ms": p50 / 1e3, "p99_ms": p99 / 1e3,
            "errors": errors, "requests": requests, "GiB": size / (1 << 30)}


class Table:
    def __init__(self):
        self.rows = []

    def add(self, workload, unit, who, values, cpu="", peak=None, reference=None, target=None, note=""):
        median = statistics.median(values)
        self.rows.append({"workload": workload, "contender": who, "unit": unit, "median": median, "runs": values, "cpu": cpu,
                          "peak_mib": peak, "ratio": median / reference if reference else None, "target": target, "note": note})

    def show(self):
        print(f"\n{'workload':30} {'who':12} {'median':>11} {'unit':7} {'ratio':>6} {'target':>7} {'CPU':>15} {'peak MiB':>9}  runs")
        for r in self.rows:
            number = lambda value, form: format(value, form) if value is not None else ""
            print(f"{r['workload']:30} {r['contender']:12} {r['median']:11.1f} {r['unit']:7} {number(r['ratio'], '.2f'):>6} "
                  f"{number(r['target'], '.2f'):>7} {r['cpu']:>15} {number(r['peak_mib'], '.0f'):>9}  "
                  f"[{' '.join(f'{v:.0f}' for v in r['runs'])}] {r['note']}")

    def svg(self, path):
        bars = [r for r in self.rows if r["ratio"] is not None]
        out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{22 * len(bars) + 40}" font-family="sans-serif" font-size="12">',
               '<text x="10" y="18">ratio to the reference of the same run (line: target)</text>']
        for i, r in enumerate(bars):
            y, width = 30 + 22 * i, min(r["ratio"], 2.5) * 200
            out.append(f'<text x="10" y="{y + 13}">{r["workload"]} {r["contender"]}</text>'
                       f'<rect x="320" y="{y}" width="{width:.0f}" height="16" fill="#4a7ebb"/>'
                       f'<text x="{325 + width:.0f}" y="{y + 13}">{r["ratio"]:.2f}</text>')
            if r["target"]:
                x = 320 + r["target"] * 200
                out.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{y - 2}" y2="{y + 18}" stroke="#c00"/>')
        with open(path, "w") as file:
            file.write("\n".join(out + ["</svg>"]))


def turns(contenders, rounds, run):
    """Each contender in turn, round by round: name -> results, name -> CPU seconds."""
    results, cpu = {c.name: [] for c in contenders}, {c.name: 0.0 for c in contenders}
    for _ in range(rounds):
        for contender in contenders:
            before = contender.cpu_seconds()
            results[contender.name].append(run(contender))
            cpu[contender.name] += contender.cpu_seconds() - before
    return results, cpu


def note_of(results):
    errors = sum(r["errors"] for r in results)
    return f"p50 {statistics.median(r['p50_ms'] for r in results):.2f} p99 {statistics.median(r['p99_ms'] for r in results):.1f} ms" + \
        (f", {errors} ERRORS" if errors else "")


def gets(table, contenders, arguments, size, label, connections, count, target):
    keys = [f"g{size}-{i}" for i in range(count)]
    links = {c.name: c.paths("GET", keys) for c in contenders}
    results, cpu = turns(contenders, arguments.rounds, lambda c: wrk(c, links[c.name], arguments.seconds, connections))
    measure, unit = ("MiB", "MiB/s") if size >= MIB else ("rate", "req/s")
    reference = statistics.median(r[measure] for r in results["nginx"]) if "nginx" in results else None
    for c in contenders:
        done = results[c.name]
        work = sum(r["GiB"] for r in done) if size >= MIB else sum(r["requests"] for r in done) / 1000
        spent = f"{cpu[c.name] / work:.3f} s/{'GiB' if size >= MIB else 'kreq'}" if c.pids and work else ""
        table.add(f"GET {label} c{connections}", unit, c.name, [r[measure] for r in done], spent, c.peak_mib(), reference,
                  target if c.name == "caisson" else None, note_of(done))


def small_puts(table, contenders, arguments, folder):
    serial = iter(range(1000))

    def run(contender):
        tag = next(serial)
        links = contender.paths("PUT", [f"p{tag}/{i}" for i in range(arguments.seconds * 12000)])
        return wrk(contender, links, arguments.seconds, 32, "PUT", 4096)
    results, cpu = turns(contenders, arguments.rounds, run)
    raw = []
    for i in range(arguments.rounds):
        where = os.path.join(folder, f"raw-{i}")
        done = subprocess.run([os.path.join(TOP, arguments.build, "bench", "raw_kv"), where, "32", "4500", str(arguments.seconds)],
                              capture_output=True, text=True, check=True)
        raw.append(float(re.search(r"([\d.]+) commits/s", done.stdout).group(1)))
        shutil.rmtree(where)
    table.add("PUT 4 KiB c32", "req/s", "raw index", raw, note="synced commits of 4.5 KB from 32 threads")
    for c in contenders:
        done = results[c.name]
        spent = f"{cpu[c.name] / sum(r['requests'] for r in done) * 1000:.3f} s/kreq" if c.pids else ""
        table.add("PUT 4 KiB c32", "req/s", c.name, [r["rate"] for r in done], spent, c.peak_mib(), statistics.median(raw),
                  0.5 if c.name == "caisson" else None, note_of(done))


def md5_speed():
    block, total, began = b"x" * MIB, 0, time.monotonic()
    digest = hashlib.md5()
    while time.monotonic() - began < 0.5:
        digest.update(block)
        total += 1
    return total / (time.monotonic() - began)


def disk_speed(folder):
    path, memory = os.path.join(folder, "disk-speed"), mmap.mmap(-1, MIB)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_DIRECT)
    began = time.monotonic()
    for _ in range(256):
        os.write(fd, memory)
    os.fdatasync(fd)
    spent = time.monotonic() - began
    os.close(fd)
    os.unlink(path)
    return 256 / spent


def large_puts(table, contenders, arguments, folder):
    size = 64 * MIB
    source = os.path.join(folder, "large")
    with open(source, "wb") as out:
        out.write(os.urandom(size))
    speeds, cpu, walls = {c.name: [] for c in contenders}, {c.name: 0.0 for c in contenders}, []
    for i in range(arguments.rounds * 3):
        walls.append(min(md5_speed(), disk_speed(folder)))
        for c in contenders:
            path = c.paths("PUT", [f"large{i}"])[0]
            before, began = c.cpu_seconds(), time.monotonic()
            subprocess.run(["curl", "-sSf", "-H", "Expect:", "-T", source, "-o", "/dev/null", c.url + path], check=True)
            speeds[c.name].append(64 / (time.monotonic() - began))
            cpu[c.name] += c.cpu_seconds() - before
    table.add("PUT 64 MiB c1", "MiB/s", "wall", walls, note="the slower of MD5 and the disk (O_DIRECT)")
    for c in contenders:
        spent = f"{cpu[c.name] / (len(speeds[c.name]) / 16):.3f} s/GiB" if c.pids else ""
        table.add("PUT 64 MiB c1", "MiB/s", c.name, speeds[c.name], spent, c.peak_mib(), statistics.median(walls),
                  0.85 if c.name == "caisson" else None)


def lists(table, contenders, arguments):
    for c in contenders:
        client = c.client()
        for prefix, delimiter in (("p0/", None), ("", "/")):
            speeds = []
            for _ in range(arguments.rounds):
                rows, began, token = 0, time.monotonic(), None
                while time.monotonic() - began < arguments.seconds:
                    query = {"list-type": 2, "prefix": prefix, "delimiter": delimiter, "continuation-token": token}
                    answer = client.call("GET", BUCKET, query={n: v for n, v in query.items() if v})
                    rows += answer.body.count(b"<Contents>") + answer.body.count(b"<CommonPrefixes>")
                    found = re.search(rb"<NextContinuationToken>([^<]+)", answer.body)
                    token = found.group(1).decode() if found else None
                speeds.append(rows / (time.monotonic() - began))
            table.add(f"LIST prefix={prefix or '-'} delimiter={delimiter or '-'}", "rows/s", c.name, speeds, "", c.peak_mib())
        client.close()


def constant_time(table, contenders, arguments):
    """Copy and rename in milliseconds, small and large."""
    for c in contenders:
        client = c.client()
        client.call("PUT", BUCKET, "tiny", body=b"x" * 1024)
        for label, key in (("1 KiB", "tiny"), ("64 MiB", f"g{64 * MIB}-0")):
            timed = {"COPY": [], "RENAME": []}
            for i in range(60):
                calls = {"COPY": ({}, {"x-amz-copy-source": f"/{BUCKET}/{key}"}),
                         "RENAME": ({"renameObject": ""}, {"x-amz-rename-source": "copied"})}
                for name, (query, headers) in calls.items():
                    if name == "RENAME" and c.name != "caisson":
                        continue
                    began = time.monotonic()
                    answer = client.call("PUT", BUCKET, "copied" if name == "COPY" else f"renamed{i}", query=query, headers=headers)
                    timed[name].append((time.monotonic() - began) * 1000)
                    assert answer.status == 200, answer
            for name, spent in timed.items():
                if spent:
                    table.add(f"{name} {label}", "ms", c.name, [statistics.median(spent), statistics.median(spent), max(spent)],
                              note="median, median, worst of 60")
        client.close()


def peer(text):
    name, rest = text.split("=", 1)
    url, key, secret = rest.split(",")
    return Contender(name, url, key=key, secret=secret)


def prepare(stores, folder, sizes):
    for c in stores:
        client = c.client()
        client.call("PUT", BUCKET, body=CREATE)
        for size, count, *_ in sizes.values():
            for i in range(count):
                body = os.urandom(size)
                answer = client.call("PUT", BUCKET, f"g{size}-{i}", body=body)
                assert answer.status == 200, answer
                with open(os.path.join(folder, "root", BUCKET, f"g{size}-{i}"), "wb") as file:
                    file.write(body)
        client.close()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--seconds", type=int, default=4, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", type=peer, action="append", default=[], metavar="NAME=URL,KEY,SECRET")
    parser.add_argument("--data", help="folder for data, on the disk to be measured (default: bench/data)")
    parser.add_argument("--only", default="", help="get, put, list or copy")
    arguments = parser.parse_args(argv)
    folder = os.path.abspath(arguments.data or os.path.join(TOP, "bench", "data"))
    shutil.rmtree(folder, ignore_errors=True)
    for each in ("root/" + BUCKET, "store", "nginx"):
        os.makedirs(os.path.join(folder, each))
    store = Store(arguments.build, data=os.path.join(folder, "store"))
    stores = [Contender("caisson", store.url, [store.process.pid], store.key, store.secret, store.stop), *arguments.peer]
    nginx = [start_nginx(os.path.join(folder, "root"), os.path.join(folder, "nginx"))] if shutil.which("nginx") else []
    sizes = {"4 KiB": (4096, 500, 64, 0.6), "64 KiB": (65536, 100, 64, None), "64 MiB": (64 * MIB, 2, 4, 0.9)}
    table, out = Table(), os.path.join(TOP, "bench", "out")
    try:
        prepare(stores, folder, sizes)
        if arguments.only in ("", "get"):
            for label, (size, count, connections, target) in sizes.items():
                gets(table, stores + nginx, arguments, size, label, connections, count, target)
        if arguments.only in ("", "put", "list"):
            small_puts(table, stores, arguments, folder)
        if arguments.only in ("", "put"):
            large_puts(table, stores, arguments, folder)
        if arguments.only in ("", "list"):
            lists(table, stores, arguments)
        if arguments.only in ("", "copy"):
            constant_time(table, stores, arguments)
        table.show()
        os.makedirs(out, exist_ok=True)
        with open(os.path.join(out, "bench.json"), "w") as file:
            json.dump(table.rows, file, indent=1)
        table.svg(os.path.join(out, "bench.svg"))
        print(f"\nwritten: {os.path.relpath(out)}/bench.json, bench.svg")
    finally:
        for c in stores + nginx:
            c.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return table


if __name__ == "__main__":
    main()
