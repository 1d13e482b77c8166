"""One bit turned in each class of byte on the disk: what finds it, what it is called, what it costs; never a wrong byte."""
import os
import re
import shutil
import subprocess
import tempfile

import pytest
import requests

from rot import BUCKET, TOP, Rot, fill, sst_parts
from s3lib import Client
from store import Store

TABLE, OWN, VOLUME = "index/*.sst", "blobs/own/*/*", "blobs/volume/*"
PAGE = 4096


def part(name, inside):
    """A byte within a part of a table of the index."""
    return lambda path: [sst_parts(path)[name][0] + inside]


def at(*where):
    """Bytes from the beginning, or from the end if negative."""
    return lambda path: [w if w >= 0 else os.path.getsize(path) + w for w in where]


# Class of byte: file; which bytes; what the check says of it, None: nothing, it does no harm; does the server start, saying why not
# if it does not; which keys are lost at most.
CLASSES = {
    "index, rows": (TABLE, part("data", 124761), r"rows of the index behind \"O inline/\d+\" and before \"O inline/\d+\".*\.sst", True, r"inline/", 6),
    "index, filter of a table": (TABLE, part("filter", -50), r"the index is damaged.*block checksum mismatch.*\.sst", True, None, 0),
    "index, index of a table": (TABLE, part("index", 300), r"block checksum mismatch.*\.sst", False, None, 0),
    "index, properties of a table": (TABLE, part("metaindex", -100), r"block checksum mismatch.*\.sst", False, None, 0),
    "index, where a table's parts are": (TABLE, part("metaindex", 30), r"block checksum mismatch.*\.sst", False, None, 0),
    "index, footer": (TABLE, part("footer", 2), r"Corruption.*\.sst", False, None, 0),
    "index, magic of a table": (TABLE, at(-3), r"Bad table magic number.*\.sst", False, None, 0),
    "index, list of tables": ("index/MANIFEST*", at(110), r"Corruption.*MANIFEST-", False, None, 0),
    "index, which list": ("index/CURRENT", at(12), r"MANIFEST-", False, None, 0),
    "index, copy of options": ("index/OPTIONS*", at(3000), None, True, None, 0),		# for people only
    "index, name of the store": ("index/IDENTITY", at(5), None, True, None, 0),
    "own blob, bytes": (OWN, at(1000000), r"key=parts version=null: part 1: blob [0-9a-f]{32}: it does not match its checksum at byte 999424", True, r"parts$", 1),
    "own blob, checksums": (OWN, at(-2 * PAGE + 8), r"key=parts version=null: part 1: blob", True, r"parts$", 1),
    "own blob, checksum of checksums": (OWN, at(-PAGE - 2), r"key=parts version=null: part 1: blob", True, r"parts$", 1),
    "own blob, tail": (OWN, at(-64 + 9), r"key=parts version=null: part 1: blob", True, r"parts$", 1),
    "volume, one of its heads": (VOLUME, at(18), None, True, None, 0),			# there are two
    "volume, both heads": (VOLUME, at(18, 512 + 18), r"head of volume 00000000", True, None, 0),
    "volume, head of a blob": (VOLUME, at(PAGE + 9), r"key=small/000 version=null: blob", True, r"small/000$", 1),
    "volume, checksums of a blob": (VOLUME, at(PAGE + 66), r"key=small/000 version=null: blob", True, r"small/000$", 1),
    "volume, bytes of a blob": (VOLUME, at(PAGE + 20000), r"key=small/000 version=null: blob [0-9a-f]{32}: it does not match its checksum at byte 16384", True, r"small/000$", 1),
    "data directory, format": ("format", at(3), r"format does not say .caisson data", False, None, 0),
    "blobs, format": ("blobs/format", at(3), r"format does not say .caisson blobs", False, None, 0),
    "master key": ("master.key", at(30), r"access control: .*master\.key", False, None, 0),
}


