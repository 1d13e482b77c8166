"""The command line over the control API, as an administrator types it."""
import json
import os
import subprocess
import uuid

import pytest


@pytest.fixture
def run(store):
    def run(*arguments, code=0, token=True):
        environment = {**os.environ, "CAISSON_CONTROL_URL": store.control}
        environment.pop("CAISSON_TOKEN", None)
        more = ["--data-dir", store.data] if token else []
        done = subprocess.run([store.binary, *arguments, *more], env=environment, capture_output=True, text=True, timeout=250)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if code == 0 else done.stderr
    return run


def test_keys(run):
    made = json.loads(run("key", "create", "--duration", "60", "--attribute", "team=a", "--attribute", "run=b", "--json"))
    assert made["attributes"] == {"team": "a", "run": "b"}
    assert made["accessKeyId"] in run("key", "list")
    shown = run("key", "show", made["accessKeyId"])
    assert "status: ACTIVE" in shown and made["secretKey"] not in shown
    run("key", "revoke", made["accessKeyId"])
    assert "does not exist" in run("key", "show", made["accessKeyId"], code=1)


def test_users_tokens_policies(run, tmp_path):
    user = json.loads(run("user", "create", "alice", "--role", "user", "--group", "g1", "--group", "g2", "--json"))["user"]
    principal = user["principalName"]
    assert user["groups"] == ["g1", "g2"]
    assert json.loads(run("user", "set", principal, "--role", "admin", "--json"))["user"]["role"] == "admin"
    token = json.loads(run("token", "create", principal, "--name", "laptop", "--json"))
    assert token["info"]["tokenId"] in run("token", "list")
    name = "cli-" + uuid.uuid4().hex[:6]
    file = tmp_path / "p.json"
    file.write_text(json.dumps({"policy": {"version": "v1alpha1", "name": name, "statements": [
        {"name": "s", "effect": "Allow", "actions": ["s3:GetObject"], "resources": ["*"], "principals": [principal]}]}}))
    run("policy", "ensure", str(file))
    assert name in run("policy", "list")
    assert "allowed: true" in run("policy", "can-i", "s3:GetObject", "s3:PutObject", "--resource", "b/k")
    run("policy", "delete", name)
    run("token", "revoke", token["info"]["tokenId"])
    run("user", "delete", principal)
    assert principal not in run("user", "list")


def test_buckets(run, bucket):
    assert bucket in run("bucket", "list")
    assert "capacityCapBytes: 1000" in run("bucket", "set", bucket, "--cap", "1000", "--audit", "false")
    assert "US-TEST-01A" in run("bucket", "show", bucket)


def test_mistakes(run, store, tmp_path):
    assert "there is no command" in run("nothing", code=2)
    assert "usage: caisson key" in run("key", code=2)
    assert "an argument is missing: \"accessKeyId\"" in run("key", "show", code=2)
    assert "--wrong" in run("key", "list", "--wrong", "1", code=2)
    assert "not a good value" in run("key", "create", "--duration", "soon", code=2)
    assert "give a token" in run("key", "list", code=2, token=False)
    assert "No such file" in run("policy", "ensure", str(tmp_path / "none"), code=2)
    assert "connect" in run("key", "list", "--url", "http://127.0.0.1:1", code=1)
    assert "usage: caisson key create" in run("key", "create", "--help", token=False)


def test_manual(run):
    assert ".TH CAISSON 1" in run("manual", "man", token=False)
    complete = lambda *words: subprocess.run(
        ["bash", "-c", 'eval "$1"; shift; COMP_WORDS=(caisson "$@"); COMP_CWORD=$#; _caisson; echo "${COMPREPLY[@]}"', "bash",
         run("manual", "bash", token=False), *words], capture_output=True, text=True, check=True).stdout.split()
    assert complete("se") == ["serve"] and {"serve", "key", "help"} <= set(complete(""))
    assert complete("key", "cr") == complete("token", "c") == ["create"]
    assert complete("serve", "--inl") == ["--inline-max"]
    assert complete("serve", "--config", "x") == []		# a file: bash's own completion
    assert "--token-file" in complete("key", "create", "--")
    assert "inline_max (bytes, 0 to 65536; default: 4096)" in run("serve", "--help-config", token=False)
