"""What the package holds, and that the files in packaging/ say what they mean."""
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.request

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CAISSON = os.path.join(TOP, "build/caisson")
FILES = {		# path: mode
    "etc/caisson/caisson.yaml": 0o644, "etc/logrotate.d/caisson": 0o644, "usr/bin/caisson": 0o755,
    "usr/lib/systemd/system/caisson.service": 0o644, "usr/lib/systemd/system/caisson.socket": 0o644,
    "usr/share/bash-completion/completions/caisson": 0o644, "usr/share/zsh/vendor-completions/_caisson": 0o644,
    "usr/share/doc/caisson/README.md": 0o644,
    "usr/share/doc/caisson/copyright": 0o644, "usr/share/doc/caisson/changelog.gz": 0o644,
    "usr/share/doc/caisson/disk-format.md": 0o644, "usr/share/doc/caisson/examples/grafana.json": 0o644,
    "usr/share/man/man1/caisson.1.gz": 0o644,
}


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, cwd=TOP, **more)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def packaging(name):
    with open(os.path.join(TOP, "packaging", name)) as f:
        return f.read()


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The package, and taken apart: (file, control files, the tree)."""
    made, to = tmp_path_factory.mktemp("deb"), tmp_path_factory.mktemp("tree")
    deb = run("tools/deb", str(made)).strip()
    run("dpkg-deb", "-R", deb, str(to))
    return deb, to / "DEBIAN", to


def test_contents(package):
    _, control, tree = package
    found = {str(p.relative_to(tree)): p.stat().st_mode & 0o7777 for p in tree.rglob("*") if p.is_file() and control not in p.parents}
    assert {p: found.get(p) for p in FILES} == FILES
    assert all(p in FILES or p.startswith("usr/share/doc/caisson/") for p in found), found
    assert {"/" + p for p in FILES if p.startswith("etc/")} == set((control / "conffiles").read_text().split())
    for script in ("postinst", "prerm", "postrm"):
        assert (control / script).stat().st_mode & 0o111
        run("sh", "-n", str(control / script))
    page = gzip.decompress((tree / "usr/share/man/man1/caisson.1.gz").read_bytes()).decode()
    assert all(word in page for word in (".B serve", ".B key create", "lifecycle_day_seconds", ".SH SIGNALS"))


def test_depends(package):
    """Each library that is not part of the C library comes with a package that is named."""
    named = re.search("^Depends: (.*)$", (package[1] / "control").read_text(), re.M)[1]
    for library in re.findall(r"NEEDED +lib([a-z]+)", run("objdump", "-p", CAISSON)):
        assert library in ("c", "m", "pthread") or re.search({"crypto": "libssl"}.get(library, "lib" + library), named), (library, named)


@pytest.mark.skipif(not shutil.which("lintian"), reason="lintian is not installed")
def test_lintian(package):
    run("lintian", "--fail-on", "error", package[0])


def test_example_configurations(tmp_path):
    """As it is, and with every line that is commented out."""
    text = packaging("caisson.yaml")
    uncommented = re.sub(r"^# ([a-z_]+: )", r"\1", text, flags=re.M)
    assert uncommented.count("\n#") < text.count("\n#")
    for each in (text, uncommented):
        (tmp_path / "caisson.yaml").write_text(each)
        says = run(CAISSON, "check-config", "--config", str(tmp_path / "caisson.yaml"))
        assert 'data_dir: "/var/lib/caisson"' in says
    socket = re.findall("^#   (.*)", packaging("caisson.socket"), re.M)
    assert socket == ["listen: fd:3", "control_listen: fd:4"] and packaging("caisson.socket").count("\nListenStream=") == len(socket)


def test_units(tmp_path):
    service = packaging("caisson.service")
    command = re.search("^ExecStart=/usr/bin/caisson serve (.*)", service, re.M)[1].split()
    run(CAISSON, "check-config", *[c.replace("/etc/caisson", os.path.join(TOP, "packaging")) for c in command])
    parameters = run(CAISSON, "check-config")
    drain = int(re.search(r"^drain_timeout: (\d+)", parameters, re.M)[1])
    assert int(re.search(r"^TimeoutStopSec=(\d+)", service, re.M)[1]) * 1000 > drain
    if not shutil.which("systemd-analyze"):
        return
    for name in ("caisson.service", "caisson.socket"):
        (tmp_path / name).write_text(packaging(name).replace("/usr/bin/caisson", CAISSON).replace("Documentation=man:caisson(1)\n", ""))
    says = subprocess.run(["systemd-analyze", "verify", *map(str, tmp_path.glob("caisson.*"))], capture_output=True, text=True)
    assert says.returncode == 0 and "caisson" not in says.stderr, says.stderr
    exposure = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(tmp_path / "caisson.service"))
    assert float(re.search(r"exposure level for \S+: ([0-9.]+)", exposure)[1]) < 2.5


def test_image(tmp_path):
    """The archive names its parts by their digests, and says what packaging/Containerfile says."""
    with tarfile.open(tmp_path / "layer", "w") as layer:
        layer.add(CAISSON, "usr/bin/caisson")
    run(sys.executable, "tools/oci.py", str(tmp_path / "layer"), str(tmp_path / "image"), "caisson")
    with tarfile.open(tmp_path / "image") as image:
        files = {m.name: image.extractfile(m).read() for m in image}
    blob = lambda what: files["blobs/" + what["digest"].replace(":", "/")]
    for name, content in files.items():
        if name.startswith("blobs/"):
            assert name == "blobs/sha256/" + hashlib.sha256(content).hexdigest()
    manifest = json.loads(blob(json.loads(files["index.json"])["manifests"][0]))
    config = json.loads(blob(manifest["config"]))
    plain = gzip.decompress(blob(manifest["layers"][0]))
    assert plain == (tmp_path / "layer").read_bytes()
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(plain).hexdigest()]
    how = config["config"]
    assert how["User"] == "caisson" and set(how["ExposedPorts"]) == {"9000/tcp", "9001/tcp"} and how["Volumes"] == {"/data": {}}
    run(CAISSON, "check-config", *how["Cmd"][1:])
    assert how["Cmd"][0] == "serve" and how["Entrypoint"] == ["/usr/bin/caisson"]


def container(place, command, data):
    """A bundle for runc: the command of the image, as a user of its own, on a root that cannot be written, and /data."""
    root = place / "rootfs"
    for name in ("usr", "data", "proc", "dev", "sys", "tmp", "etc"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to("usr/" + name)
    shutil.copy(CAISSON, root / "caisson")
    run("runc", "spec", "--bundle", str(place))
    spec = json.loads((place / "config.json").read_text())
    spec["process"].update(terminal=False, user={"uid": 990, "gid": 990}, args=["/caisson", *command])
    spec["root"]["readonly"] = True
    spec["mounts"] += [{"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]},
                       {"destination": "/data", "type": "bind", "source": str(data), "options": ["rbind", "rw"]}]
    spec["linux"]["namespaces"] = [n for n in spec["linux"]["namespaces"] if n["type"] not in ("network", "cgroup")]
    spec["linux"].pop("resources", None)
    (place / "config.json").write_text(json.dumps(spec))


@pytest.mark.skipif(not shutil.which("runc") or os.getuid() != 0, reason="needs runc, and root")
def test_container(tmp_path):
    """The command of the image runs in a container that may write to its volume only, and ends in good order on SIGTERM."""
    sys.path.insert(0, os.path.join(TOP, "tools"))
    import oci
    command = json.loads(oci.containerfile()["CMD"])
    assert command[0] == "serve" and "0.0.0.0:9000" in command and "0.0.0.0:9001" in command
    command = [re.sub(r"^0\.0\.0\.0:.*", "127.0.0.1:0", word) for word in command]
    data, bundle, name = tmp_path / "data", tmp_path / "bundle", f"caisson-test-{os.getpid()}"
    data.mkdir()
    os.chown(data, 990, 990)
    bundle.mkdir()
    container(bundle, command, data)
    runc = ["runc", "--root", str(tmp_path / "state")]
    with open(tmp_path / "log", "w+") as log:
        process = subprocess.Popen([*runc, "run", "--bundle", str(bundle), name], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while not (ready := re.search(r"^ready: s3=\S+ control=(\S+)", (tmp_path / "log").read_text(), re.M)):
                assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.05)
            assert urllib.request.urlopen(ready[1] + "/readyz", timeout=10).status == 200
            made = os.stat(data / "credentials")
            assert (made.st_uid, made.st_mode & 0o777) == (990, 0o600)
        finally:
            subprocess.run([*runc, "kill", name, "TERM"], capture_output=True)
            code = process.wait(60)
    assert code == 0, (tmp_path / "log").read_text()
