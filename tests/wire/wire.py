"""Raw sockets: what no client library would send, and exactly what comes back."""
import contextlib
import re
import socket
import ssl
import struct
import time
import urllib.request

from s3lib import Client


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r}>"

    @property
    def code(self):
        found = re.search(rb"<Code>(.*?)</Code>", self.body)
        return found.group(1).decode() if found else None

    @property
    def closes(self):
        return self.headers.get("connection", "").lower() == "close"


class Wire:
    """One connection. read() gives an Answer, or None if the server closed (or reset) without a whole one."""

    def __init__(self, store, timeout=20, tls=None, source=None, receive_buffer=None):
        self.store = store
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(timeout)
        self.socket.connect((store.host, store.port))
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """True if all of it could be sent: the server may close early, and that is not the test's failure."""
        try:
            self.socket.sendall(data if isinstance(data, bytes) else data.encode())
            return True
        except (ConnectionError, ssl.SSLError):
            return False

    def more(self):
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return False
        self.pending += data
        return bool(data)

    def read(self, method="GET"):
        while b"\r\n\r\n" not in self.pending:
            if not self.more():
                return None
        head, self.pending = self.pending.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        status = int(re.match(r"HTTP/1\.1 (\d{3}) ", lines[0]).group(1))
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        if status == 100:
            return Answer(status, headers, b"")
        length = int(headers.get("content-length", "0"))
        if method == "HEAD" or status in (204, 304):
            length = 0
        while len(self.pending) < length:
            if not self.more():
                return None
        body, self.pending = self.pending[:length], self.pending[length:]
        return Answer(status, headers, body)

    def ask(self, data, method="GET"):
        self.send(data)
        return self.read(method)

    def reset(self):
        """Gone without a word of goodbye: RST in place of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def is_closed(self, timeout=10):
        """Nothing more comes but the end."""
        self.socket.settimeout(timeout)
        try:
            return not self.pending and self.socket.recv(1) == b""
        except (ConnectionError, ssl.SSLError):
            return not self.pending
        except TimeoutError:
            return False


def head(store, method, path, headers=None, query=None, payload="UNSIGNED-PAYLOAD", version="HTTP/1.1"):
    """A signed request head as bytes. Of headers, which are sent as given, those of Amazon's are signed too."""
    client = Client(store.host, store.port, store.key, store.secret)
    signed = {"x-amz-content-sha256": payload, **{n: str(v) for n, v in (headers or {}).items() if n.startswith("x-amz-")}}
    pairs = "&".join(f"{n}={v}" if v is not None else f"{n}=" for n, v in sorted((query or {}).items()))
    client.sign(method, path, pairs, signed)
    signed.update(headers or {})
    target = path + ("?" + pairs if pairs else "")
    return f"{method} {target} {version}\r\n".encode() + b"".join(f"{n}: {v}\r\n".encode("latin-1") for n, v in signed.items()) + b"\r\n"


def put(store, path, body, **headers):
    return head(store, "PUT", path, {"content-length": len(body), **headers}) + body


def resident_kib(store):
    with open(f"/proc/{store.process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))


def metric(store, name):
    """A number of the metrics page."""
    with urllib.request.urlopen(store.control + "/metrics", timeout=20) as page:
        return float(re.search(rf"^{name} (\S+)$", page.read().decode(), re.M).group(1))


def eventually(what, seconds=20):
    """what() becomes true in time. ASan on a busy machine is slow."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def nothing_held(store, ours=0):
    """No worker is with a request, and no connection is left but those of the test that idle."""
    eventually(lambda: metric(store, "caisson_workers_busy") == 0 and metric(store, "caisson_connections") <= ours)


@contextlib.contextmanager
def memory_is_flat(store, grow_kib=16384):
    """Whatever happens inside may not make the server larger for good."""
    before = resident_kib(store)
    yield
    after = resident_kib(store)
    assert after < before + grow_kib, f"grew from {before} to {after} KiB"


def is_well(store):
    """Another client is served as ever."""
    with Wire(store) as wire:
        answer = wire.ask(head(store, "GET", "/"))
        assert answer is not None and answer.status == 200 and b"ListAllMyBucketsResult" in answer.body, answer