@pytest.fixture(scope="module")
def whole(build):
    """(directory of a store that was stopped in good order, what it holds)"""
    folder = tempfile.mkdtemp(prefix="caisson-rot-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    data = os.path.join(folder, "data")
    os.mkdir(data)
    store = Store(build, data=data)
    made = fill(store)
    assert store.stop() == 0
    yield data, made
    shutil.rmtree(folder)


@pytest.fixture
def rot(build, whole, tmp_path):
    return Rot(build, whole[0], str(tmp_path), whole[1])


def test_whole(rot):
    """Nothing is turned: nothing is found, all can be read."""
    code, lines = rot.check()
    assert code == 0 and lines[-1] == "0 damaged, 0 leaks", lines
    assert rot.serve() == (None, [])


@pytest.mark.parametrize("name", CLASSES)
def test_turned(rot, name):
    pattern, where, says, starts, lost, most = CLASSES[name]
    path = rot.find(pattern)
    for byte in where(path):
        rot.turn(path, byte, bit=0)
    code, lines = rot.check()
    assert code == (0 if says is None else 1), lines
    assert says is None or re.search(says, lines[0]), lines
    assert len(lines) <= (3 if starts else 5), lines	# one finding, what follows from it, and two lines of summary
    refused, gone = rot.serve()
    if not starts:
        assert refused and re.search(says.replace("access control: ", ""), refused), refused
        return
    assert refused is None, refused
    assert len(gone) <= most and (lost is None or gone and all(re.match(lost, key) for key in gone)), gone


def test_log_after_a_kill(build, tmp_path):
    """Commits that are in the log only: the check says the same as the start, tests/faults/test_log.py, and names the file."""
    store = Store(build)
    made = fill(store)
    store.kill()
    rot = Rot(build, store.data, str(tmp_path), made)
    shutil.rmtree(store.data)
    assert rot.check()[0] == 0
    path = rot.find("index/*.log")
    rot.turn(path, os.path.getsize(path) // 2)
    code, lines = rot.check()
    assert code == 1 and re.search(r"cannot be opened: .*log \d+\.log is damaged at byte \d+: whole records follow", lines[0]), lines
    rot.turn(path, os.path.getsize(path) // 2)
    assert rot.check()[0] == 0
    assert rot.serve() == (None, [])


def test_credentials(rot):
    """The secret in the file is only a copy for people: with a wrong one they are refused."""
    path = rot.find("credentials")
    with open(path) as file:
        at_secret = file.read().index("aws_secret_access_key = ") + 30
    rot.turn(path, at_secret, bit=0)
    store = Store(rot.build, data=rot.data)
    client = Client(store.host, store.port, store.key, store.secret)
    answer = client.call("GET", BUCKET, "small/000")
    store.kill()
    assert answer.status == 403 and answer.code == "SignatureDoesNotMatch", answer


def test_admin_token(rot):
    """The token in the file is only a copy for people, too."""
    rot.turn(rot.find("admin-token"), 30, bit=0)
    store = Store(rot.build, data=rot.data)
    answer = requests.get(store.control + "/v1/cwobject/access-key", headers={"Authorization": "Bearer " + store.token}, timeout=30)
    store.kill()
    assert answer.status_code == 401, answer


def test_config_file(build, tmp_path):
    """A parameter whose name has rotted is refused, by its line. (A value that is still a good one cannot be told from a wish.)"""
    path = tmp_path / "caisson.yaml"
    path.write_bytes(b"data_dir: /nowhere\nvolume_mby: 1\n")
    done = subprocess.run([os.path.join(TOP, build, "caisson"), "check-config", "--config", str(path)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 2 and "volume_mby" in done.stdout and "2" in done.stdout, done.stdout


@pytest.mark.parametrize("place", range(8))
def test_anywhere_in_a_table(rot, place):
    """Sampled: wherever in a table the bit is, no wrong byte comes out; and if a key is lost the check has said so."""
    path = rot.find(TABLE)
    rot.turn(path, (2 * place + 1) * os.path.getsize(path) // 16 + 1, bit=5)
    code, lines = rot.check()
    refused, gone = rot.serve()
    assert code == 1 if refused or gone else True, lines
    assert refused or len(gone) <= 6, gone
