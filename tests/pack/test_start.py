"""What someone new meets: each wrong start says what is wrong and where, and leaves nothing behind."""
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ANY = ["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"]


@pytest.fixture
def caisson(build):
    def run(*arguments, code):
        done = subprocess.run([os.path.join(TOP, build, "caisson"), *map(str, arguments)], capture_output=True, text=True, timeout=60)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stderr if code else done.stdout
    return run


def test_help(caisson):
    first = caisson(code=0)
    assert first == caisson("help", code=0) == caisson("--help", code=0) == caisson("-h", code=0)
    commands = re.findall(r"^  ([a-z-]+) ", first, re.M)
    assert "serve" in commands and "key" in commands
    for name in commands:
        assert caisson(name, "--help", code=0) == caisson("help", name, code=0) == caisson(name, "-h", code=0)
        assert f"usage: caisson {name}" in caisson("help", name, code=0)
    assert "  create " in caisson("key", "--help", code=0)
    assert "usage: caisson key create" in caisson("key", "create", "-h", code=0)
    assert 'no command "key crate"' in caisson("key", "crate", code=2)
    assert re.fullmatch(r"caisson \d+\.\d+\.\d+\n", caisson("--version", code=0))


@pytest.mark.parametrize("flags, code, says", [
    ([], 2, "--data-dir DIR must be given"),
    (["--data-dri", "x"], 2, "--data-dri: there is no such parameter; caisson serve --help-config lists them"),
    (["--data-dir"], 2, "--data-dir: a value is missing"),
    (["here"], 2, '"here" is not a flag; flags begin with --'),
    (["--data-dir", "NEW", "--listen", "9000"], 2, 'listen is "9000": want ADDRESS:PORT'),
    (["--data-dir", "NEW", "--listen", "localhost:9000"], 2, "not an IP address (names are not looked up)"),
    (["--data-dir", "NEW", "--listen", "1.2.3.4:0"], 1, "cannot listen on 1.2.3.4:0 (this machine has no such address)"),
    (["--data-dir", "NEW", "--listen", "fd:300"], 1, "no listening socket was passed there"),
    (["--data-dir", "NEW", "--listen", "USED"], 1, "is another server running there?"),
    (["--data-dir", "NEW", "--control-listen", "USED"], 1, "is another server running there?"),
    (["--data-dir", "NEW", "--tls-cert", "/no/cert", "--tls-key", "/no/key"], 1, "certificate file /no/cert: No such file or directory"),
    (["--data-dir", "NEW", "--access-log", "/no/log"], 1, "access log /no/log: No such file or directory"),
    (["--data-dir", "NEW/in/none"], 1, "cannot make the data directory"),
    (["--data-dir", "FILE"], 1, "cannot make the data directory"),
    (["--config", "/no/file"], 2, "/no/file: No such file or directory"),
], ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_wrong_start(caisson, tmp_path, flags, code, says):
    used = socket.create_server(("127.0.0.1", 0))
    new = tmp_path / "store"
    (tmp_path / "file").write_text("")
    words = {"USED": "127.0.0.1:%d" % used.getsockname()[1], "NEW": str(new), "FILE": str(tmp_path / "file/x")}
    flags = [re.sub("^(USED|NEW|FILE)", lambda m: words[m[0]], f) for f in flags]
    more = [a for i in (0, 2) for a in ANY[i:i + 2] if ANY[i] not in flags]
    error = caisson("serve", *flags, *(more if flags and flags[-1] != "--data-dir" else []), code=code)
    used.close()
    assert says in error and len(error.splitlines()) == 1, error
    assert not new.exists(), "a start that failed made a store"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become somebody else")
def test_no_permission(build):
    with tempfile.TemporaryDirectory(prefix="caisson-test-") as top:
        binary, store = shutil.copy(os.path.join(TOP, build, "caisson"), top), os.path.join(top, "store")
        os.chmod(top, 0o755)
        os.mkdir(store, 0o700)
        run = lambda *arguments: subprocess.run([binary, *arguments, "--data-dir", store], capture_output=True, text=True, timeout=60,
                                                user=65534, group=65534, extra_groups=[]).stderr
        assert f"cannot write to the data directory {store}: Permission denied" in run("serve", *ANY)
        assert f"{store}/admin-token: Permission denied" in run("key", "list")


def test_second_server(store, caisson):
    assert "is in use by another process" in caisson("serve", "--data-dir", store.data, *ANY, code=1)


def test_ctrl_c_twice(new_store):
    """The first lets an upload go on, the second does not."""
    store = new_store()
    with socket.create_connection((store.host, store.port)) as stuck:
        stuck.sendall(b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nx")
        time.sleep(0.3)
        store.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert store.process.poll() is None and "Ctrl-C again ends at once" in store.output()
        store.process.send_signal(signal.SIGINT)
        assert store.process.wait(10) == -signal.SIGINT
    store.start()


def test_first_words(new_store):
    """The first start shows commands that work as they stand, whatever the listener was; the second says nothing of it."""
    store = new_store("--listen", "0.0.0.0:0")
    said = store.output()
    assert f"export AWS_ENDPOINT_URL=http://127.0.0.1:{store.port} " in said
    assert f'AWS_SHARED_CREDENTIALS_FILE="{store.data}/credentials"' in said
    assert oct(os.stat(f"{store.data}/credentials").st_mode & 0o777) == "0o600"
    store.stop()
    store.start()
    assert store.output().count("A new store") == 1
