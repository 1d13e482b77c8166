"""Backups of a store that goes on working: sets are one instant each, cheap after the first, whole or not there; and come back."""
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "control"))

from api import Api  # noqa: E402
from s3lib import Client  # noqa: E402

FAST = ["--reap-grace", "100", "--reap-interval", "100"]
SIZES = [0, 100, 5000, 60000, 600000, 2 << 20]
PATH = "/v1/caisson/backup"


@pytest.fixture
def place():
    """Where backups and restored stores go: outside of any store."""
    path = tempfile.mkdtemp(prefix="caisson-backup-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def other_disk():
    """A directory on another file system, where nothing can be linked."""
    if not os.access("/dev/shm", os.W_OK) or os.stat("/dev/shm").st_dev == os.stat(tempfile.gettempdir()).st_dev:
        pytest.skip("there is no other file system")
    path = tempfile.mkdtemp(prefix="caisson-backup-", dir="/dev/shm")
    yield path
    shutil.rmtree(path, ignore_errors=True)


def raw(store):
    return Client(store.host, store.port, store.key, store.secret)


def make(client, name):
    body = b"<CreateBucketConfiguration><LocationConstraint>US-TEST-01A</LocationConstraint></CreateBucketConfiguration>"
    assert client.call("PUT", name, body=body).status == 200


def caisson(store, *arguments, code=0):
    done = subprocess.run([store.binary, *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def backup(store, to, *more, code=0):
    text = caisson(store, "backup", to, *more, "--json", "--url", store.control, "--data-dir", store.data, code=code)
    return json.loads(text)["backup"] if code == 0 else text


def restored(new_store, store, place, name, *more):
    data = os.path.join(place, name)
    caisson(store, "restore", "--from", os.path.join(place, "backup"), "--data-dir", data, *more)
    return new_store(*FAST, data=data)


def look(client, bucket):
    """key -> md5 of all there is, as listed and as read."""
    import re
    answer = client.call("GET", bucket, query={"list-type": 2})
    assert answer.status == 200 and b"<IsTruncated>false" in answer.body
    found = {}
    for key in re.findall(rb"<Key>([^<]*)</Key>", answer.body):
        got = client.call("GET", bucket, key.decode())
        assert got.status == 200, f"{key}: {got}"
        found[key.decode()] = hashlib.md5(got.body).hexdigest()
    return found


def test_a_set_is_one_instant_of_a_busy_store(place, new_store):
    """
    Writers put a counter into pairs of keys, "a" first; deleted and replaced bytes are reaped as fast as can be. As of one
    instant "a" is never behind "b", and at most one ahead; and every object that a set names can be read.
    """
    store = new_store(*FAST)
    client = raw(store)
    make(client, "busy")
    stop = threading.Event()
    faults = []

    def write(n):
        mine, count = raw(store), 0
        try:
            while not stop.is_set():
                count += 1
                size = SIZES[(n + count) % len(SIZES)]
                for half in "ab":
                    body = (b"%d " % count).ljust(max(size, 12), b".")
                    assert mine.call("PUT", "busy", f"{n}/{half}", body=body).status == 200
                assert mine.call("PUT", "busy", f"{n}/gone", body=os.urandom(size)).status == 200
                assert mine.call("DELETE", "busy", f"{n}/gone").status == 204
        except Exception as fault:
            faults.append(fault)

    writers = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for each in writers:
        each.start()
    try:
        names = []
        for _ in range(4):
            time.sleep(0.3)
            names.append(backup(store, os.path.join(place, "backup"))["name"])
    finally:
        stop.set()
        for each in writers:
            each.join()
    assert not faults and names == sorted(set(names))
    for i, name in enumerate(names):
        copy = restored(new_store, store, place, f"data-{i}", "--set", name)
        reader = raw(copy)
        for n in range(6):
            counts = []
            for half in "ab":
                got = reader.call("GET", "busy", f"{n}/{half}")
                assert got.status == 200 or (i == 0 and got.status == 404), got
                counts.append(int(got.body.split()[0]) if got.status == 200 else 0)
            assert counts[0] - counts[1] in (0, 1), f"set {name}, writer {n}: {counts}"
        reader.close()
        copy.stop()


def test_only_new_blobs_are_copied_and_deleted_ones_are_kept(place, other_disk, new_store):
    for where in (place, other_disk):
        store = new_store(*FAST)
        client = raw(store)
        make(client, "plain")
        bodies = {f"k{i}-{size}": os.urandom(size) for i in range(3) for size in SIZES}
        for key, body in bodies.items():
            assert client.call("PUT", "plain", key, body=body).status == 200
        upload = client.call("POST", "plain", "parts", query={"uploads": ""}).body.split(b"<UploadId>")[1].split(b"<")[0].decode()
        parts = [os.urandom(5 << 20), b"last"]
        etags = [client.call("PUT", "plain", "parts", query={"partNumber": n, "uploadId": upload}, body=p).headers["etag"]
                 for n, p in enumerate(parts, 1)]
        xml = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in enumerate(etags, 1))
        done = client.call("POST", "plain", "parts", query={"uploadId": upload},
                           body=f"<CompleteMultipartUpload>{xml}</CompleteMultipartUpload>".encode())
        assert done.status == 200, done
        assert client.call("PUT", "plain", "copy", headers={"x-amz-copy-source": "/plain/parts"}).status == 200
        want = {**{k: hashlib.md5(b).hexdigest() for k, b in bodies.items()},
                "parts": hashlib.md5(b"".join(parts)).hexdigest(), "copy": hashlib.md5(b"".join(parts)).hexdigest()}
        to = os.path.join(where, "backup")

        first = backup(store, to)
        blobs = sum(len(b) > 4096 for b in bodies.values()) + 1
        assert (first["blobs"], first["blobsCopied"], first["blobsMissing"]) == (blobs, blobs, 0)
        assert first["state"] == "DONE" and first["bytesCopied"] >= 3 * sum(s for s in SIZES if s > 4096) + (5 << 20)
        assert client.call("PUT", "plain", "new", body=bytes(70000)).status == 200
        second = backup(store, to)
        assert (second["blobs"], second["blobsCopied"], second["bytesCopied"]) == (blobs + 1, 1, 70000)

        # Everything goes from the store, and its bytes are freed; both sets still have it.
        for key in [*want, "new"]:
            assert client.call("DELETE", "plain", key).status == 204
        time.sleep(0.5)
        third = backup(store, to)
        assert third["blobsCopied"] == 0
        for name, now in ((first["name"], want), (second["name"], {**want, "new": hashlib.md5(bytes(70000)).hexdigest()}),
                          (third["name"], {})):
            copy = restored(new_store, store, where, f"data-{name}", "--set", name)
            assert look(raw(copy), "plain") == now
            copy.stop()

        # Sets that are not kept go, and with them the blobs that no other set needs.
        fourth = backup(store, to, "--keep", "1")
        assert [n for n in os.listdir(to) if n.startswith("20")] == [fourth["name"]]
        left = [f for _, _, files in os.walk(os.path.join(to, "blobs")) for f in files]
        assert set(left) <= {"lock", "format", "vouched"}, left


@pytest.mark.parametrize("point", ["backup_checkpointed", "backup_copied", "backup_named"])
def test_a_backup_that_is_cut_off_leaves_the_others(place, new_store, point):
    store = new_store(*FAST, "--sweep-interval", "1000", environment={"CAISSON_CRASH_AT": point + ":2"})
    client = raw(store)
    make(client, "cut")
    for i, size in enumerate(SIZES):
        assert client.call("PUT", "cut", f"k{i}", body=os.urandom(size)).status == 200
    want = look(client, "cut")
    to = os.path.join(place, "backup")
    first = backup(store, to)
    assert client.call("PUT", "cut", "k9", body=os.urandom(50000)).status == 200
    more = look(client, "cut")
    assert "caisson:" in backup(store, to, code=1)
    assert store.process.wait(10) != 0
    copy = restored(new_store, store, place, "data-1", "--set", first["name"])
    assert look(raw(copy), "cut") == want
    copy.stop()
    store.environment = {}
    store.start()
    third = backup(store, to)
    assert third["state"] == "DONE" and third["blobs"] == 4 + 1
    assert not [n for n in os.listdir(to) if n.endswith(".partial")]
    copy = restored(new_store, store, place, "data-2")
    assert look(raw(copy), "cut") == more
    copy.stop()


def test_backups_that_are_all_cut_off_do_not_fill_the_disk(place, new_store):
    store = new_store(*FAST, environment={"CAISSON_CRASH_AT": "backup_copied:1"})
    client = raw(store)
    make(client, "cut")
    assert client.call("PUT", "cut", "stays", body=bytes(700000)).status == 200
    to = os.path.join(place, "backup")
    for turn in range(4):
        for key, size in (("own", 600000), ("small", 20000)):
            assert raw(store).call("PUT", "cut", key, body=os.urandom(size)).status == 200
        time.sleep(0.5)		# the reaper frees what was overwritten
        backup(store, to, code=1)
        assert store.process.wait(10) != 0
        own = [f for _, _, files in os.walk(os.path.join(to, "blobs", "own")) for f in files]
        assert len(own) == 2, f"after {turn + 1} backups that were cut off"
        small = sum(os.stat(os.path.join(to, "blobs", "volume", f)).st_blocks for f in os.listdir(os.path.join(to, "blobs", "volume")))
        assert small * 512 <= 2 * 28672, f"after {turn + 1}"
        store.start()


def test_kills_at_random_moments(place, new_store):
    """Backup after backup while the process is killed under them: each set that has a name is good."""
    store = new_store(*FAST)
    client = raw(store)
    make(client, "killed")
    to = os.path.join(place, "backup")
    want = {}
    for turn in range(6):
        body = os.urandom(SIZES[turn % len(SIZES)] + 5000)
        assert raw(store).call("PUT", "killed", f"k{turn}", body=body).status == 200
        want[f"k{turn}"] = hashlib.md5(body).hexdigest()
        Api(store).call("POST", PATH, {"directory": to})
        time.sleep(0.005 * turn)
        store.kill()
        store.start()
    last = backup(store, to)
    assert last["blobs"] == 6
    sets = sorted(n for n in os.listdir(to) if n.startswith("20"))
    for i, name in enumerate(sets):
        copy = restored(new_store, store, place, f"data-{i}", "--set", name)
        found = look(raw(copy), "killed")
        assert found.items() <= want.items()
        copy.stop()
    assert found == want


def test_damage_and_refusals(place, new_store):
    store = new_store(*FAST)
    client = raw(store)
    make(client, "damage")
    for key in ("good", "bad"):
        assert client.call("PUT", "damage", key, body=key.encode() * 300000).status == 200
    to = os.path.join(place, "backup")
    api = Api(store)
    assert api.call("GET", PATH)["backup"]["lastGoodTime"].startswith("1970")
    backup(store, to)
    good = api.call("GET", PATH)["backup"]["lastGoodTime"]
    # Who may, and where.
    _, user = api.user("someone", role="admin")
    assert "operator" in user.fails("POST", PATH, 403, 7, {"directory": to})
    assert "absolute" in api.fails("POST", PATH, 400, 3, {"directory": "backup"})
    assert "keep" in api.fails("POST", PATH, 400, 3, {"directory": to, "keep": 0})
    os.mkdir(os.path.join(place, "full"))
    with open(os.path.join(place, "full", "mine"), "w") as other:
        other.write("do not touch")
    assert "not a backup" in backup(store, os.path.join(place, "full"), code=1)
    assert os.listdir(os.path.join(place, "full")) == ["mine"]
    assert "must be empty" in caisson(store, "restore", "--from", to, "--data-dir", os.path.join(place, "full"), code=1)
    assert "no set" in caisson(store, "restore", "--from", to, "--set", "20200101T000000Z", "--data-dir", place + "/x", code=1)
    # When the last good one was is known over restarts, and whatever has failed since.
    assert api.call("GET", PATH)["backup"]["state"] == "FAILED" and api.call("GET", PATH)["backup"]["lastGoodTime"] == good
    store.stop()
    store.start()
    api = Api(store)
    assert api.call("GET", PATH)["backup"]["state"] == "NEVER" and api.call("GET", PATH)["backup"]["lastGoodTime"] == good
    ended = re.search(r"^caisson_backup_ended_ms (\d+)$", api.raw("GET", "/metrics").text, re.M)
    assert 0 <= time.time() - int(ended.group(1)) / 1000 < 120
    # The master key may change: a set has the one that it is under.
    caisson(store, "master-key", "rotate", "--url", store.control, "--data-dir", store.data)
    # Rot in the backup is told, and what is whole comes back.
    files = sorted(os.path.join(f, n) for f, _, names in os.walk(os.path.join(to, "blobs", "own")) for n in names)
    shutil.copy(files[1], files[1] + ".new")		# the file may be a link to the store's own
    os.rename(files[1] + ".new", files[1])
    with open(files[1], "r+b") as rotten:
        rotten.seek(1000)
        byte = rotten.read(1)[0]
        rotten.seek(1000)
        rotten.write(bytes([byte ^ 1]))
    told = caisson(store, "restore", "--from", to, "--data-dir", place + "/data", code=1)
    assert "damage bucket=damage key=" in told and "1 findings" in told
    copy = new_store(*FAST, data=place + "/data")
    reader = raw(copy)
    assert sorted(reader.call("GET", "damage", key).status == 200 for key in ("good", "bad")) == [False, True]
    copy.stop()
    # Newer forms are refused, and left alone.
    for path, start in ((to + "/format", None), (place + "/data/format", copy)):
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace("1", "2"))
        if start:
            with pytest.raises(RuntimeError, match="written by a newer caisson"):
                start.start()
            start.process.returncode = 0
        else:
            assert "newer caisson" in backup(store, to, code=1)
            assert "newer caisson" in caisson(store, "restore", "--from", to, "--data-dir", place + "/y", code=1)
