"""The tools that people use, with their usual settings: AWS CLI, rclone, s3cmd, s5cmd, the JavaScript SDK.

A tree of files goes in with one tool, and the others must agree on every byte, size and content type; also when the store is killed
half-way and the copy resumed. CAISSON_TREE_FILES sets how many files (default 600; 10000 in the long form).
"""
import json
import mimetypes
import os
import random
import shutil
import subprocess
import sys
import time
import uuid

import pytest

FILES = int(os.environ.get("CAISSON_TREE_FILES", "600"))
HERE = os.path.dirname(os.path.abspath(__file__))
AWS = [os.path.join(os.path.dirname(sys.executable), "aws")]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Files of many sizes, types and odd names."""
    top = tmp_path_factory.mktemp("tree")
    chance = random.Random(11)
    endings = [".txt", ".html", ".json", ".c", ".png", ".bin", ""]
    for i in range(FILES):
        folder = top / f"d{i % 17}" / f"e{i % 5}"
        folder.mkdir(parents=True, exist_ok=True)
        name = chance.choice(["plain", "with space", "plus+sign", "é-ü", "100%", "a&b", "q?x", "tilde~", "(1)"])
        size = chance.choice([0, 1, 100, 4096, 5000, 40000, 300000])
        (folder / f"{name}-{i}{chance.choice(endings)}").write_bytes(random.Random(i).randbytes(size))
    (top / "large.bin").write_bytes(random.Random(-1).randbytes(20 << 20))
    return top


def environment(store):
    return {**{k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
            "AWS_SHARED_CREDENTIALS_FILE": os.path.join(store.data, "credentials"), "AWS_PROFILE": "caisson",
            "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": store.url, "AWS_CONFIG_FILE": "/dev/null"}


def run(*command, env, ok=True, **more):
    done = subprocess.run([str(c) for c in command], env=env, capture_output=True, text=True, timeout=280 + FILES // 4, **more)
    if ok:
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
    return done


def rclone(store, folder):
    """rclone's settings for a store: a path of a configuration file."""
    path = folder / "rclone.conf"
    path.write_text(f"[c]\ntype = s3\nprovider = Other\nendpoint = {store.url}\naccess_key_id = {store.key}\n"
                    f"secret_access_key = {store.secret}\n")
    return ["rclone", "--config", path]


def s3cmd(store, folder):
    path = folder / "s3cfg"
    path.write_text(f"[default]\naccess_key = {store.key}\nsecret_key = {store.secret}\nhost_base = {store.host}:{store.port}\n"
                    f"host_bucket = {store.host}:{store.port}/%(bucket)\nuse_https = False\n")
    return ["s3cmd", "-c", path]


def new_bucket(store, env):
    name = "tools-" + uuid.uuid4().hex[:12]
    run(*AWS, "s3api", "create-bucket", "--bucket", name, "--create-bucket-configuration", "LocationConstraint=local", env=env)
    return name


def needs(tool):
    return pytest.mark.skipif(not shutil.which(tool), reason=f"{tool} is not installed")


@needs("rclone")
@needs("s3cmd")
def test_sync_tree(store, tree, tmp_path):
    env = environment(store)
    bucket = new_bucket(store, env)
    run(*AWS, "s3", "sync", "--only-show-errors", tree, f"s3://{bucket}/t", env=env)
    run(*rclone(store, tmp_path), "check", "--download", tree, f"c:{bucket}/t", env=env)
    listed = run(*s3cmd(store, tmp_path), "ls", "-r", f"s3://{bucket}/t/", env=env).stdout.splitlines()
    here = {os.path.relpath(os.path.join(d, f), tree): os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(tree) for f in fs}
    there = {line.split(None, 3)[3].split(f"s3://{bucket}/t/", 1)[1]: int(line.split(None, 3)[2]) for line in listed}
    assert there == here
    client = store.client()
    for name in random.Random(3).sample(sorted(here), 20):
        answer = client.head_object(Bucket=bucket, Key=f"t/{name}")
        assert answer["ContentType"] == (mimetypes.guess_type(name)[0] or "binary/octet-stream"), name
    back = tmp_path / "back"
    run(*AWS, "s3", "sync", "--only-show-errors", f"s3://{bucket}/t", back, env=env)
    assert run("diff", "-r", tree, back, env=env).stdout == ""
    again = run(*AWS, "s3", "sync", tree, f"s3://{bucket}/t", env=env)
    assert again.stdout == "", "a second sync found something to do"


