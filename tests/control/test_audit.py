"""The audit log: when there is a line, what is in it, and that none is lost in silence."""
import json
import os
import sys
import threading
import time
import uuid

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "s3"))

from api import Api  # noqa: E402
from s3lib import Client  # noqa: E402
from signing import Request  # noqa: E402

CREATE = b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint></CreateBucketConfiguration>"


class Log:
    """What was written since it was last asked."""

    def __init__(self, store):
        self.file, self.rest = open(store.data + "/audit.log"), ""

    def new(self):
        """Whole lines only: we may read while one is being written."""
        *lines, self.rest = (self.rest + self.file.read()).split("\n")
        return [json.loads(line) for line in lines]

    def lines(self, n):
        """The next n lines, and no more within a moment."""
        found, deadline = [], time.monotonic() + 60
        while len(found) < n and time.monotonic() < deadline:
            found += self.new()
            time.sleep(0.01)
        time.sleep(0.1)
        found += self.new()
        assert len(found) == n, found
        return found


class World:
    def __init__(self, store):
        self.store, self.api = store, Api(store)
        self.client = Client(store.host, store.port, store.key, store.secret)
        info = self.api.call("GET", "/v1/cwobject/access-key/" + store.key)["info"]
        self.org, self.principal = info["orgId"], info["principalName"]
        self.log = Log(store)

    def bucket(self, **settings):
        name = "audit-" + uuid.uuid4().hex[:8]
        assert self.client.call("PUT", name, body=CREATE).status == 200
        if settings:
            self.api.call("PUT", "/v1/cwobject/bucket/settings", {"bucketName": name, "settings": settings})
        return name

    def organization(self, **settings):
        self.api.call("PUT", "/v1/cwobject/organization/settings", {"settings": settings})


@pytest.fixture(scope="module")
def world(build):
    from store import Store
    store = Store(build, "--meta-engine", "memory", "--blob-engine", "memory")
    yield World(store)
    store.close()


def test_switches(world):
    """Off at first; of a bucket; of all buckets of an organization; of its control plane."""
    loud, quiet = world.bucket(auditLoggingEnabled=True), world.bucket()
    for name in (loud, quiet):
        world.client.call("PUT", name, "k", body=b"x")
    assert [line["bucket"] for line in world.log.lines(1)] == [loud]
    world.organization(bucketAuditLoggingEnabled=True)
    world.client.call("GET", quiet, "k")
    world.client.call("GET", "")
    new = world.bucket()
    assert [(line["operation"], line.get("bucket")) for line in world.log.lines(3)] == [
        ("GetObject", quiet), ("ListBuckets", None), ("CreateBucket", new)]
    world.organization(bucketAuditLoggingEnabled=False, controlPlaneAuditLoggingEnabled=True)
    world.client.call("GET", quiet, "k")
    world.api.call("GET", "/v1/cwobject/access-policy")
    world.organization(controlPlaneAuditLoggingEnabled=False)
    world.api.call("GET", "/v1/cwobject/access-policy")
    assert [line["operation"] for line in world.log.lines(3)] == [       # who ends the log is in it
        "SetOrganizationSettings", "ListAccessPolicies", "SetOrganizationSettings"]


