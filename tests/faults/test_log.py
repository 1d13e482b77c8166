"""The log of the index after a kill: torn at its end it is an ordinary crash, rotten before its end it must not be believed."""
import glob
import os
import shutil
import subprocess

import pytest

from s3lib import Client

CREATE = b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint></CreateBucketConfiguration>"
KEYS = 200


@pytest.fixture
def killed(new_store):
    """A store that was killed with all its commits in the log only, and the path of that log."""
    store = new_store()
    client = Client(store.host, store.port, store.key, store.secret)
    assert client.call("PUT", "logged", body=CREATE).status == 200
    for i in range(KEYS):
        assert client.call("PUT", "logged", f"k{i}", body=b"%d" % i * 50).status == 200
    client.close()
    store.kill()
    logs = sorted(glob.glob(os.path.join(store.data, "index", "*.log")), key=os.path.getsize)
    return store, logs[-1]


def restart(store):
    """It starts, and not only for reading what can be read."""
    store.start()
    client = Client(store.host, store.port, store.key, store.secret)
    assert client.call("PUT", "logged", "after", body=b"x").status == 200
    return client


def test_whole(killed):
    store, _ = killed
    client = restart(store)
    for i in range(KEYS):
        assert client.call("GET", "logged", f"k{i}").body == b"%d" % i * 50


@pytest.mark.parametrize("lost", [1, 100])
def test_torn_at_the_end(killed, lost):
    store, log = killed
    os.truncate(log, os.path.getsize(log) - lost)
    client = restart(store)
    for i in range(KEYS - 1):
        assert client.call("GET", "logged", f"k{i}").body == b"%d" % i * 50
    answer = client.call("GET", "logged", f"k{KEYS - 1}")		# whole or not there
    assert answer.status == 404 or answer.body == b"%d" % (KEYS - 1) * 50


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
def test_rotten_in_the_middle(killed, place):
    store, log = killed
    at = int(os.path.getsize(log) * place)
    with open(log, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0x10]))
    with pytest.raises(RuntimeError) as refused:
        store.start(timeout=20)
    assert "ended with 1" in str(refused.value) and os.path.basename(log) in str(refused.value), refused.value
    with open(log, "r+b") as file:		# mended: all of it is there
        file.seek(at)
        file.write(byte)
    client = restart(store)
    assert client.call("GET", "logged", f"k{KEYS - 1}").body == b"%d" % (KEYS - 1) * 50


def test_cut_while_it_recovers(killed, build, tmp_path):
    """A torn log, and behind it the new one that a recovery had begun when the power went again: the list of tables still names the first."""
    store, log = killed
    with open(log, "r+b") as file:
        file.seek(-100, os.SEEK_END)
        file.write(bytes(20))
    index = os.path.join(store.data, "index")
    shutil.copytree(index, tmp_path / "index")
    driver = os.path.join(os.path.dirname(store.binary), "tests", "faults", "kv_driver")
    subprocess.run([driver, "work", tmp_path, "1", "0", "1"], check=True, stdout=subprocess.DEVNULL)		# recovers, and stops
    new = [name for name in os.listdir(tmp_path / "index") if name.endswith(".log") and name > os.path.basename(log)]
    assert new, "no new log was begun"
    shutil.copy(tmp_path / "index" / new[0], index)
    client = restart(store)
    for i in range(KEYS - 1):
        assert client.call("GET", "logged", f"k{i}").body == b"%d" % i * 50