@needs("rclone")
def test_sync_resumes_after_a_kill(new_store, tree, tmp_path):
    store = new_store()
    env = environment(store)
    bucket = new_bucket(store, env)
    sync = subprocess.Popen([*AWS, "s3", "sync", "--only-show-errors", str(tree), f"s3://{bucket}/t"], env=env,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = store.client()
    deadline = time.monotonic() + 120 + FILES // 20
    while client.list_objects_v2(Bucket=bucket, MaxKeys=1000)["KeyCount"] < min(200, FILES // 3):
        assert time.monotonic() < deadline and sync.poll() is None
        time.sleep(0.05)
    store.kill()
    sync.kill()
    sync.wait()
    store.start()
    env = environment(store)
    run(*AWS, "s3", "sync", "--only-show-errors", tree, f"s3://{bucket}/t", env=env)
    run(*rclone(store, tmp_path), "check", "--download", tree, f"c:{bucket}/t", env=env)


@needs("s3cmd")
def test_s3cmd(store, tree, tmp_path):
    env, tool = environment(store), s3cmd(store, tmp_path)
    bucket = "s3cmd-" + uuid.uuid4().hex[:12]
    run(*tool, "mb", "--bucket-location=local", f"s3://{bucket}", env=env)
    run(*tool, "put", tree / "large.bin", f"s3://{bucket}/large", env=env)		# multipart
    run(*tool, "cp", f"s3://{bucket}/large", f"s3://{bucket}/copy", env=env)
    run(*tool, "get", f"s3://{bucket}/copy", tmp_path / "got", env=env)
    assert (tmp_path / "got").read_bytes() == (tree / "large.bin").read_bytes()
    assert "large" in run(*tool, "info", f"s3://{bucket}/large", env=env).stdout
    run(*tool, "mv", f"s3://{bucket}/copy", f"s3://{bucket}/a b", env=env)
    run(*tool, "del", "-r", "-f", f"s3://{bucket}/", env=env)
    run(*tool, "rb", f"s3://{bucket}", env=env)


@needs("rclone")
def test_rclone(store, tree, tmp_path):
    env, tool = environment(store), rclone(store, tmp_path)
    bucket = new_bucket(store, env)
    run(*tool, "copy", tree, f"c:{bucket}/r", env=env)
    run(*tool, "check", tree, f"c:{bucket}/r", env=env)
    run(*tool, "moveto", f"c:{bucket}/r/large.bin", f"c:{bucket}/r/moved", env=env)
    sizes = json.loads(run(*tool, "lsjson", f"c:{bucket}/r", "--files-only", env=env).stdout)
    assert [(s["Name"], s["Size"]) for s in sizes] == [("moved", 20 << 20)]
    times = json.loads(run(*tool, "lsjson", "-R", f"c:{bucket}/r/d1", "--files-only", env=env).stdout)
    for row in times[:10]:
        path = tree / "d1" / row["Path"]
        assert row["ModTime"][:19] == time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(path.stat().st_mtime))
    run(*tool, "purge", f"c:{bucket}", env=env)


def test_aws_cli_s3api(store, tmp_path):
    env = environment(store)
    bucket = new_bucket(store, env)
    api = lambda *words: json.loads(run(*AWS, "s3api", *words, env=env).stdout or "{}")
    (tmp_path / "x").write_bytes(b"hello")
    put = api("put-object", "--bucket", bucket, "--key", "k", "--body", tmp_path / "x", "--if-none-match", "*")
    assert put["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert "ChecksumCRC32" in put or "ChecksumCRC64NVME" in put
    again = run(*AWS, "s3api", "put-object", "--bucket", bucket, "--key", "k", "--body", tmp_path / "x", "--if-none-match", "*",
                env=env, ok=False)
    assert "PreconditionFailed" in again.stderr
    assert api("head-object", "--bucket", bucket, "--key", "k")["ContentLength"] == 5
    api("copy-object", "--bucket", bucket, "--key", "k2", "--copy-source", f"{bucket}/k")
    api("rename-object", "--bucket", bucket, "--key", "k3", "--rename-source", "k2")
    assert [o["Key"] for o in api("list-objects-v2", "--bucket", bucket)["Contents"]] == ["k", "k3"]
    settings = tmp_path / "config"		# without it the CLI presigns with signature version 2
    settings.write_text("[profile caisson]\ns3 =\n  signature_version = s3v4\n")
    url = run(*AWS, "s3", "presign", f"s3://{bucket}/k", env={**env, "AWS_CONFIG_FILE": str(settings)}).stdout.strip()
    assert run("curl", "-sf", url, env=env).stdout == "hello"
    api("delete-objects", "--bucket", bucket, "--delete", '{"Objects":[{"Key":"k"},{"Key":"k3"}]}')
    run(*AWS, "s3api", "delete-bucket", "--bucket", bucket, env=env)


def test_s5cmd(store, tree, tmp_path):
    tool = [os.path.join(os.path.dirname(sys.executable), "s5cmd")]
    env = {**environment(store), "S3_ENDPOINT_URL": store.url, "AWS_REGION": "local"}
    bucket = "s5-" + uuid.uuid4().hex[:12]
    run(*tool, "mb", f"s3://{bucket}", env=env)
    run(*tool, "sync", f"{tree}/", f"s3://{bucket}/t/", env=env)
    run(*tool, "cp", "-p", "5", tree / "large.bin", f"s3://{bucket}/large", env=env)		# multipart
    run(*tool, "cp", f"s3://{bucket}/t/*", f"{tmp_path / 'back'}/", env=env)
    assert run("diff", "-r", tree, tmp_path / "back", env=env).stdout == ""
    run(*tool, "mv", f"s3://{bucket}/large", f"s3://{bucket}/t/moved", env=env)
    assert len(run(*tool, "ls", f"s3://{bucket}/t/*", env=env).stdout.splitlines()) == FILES + 2
    run(*tool, "rm", f"s3://{bucket}/*", env=env)
    run(*tool, "rb", f"s3://{bucket}", env=env)


@pytest.fixture(scope="module")
def node_modules():
    where = os.path.join(HERE, "js")
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=where, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    return where


def test_javascript_sdk(store, node_modules):
    env = {**environment(store), "BUCKET": "js-" + uuid.uuid4().hex[:12]}
    done = run("node", "everyday.mjs", env=env, cwd=node_modules)
    assert done.stdout.strip().endswith("done"), done.stdout
