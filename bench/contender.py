"""What is measured: something that serves, its processes, and load from wrk, sendfile and threads."""
import concurrent.futures
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
import urllib.request

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

    def path(self, method, key, query=(), headers=()):
        """A request target: presigned where there are credentials."""
        return self.paths(method, [key], query, headers)[0]

    def paths(self, method, keys, query=(), headers=()):
        if not self.key:
            return [f"/{BUCKET}/{k}" for k in keys]
        presigner = Presigner(f"{self.host}:{self.port}", self.key, self.secret, query=dict(query), headers=dict(headers))
        return [presigner.path(method, f"/{BUCKET}/{k}") for k in keys]

    def cpu_seconds(self):
        total = 0
        for pid in self.pids:
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def memory_mib(self, what):
        """VmHWM (the peak), VmRSS, RssAnon; None for a peer whose processes are not ours."""
        total = 0
        for pid in self.pids:
            with open(f"/proc/{pid}/status") as status:
                total += int(re.search(what + r":\s+(\d+)", status.read()).group(1))
        return total / 1024 or None

    def peak_mib(self):
        return self.memory_mib("VmHWM")


class Caisson(Contender):
    """Ours, with a store of its own under folder."""

    def __init__(self, arguments, folder, *flags):
        os.makedirs(folder, exist_ok=True)
        self.build = os.path.join(TOP, arguments.build)
        self.store = Store(arguments.build, *flags, data=folder)
        super().__init__("caisson", self.store.url, [self.store.process.pid], self.store.key, self.store.secret, self.store.stop)
        client = self.client()
        client.call("PUT", BUCKET, body=CREATE)
        client.close()

    def restart(self, *flags):
        """Gives the seconds until it is ready."""
        self.store.stop()
        return self.start(*flags)

    def start(self, *flags):
        began = time.monotonic()
        self.store.flags = list(flags)
        self.store.start()
        super().__init__("caisson", self.store.url, [self.store.process.pid], self.store.key, self.store.secret, self.store.stop)
        return time.monotonic() - began

    def load(self, bucket, count, age_days=0):
        """Stops, fills the bucket with keys through the index. To be started again."""
        self.store.stop()
        subprocess.run([os.path.join(self.build, "bench", "load_keys"), self.store.data, bucket, str(count), str(age_days)], check=True,
                       stdout=subprocess.DEVNULL)

    def control(self, method, path):
        request = urllib.request.Request(self.store.control + path, method=method, headers={"Authorization": f"Bearer {self.store.token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    def metric(self, name):
        return float(re.search(rf"^{name} (\S+)$", self.control("GET", "/metrics"), re.M).group(1))


def start_nginx(root, folder):
    """Two ways to serve the same files: by sendfile, and through user space."""
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf = os.path.join(folder, "nginx.conf")
    user = "user root;" if os.getuid() == 0 else ""
    with open(conf, "w") as out:
        out.write(f"""daemon off; worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/error.log; {user}
events {{ worker_connections 2048; }}
http {{
  access_log off; tcp_nopush on; keepalive_requests 1000000; open_file_cache max=4096; {temporary}
  server {{ listen 127.0.0.1:{ports[0]}; root {root}; sendfile on; }}
  server {{ listen 127.0.0.1:{ports[1]}; root {root}; sendfile off; output_buffers 2 512k; }}
}}
""")
    process = subprocess.Popen(["nginx", "-c", conf], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    workers = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()

    def stop():
        process.send_signal(signal.SIGTERM)
        process.wait()
    pids = [process.pid, *map(int, workers)]
    return (Contender("nginx", f"http://127.0.0.1:{ports[0]}", pids, stop=stop),
            Contender("nginx copying", f"http://127.0.0.1:{ports[1]}", pids))


def wrk(contender, paths, seconds, connections, method="GET", body=0, headers=(), delay_ms=0):
    """Rates a second, latencies in ms, totals."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listing:
        listing.write("\n".join(paths) + "\n")
        listing.flush()
        environment = {**os.environ, "BENCH_PATHS": listing.name, "BENCH_METHOD": method, "BENCH_BODY": str(body),
                       "BENCH_DELAY": str(delay_ms), "BENCH_HEADERS": "\n".join(f"{n}: {v}" for n, v in dict(headers).items())}
        done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s", "-s",
                               os.path.join(TOP, "bench", "paths.lua"), contender.url], capture_output=True, text=True, env=environment)
    found = re.search(r"RESULT requests=(\d+) bytes=(\d+) micros=(\d+) p50=(\d+) p99=(\d+) errors=(\d+)", done.stdout)
    if not found:
        raise RuntimeError(done.stdout + done.stderr)
    requests, size, micros, p50, p99, errors = map(int, found.groups())
    return {"rate": requests / micros * 1e6, "MiB": size / micros * 1e6 / MIB, "p50_ms": p50 / 1e3, "p99_ms": p99 / 1e3,
            "errors": errors, "requests": requests, "GiB": size / (1 << 30)}


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


def upload(contender, path, source):
    """Seconds. By sendfile: the client shall take as little as possible of the cores that it shares with what is measured."""
    head = f"PUT {path} HTTP/1.1\r\nHost: {contender.host}:{contender.port}\r\nContent-Length: {os.path.getsize(source)}\r\n\r\n"
    with open(source, "rb") as body, socket.create_connection((contender.host, int(contender.port)), timeout=120) as connection:
        began = time.monotonic()
        connection.sendall(head.encode())
        connection.sendfile(body)
        answer = connection.recv(65536)
        assert b" 200 " in answer.split(b"\r\n")[0], answer
        return time.monotonic() - began


def md5_speed(cores, seconds, clock=("-elapsed",)):
    """MiB/s of that many cores, by OpenSSL as we use it: another process each. Without -elapsed: a second of CPU."""
    def one(_):
        done = subprocess.run(["openssl", "speed", *clock, "-seconds", str(max(1, round(seconds))), "-bytes", "1048576", "-mr", "-evp", "md5"],
                              capture_output=True, text=True, check=True)
        return float(re.search(r"^\+F:\d+:[^:]+:([\d.]+)", done.stdout, re.M).group(1)) / MIB
    with concurrent.futures.ThreadPoolExecutor(cores) as pool:
        return sum(pool.map(one, range(cores)))


def disk_speed(folder, mib, writers=1):
    """MiB/s of so many files, written with O_DIRECT side by side and flushed."""
    def one(i):
        path, memory = os.path.join(folder, f"disk-speed{i}"), mmap.mmap(-1, MIB)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_DIRECT)
        for _ in range(mib):
            os.write(fd, memory)
        os.fdatasync(fd)
        os.close(fd)
        os.unlink(path)
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(writers) as pool:
        list(pool.map(one, range(writers)))
    return writers * mib / (time.monotonic() - began)


def peer(text):
    name, rest = text.split("=", 1)
    url, key, secret = rest.split(",")
    return Contender(name, url, key=key, secret=secret)


def has(program):
    return shutil.which(program) is not None