def test_what_a_line_says(world):
    bucket = world.bucket(auditLoggingEnabled=True)
    policy = {"Version": "2012-10-17", "Id": "p", "Statement": [
        {"Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]},
        {"Sid": "keep", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{bucket}/*"}]}
    answer = world.client.call("PUT", bucket, "a \"key\" of ä", body=b"x" * 1000, headers={"user-agent": "test/1"})
    world.client.call("PUT", bucket, query={"policy": ""}, body=json.dumps(policy).encode())
    world.client.call("GET", bucket, "a \"key\" of ä")
    world.client.call("DELETE", bucket, "k", query={"versionId": "null"})
    Request(world.store, "GET", f"/{bucket}/none").send()
    Request(world.store, "GET", f"/{bucket}/none", secret="wrong").sign().send()
    put, set_, get, delete, *strangers = world.log.lines(6)
    anonymous, unknown = sorted(strangers, key=lambda line: "error" in line and line["error"] == "SignatureDoesNotMatch")   # two connections
    assert {n: put[n] for n in put if n not in ("time", "durationMicros")} == {
        "plane": "data", "requestId": answer.headers["x-amz-request-id"], "operation": "PutObject", "principal": world.principal,
        "principalOrgId": world.org, "accessKeyId": world.store.key, "sourceIp": "127.0.0.1", "userAgent": "test/1", "orgId": world.org,
        "bucket": bucket, "key": "a \"key\" of ä", "decision": "allow", "decidedBy": 'organization policy "allow-all": Allow "everything"',
        "status": 200, "bytesIn": 1000, "bytesOut": 0}
    assert put["time"].endswith("Z") and 0 < put["durationMicros"] < 60e6
    assert set_["operation"] == "PutBucketPolicy" and set_["status"] == 204
    assert (get["decidedBy"], get["bytesOut"]) == ('bucket policy "p": Allow "all"', 1000)
    assert (delete["decision"], delete["decidedBy"], delete["status"], delete["error"], delete["versionId"]) == (
        "deny", 'bucket policy "p": Deny "keep"', 403, "AccessDenied", "null")
    assert (anonymous["principal"], anonymous["decision"], anonymous["status"]) == ("anonymous", "allow", 404)
    assert "principalOrgId" not in anonymous and "accessKeyId" not in anonymous
    assert (unknown["decision"], unknown["error"], unknown["status"]) == ("none", "SignatureDoesNotMatch", 403)


def test_guests(world):
    """Of another organization: the line is in the log of the bucket's, and says both."""
    bucket = world.bucket(auditLoggingEnabled=True)
    theirs = world.api.call("POST", "/v1/caisson/organization", {"name": "guests"})["organization"]["orgId"]
    principal, _ = world.api.user("guest", params={"org": theirs})
    key = world.api.call("POST", "/v1/cwobject/access-key", {"durationSeconds": 0, "principalName": principal}, params={"org": theirs})
    guest = Client(world.store.host, world.store.port, key["accessKeyId"], key["secretKey"])
    world.log.lines(0)
    guest.call("GET", bucket, "k")
    world.api.policy("guests", [principal], ["s3:GetObject"], params={"org": theirs})
    guest.call("GET", bucket, "k")
    one, two = world.log.lines(2)
    assert (one["principalOrgId"], one["orgId"], one["decision"], one["decidedBy"]) == (theirs, world.org, "deny", "no organization policy allows it")
    assert two["decidedBy"] == "the bucket has no policy"


def test_control_plane(world):
    principal, user = world.api.user("someone")
    world.organization(controlPlaneAuditLoggingEnabled=True)
    made = world.api.call("POST", "/v1/cwobject/access-key", {"durationSeconds": 60}, headers={"User-Agent": "test/2"})
    user.fails("GET", "/v1/cwobject/access-policy", 403, 7)
    world.api.fails("DELETE", "/v1/cwobject/access-policy/none", 404, 5)
    world.organization(controlPlaneAuditLoggingEnabled=False)
    _, create, denied, missing, _ = world.log.lines(5)
    assert {n: create[n] for n in create if n not in ("time", "durationMicros", "requestId")} == {
        "plane": "control", "operation": "CreateAccessKeyFromJWT", "principal": world.principal, "principalOrgId": world.org,
        "sourceIp": "127.0.0.1", "userAgent": "test/2", "orgId": world.org, "resource": made["accessKeyId"], "decision": "allow",
        "decidedBy": "administrator", "status": 200, "bytesIn": 0, "bytesOut": 0}
    assert (denied["principal"], denied["decision"], denied["decidedBy"], denied["status"]) == (
        principal, "deny", "no organization policy allows it", 403)
    assert (missing["resource"], missing["status"]) == ("none", 404)


def metric(store, name):
    for line in Api(store).raw("GET", "/metrics").text.splitlines():
        if line.startswith(name + " "):
            return int(line.split()[1])
    raise AssertionError(name)


def test_a_log_that_stands_still(new_store, tmp_path):
    """Nobody reads: requests go on, what does not fit is counted, and the next line that fits says how many are missing."""
    fifo = str(tmp_path / "log")
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    store = new_store("--meta-engine", "memory", "--blob-engine", "memory", "--audit-log", fifo)
    world = Client(store.host, store.port, store.key, store.secret)
    assert world.call("PUT", "still", body=CREATE).status == 200
    Api(store).call("PUT", "/v1/cwobject/bucket/settings", {"bucketName": "still", "settings": {"auditLoggingEnabled": True}})
    asked = 0
    while metric(store, "caisson_audit_lines_dropped_total") < 10:
        for _ in range(100):
            assert world.call("GET", "still", "k", headers={"user-agent": "u" * 7000}).status == 404
        asked += 100
        assert asked < 5000
    dropped, text = metric(store, "caisson_audit_lines_dropped_total"), []

    def read():
        os.set_blocking(reader, True)
        while piece := os.read(reader, 1 << 16):
            text.append(piece)
    thread = threading.Thread(target=read)
    thread.start()
    deadline = time.monotonic() + 120
    while metric(store, "caisson_audit_lines_written_total") < asked - dropped and time.monotonic() < deadline:
        time.sleep(0.05)
    assert world.call("GET", "still", "last").status == 404
    store.stop()
    thread.join()
    os.close(reader)
    lines = [json.loads(line) for line in b"".join(text).splitlines()]
    assert lines[-1]["key"] == "last" and lines[-1]["linesDroppedBefore"] == dropped and len(lines) + dropped == asked + 1


def test_a_disk_that_refuses(new_store):
    store = new_store("--meta-engine", "memory", "--blob-engine", "memory", "--audit-log", "/dev/full")
    client = Client(store.host, store.port, store.key, store.secret)
    assert client.call("PUT", "full", body=CREATE).status == 200
    Api(store).call("PUT", "/v1/cwobject/bucket/settings", {"bucketName": "full", "settings": {"auditLoggingEnabled": True}})
    for _ in range(20):
        assert client.call("GET", "full", "k").status == 404
    deadline = time.monotonic() + 60
    while metric(store, "caisson_audit_lines_failed_total") < 20 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert metric(store, "caisson_audit_lines_failed_total") == 20 and metric(store, "caisson_audit_lines_written_total") == 0
