"""What operators watch: metrics and everything that names them, the access log, what workers do."""
import json
import os
import re
import signal
import socket
import time
import urllib.parse

import pytest

from api import Api
from s3lib import Client
from store import TOP

LOCATION = {"LocationConstraint": "US-TEST-01A"}


def page(store):
    """name with labels -> value; and the names alone."""
    values, names = {}, set()
    for line in Api(store).raw("GET", "/metrics").text.splitlines():
        if line.startswith("# TYPE"):
            names.add(line.split()[2])
        elif not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            values[name] = float(value)
    return values, names | {n.split("{")[0] for n in values}


def test_every_name_in_use_is_on_the_page(new_store):
    """Dashboard, alarms and manual name metrics: each must be there once a store has done something."""
    store = new_store()
    s3 = store.client()
    s3.create_bucket(Bucket="named", CreateBucketConfiguration=LOCATION)
    for size in (100, 100000):
        s3.put_object(Bucket="named", Key=f"k{size}", Body=bytes(size))
        s3.get_object(Bucket="named", Key=f"k{size}")["Body"].read()
    _, names = page(store)
    used = {}
    for path in ("packaging/grafana/caisson.json", "packaging/prometheus/caisson.rules.yaml", "docs/operations.md"):
        with open(os.path.join(TOP, path)) as file:
            found = set(re.findall(r"\b(?:caisson|process)_[a-z0-9_]+", file.read()))
        assert len(found) > 5, path
        used.update({name: path for name in found})
    assert not {f"{name} ({path})" for name, path in used.items() if name not in names}


def test_alarms_are_explained():
    with open(os.path.join(TOP, "packaging/prometheus/caisson.rules.yaml")) as file:
        alarms = re.findall(r"alert: (\w+)", file.read())
    with open(os.path.join(TOP, "docs/operations.md")) as file:
        manual = file.read()
    assert len(alarms) > 5 and [a for a in alarms if f"| `{a}` |" not in manual] == []


def test_figures_follow_what_is_done(new_store):
    store = new_store()
    s3 = store.client()
    s3.create_bucket(Bucket="counted", CreateBucketConfiguration=LOCATION)
    before, _ = page(store)
    for i in range(10):
        s3.put_object(Bucket="counted", Key=f"k{i}", Body=bytes(50000))
    s3.get_object(Bucket="counted", Key="k0")["Body"].read()
    after, _ = page(store)
    grown = {n: after[n] - before.get(n, 0) for n in after}
    put = 'operation="PutObject"'
    assert grown[f'caisson_requests_total{{{put},status="2xx"}}'] == 10
    assert grown[f"caisson_request_bytes_total{{{put}}}"] == 500000
    assert grown[f"caisson_request_seconds_count{{{put}}}"] == 10
    assert grown[f'caisson_request_seconds_bucket{{{put},le="+Inf"}}'] == 10
    assert grown['caisson_response_bytes_total{operation="GetObject"}'] == 50000
    # Nobody else was there to share a flush with.
    assert grown["caisson_index_commits_total"] == 10 and grown["caisson_index_flushes_total"] == 10
    assert grown["caisson_blob_commits_total"] == 10 and grown["caisson_blob_flushes_total"] >= 10
    assert after["caisson_ready"] == 1 and after["process_open_fds"] > 10 and after["process_resident_memory_bytes"] > 1 << 20


@pytest.mark.parametrize("form", ["text", "json"])
def test_access_log(new_store, tmp_path, form):
    store = new_store("--access-log", str(tmp_path / "log"), "--access-log-format", form)
    client = Client(store.host, store.port, store.key, store.secret)
    assert client.call("PUT", "logged", body=b"<CreateBucketConfiguration><LocationConstraint>US-TEST-01A</LocationConstraint>"
                       b"</CreateBucketConfiguration>").status == 200
    key = 'a "quoted"\tkey \\ ä/x'
    ids = [client.call("PUT", "logged", key, body=bytes(300000)), client.call("GET", "logged", key),
           client.call("GET", "logged", "missing")]
    deadline = time.monotonic() + 5
    lines = []
    while len(lines) < 4 and time.monotonic() < deadline:
        lines = (tmp_path / "log").read_text().splitlines()
    if form == "json":
        got = [json.loads(line) for line in lines]
        assert got[1]["key"] == key and got[1]["error"] is None
    else:
        got = [dict(field.split("=", 1) for field in line.split(" ")) for line in lines]
        assert urllib.parse.unquote(got[1]["key"]) == key and got[1]["error"] == "-"
    assert [g["op"] for g in got] == ["CreateBucket", "PutObject", "GetObject", "GetObject"]
    assert [g["id"] for g in got[1:]] == [a.headers["x-amz-request-id"] for a in ids]
    assert [int(g["status"]) for g in got] == [200, 200, 200, 404]
    assert [int(g["in"]) for g in got[1:]] == [300000, 0, 0] and int(got[2]["out"]) == 300000
    assert got[3]["error"] == "NoSuchKey" and got[1]["access_key"] == store.key
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", got[0]["time"])
    for g in got:
        assert 0 < int(g["ttfb_us"]) <= int(g["us"])
    assert store.secret not in "".join(lines)


def test_what_workers_do(new_store):
    """A client that does not read its answer holds a worker: both ways to ask name its request."""
    store = new_store()
    s3 = store.client()
    s3.create_bucket(Bucket="slow", CreateBucketConfiguration=LOCATION)
    s3.put_object(Bucket="slow", Key="large", Body=bytes(64 << 20))
    s3 = store.client(config={"signature_version": "s3v4"})
    url = urllib.parse.urlsplit(s3.generate_presigned_url("get_object", Params={"Bucket": "slow", "Key": "large"}))
    with socket.create_connection((store.host, store.port)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n".encode())
        head = slow.recv(2000, socket.MSG_WAITALL).decode(errors="replace")
        assert head.startswith("HTTP/1.1 200"), head
        request = re.search(r"x-amz-request-id: (\S+)", head).group(1)
        answer = Api(store).call("GET", "/v1/caisson/worker")
        busy = [w for w in answer["workers"] if w["state"] == "BUSY"]
        assert [(w["class"], w["request"]) for w in busy] == [("LARGE", f"{request} GET /slow/large")]
        begin = len(store.output())
        store.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + 60
        while "idle" not in store.output(begin) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert f"large {request} GET /slow/large" in store.output(begin)
    _, user = Api(store).user("nobody", role="admin")
    user.fails("GET", "/v1/caisson/worker", 403, 7)
