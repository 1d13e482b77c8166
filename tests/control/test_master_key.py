"""The master key: replaced while the store runs, killed in between, and given by the environment."""
import os
import subprocess

import pytest

from api import Api

ONE, TWO, THREE = ("%064x" % n for n in (1, 2, 3))


def cli(store, *arguments, code=0):
    done = subprocess.run([store.binary, *arguments, "--url", store.control, "--data-dir", store.data], capture_output=True, text=True,
                          timeout=250, env={n: v for n, v in os.environ.items() if n != "CAISSON_TOKEN"})
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def key_file(data):
    with open(os.path.join(data, "master.key")) as file:
        return file.read()


def works(store, key=None):
    more = {"aws_access_key_id": key["accessKeyId"], "aws_secret_access_key": key["secretKey"]} if key else {}
    store.client(**more).list_buckets()


def test_rotation(new_store, tmp_path):
    store = new_store(data=str(tmp_path))
    key = Api(store).call("POST", "/v1/cwobject/access-key", {"durationSeconds": 0})
    seen = [key_file(store.data)]
    for _ in range(2):
        cli(store, "master-key", "rotate")
        seen.append(key_file(store.data))
        works(store, key)
    later = Api(store).call("POST", "/v1/cwobject/access-key", {"durationSeconds": 0})
    assert len(set(seen)) == 3 and not os.path.exists(store.data + "/master.key.new")
    assert os.stat(store.data + "/master.key").st_mode & 0o777 == 0o600
    store.stop()
    store.start()
    for each in (None, key, later):
        works(store, each)
    store.stop()
    for old, text in ((seen[0], "another master key"), (seen[2], None)):
        with open(store.data + "/master.key", "w") as file:
            file.write(old)
        if text:
            with pytest.raises(RuntimeError, match=text):
                store.start()
    store.start()


@pytest.mark.parametrize("point,done", [("master_written", False), ("master_resealed", True)])
def test_killed_in_between(new_store, tmp_path, point, done):
    """Whichever key it is under after a kill, the next start knows, and the next rotation goes through."""
    store = new_store(data=str(tmp_path), environment={"CAISSON_CRASH_AT": point})
    before = key_file(store.data)
    cli(store, "master-key", "rotate", code=1)
    assert store.process.wait(30) == -9 and os.path.exists(store.data + "/master.key.new") and key_file(store.data) == before
    store.environment = {}
    store.start()
    works(store)
    assert (key_file(store.data) != before) == done and not os.path.exists(store.data + "/master.key.new")
    cli(store, "master-key", "rotate")
    store.stop()
    store.start()
    works(store)


def test_only_operators(new_store, tmp_path):
    store = new_store(data=str(tmp_path))
    _, admin = Api(store).user("admin", "admin")
    before = key_file(store.data)
    admin.fails("POST", "/v1/caisson/master-key/rotate", 403, 7)
    assert key_file(store.data) == before


def test_from_the_environment(new_store, tmp_path):
    store = new_store(data=str(tmp_path), environment={"CAISSON_MASTER_KEY": ONE})
    assert not os.path.exists(store.data + "/master.key")
    assert "CAISSON_MASTER_KEY_OLD" in cli(store, "master-key", "rotate", code=1)
    store.stop()

    def refuses(words, **environment):
        store.environment = environment
        with pytest.raises(RuntimeError, match=words):
            store.start()
    refuses("another master key", CAISSON_MASTER_KEY=TWO)
    refuses("neither", CAISSON_MASTER_KEY=TWO, CAISSON_MASTER_KEY_OLD=THREE)
    refuses("64 hex digits", CAISSON_MASTER_KEY="short")
    for old in (ONE, TWO):      # the second time the old one is not needed any more, and does no harm
        store.environment = {"CAISSON_MASTER_KEY": TWO, "CAISSON_MASTER_KEY_OLD": old}
        store.start()
        works(store)
        store.stop()
    refuses("another master key", CAISSON_MASTER_KEY=ONE)
    store.environment = {"CAISSON_MASTER_KEY": TWO}
    store.start()
    works(store)
