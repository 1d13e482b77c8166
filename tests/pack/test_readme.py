"""What README.md and the first start show works as pasted."""
import os
import re
import subprocess
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def blocks(name):
    """[(language, text)] of a page."""
    with open(os.path.join(TOP, name)) as page:
        return re.findall(r"^```(\w+)\n(.*?)^```", page.read(), re.M | re.S)


@pytest.fixture
def home(new_store, tmp_path):
    """A clone in which `make run` has just been typed: a directory, and what to put in the place of its port."""
    store = new_store()
    os.symlink(store.data, tmp_path / "run")
    os.symlink(os.path.join(TOP, "README.md"), tmp_path / "README.md")
    return store, tmp_path


def paste(store, where, text, program):
    text = text.replace("127.0.0.1:9000", f"{store.host}:{store.port}")
    environment = {n: v for n, v in os.environ.items() if not n.startswith("AWS_") and not n.startswith("S3_")}
    environment["PATH"] = os.path.dirname(sys.executable) + ":" + environment["PATH"]
    environment["HOME"] = str(where)
    done = subprocess.run([*program, text], cwd=where, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def exports(text):
    return "".join(line + "\n" for line in text.splitlines() if line.startswith("export "))


def python_of(environment):
    """Runs the text of -c with the environment that the exports made."""
    return ["bash", "-c", f'{environment}\nexec python -c "$0"']


def test_readme(home):
    store, where = home
    (_, make), (_, shell), (_, python) = blocks("README.md")
    assert [line.split()[:2] for line in make.splitlines()] == [["make", "run"], ["make", "test"]]
    assert "README.md" in paste(store, where, shell, ["bash", "-ec"]).splitlines()[-1]
    environment = exports(shell).replace("127.0.0.1:9000", f"{store.host}:{store.port}")
    assert paste(store, where, python, python_of(environment)).strip() == "b'weights'"


def test_first_words(home):
    """What the first start prints works as pasted too."""
    store, where = home
    said = store.output()
    text = "\n".join(line.strip() for line in said.splitlines() if line.startswith("  "))
    assert "upload: ./README.md to s3://models/README.md" in paste(store, where, text, ["bash", "-ec"])


# What stands for something of the reader's, in the order in which it is looked for.
STANDS_FOR = [("job run NAME", "job run reaper"), ("bucket show NAME", "bucket show models"), ("bucket set NAME", "bucket set models"),
              ("BYTES", "1000000"), ("SECONDS", "60"), ("config FILE", f"config {TOP}/packaging/caisson.yaml"), ("--set NAME", "")]
# Named without what they need: they say what that is.
ALONE = {"caisson backup", "caisson restore", "caisson check", "caisson key revoke", "caisson token revoke", "caisson oidc ensure"}


def test_commands_of_the_manual(new_store, tmp_path):
    """Every command that docs/operations.md shows or names works as it stands there."""
    store = new_store()
    s3 = store.client()
    s3.create_bucket(Bucket="models", CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    s3.put_object(Bucket="models", Key="k", Body=bytes(100000))
    with open(os.path.join(TOP, "docs/operations.md")) as page:
        text = page.read()
    shown = re.findall(r"^    (caisson .*)$", text, re.M) + re.findall(r"`(caisson [a-z][^`]*)`", text)
    assert len(shown) > 20 and ALONE < set(shown)
    environment = {**os.environ, "PATH": os.path.dirname(store.binary) + ":" + os.environ["PATH"], "CAISSON_CONTROL_URL": store.control,
                   "CAISSON_TOKEN": store.token}

    def run(line):
        return subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)

    users = run("caisson user list --json").stdout
    places = {"/mnt/backup/caisson": f"{tmp_path}/backup", "/var/lib/caisson-new": f"{tmp_path}/new", "/var/lib/caisson": store.data,
              "PRINCIPAL": re.search(r'"principalName": ?"([^"]+)', users)[1], "data-dir DIR": f"data-dir {tmp_path}/new"}
    for line in shown:
        for word, value in [*STANDS_FOR, *places.items()]:
            line = line.replace(word, value)
        done = run(line)
        if line in ALONE:
            assert done.returncode == 2 and re.search("usage|must be given", done.stderr), f"{line}: {done.stdout}{done.stderr}"
        else:
            assert done.returncode == 0, f"{line}: {done.returncode} {done.stdout[-1000:]}{done.stderr}"
