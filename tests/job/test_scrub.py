"""The scrub of a running store: it names what is damaged, raises no alarm under load, and goes on where it was after a crash."""
import glob
import os
import re
import subprocess
import sys
import threading
import time
import uuid

import requests

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "control"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "crash"))

from api import Api  # noqa: E402
from store import check  # noqa: E402

PART = 5 << 20


def make(s3, name):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    return name


def command(store, *arguments):
    done = subprocess.run([store.binary, *arguments, "--url", store.control, "--data-dir", store.data], text=True, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.splitlines()


def test_names_what_is_damaged(new_store):
    store = new_store()
    s3, bucket = store.client(), "scrubbed"
    make(s3, bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = [s3.put_object(Bucket=bucket, Key="a key/é", Body=os.urandom(1 << 20))["VersionId"] for _ in range(3)]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a key/é", "VersionId": versions[1]})
    assert command(store, "scrub") == (0, ["scrub: 3145728 bytes seen, 0 damaged, 0 left behind, 0 steps failed"])
    second = sorted(glob.glob(os.path.join(store.data, "blobs", "own", "*", "*")))[1]
    with open(second, "r+b") as file:
        file.seek(300000)
        file.write(b"rot")
    code, lines = command(store, "scrub")
    assert code == 1, lines
    assert len(lines) == 3 and lines[-1].endswith("2 damaged, 0 left behind, 0 steps failed"), lines
    assert all("does not match its checksum at byte 294912" in line for line in lines[:2])
    assert f"bucket={bucket} key=a%20key/%C3%A9 version={versions[1]}:" in lines[0] + lines[1]
    assert f"bucket={bucket} key=copy version=" in lines[0] + lines[1]
    assert lines[0] in store.output()		# and in the log
    metrics = requests.get(store.control + "/metrics", timeout=30).text
    assert 'caisson_job_findings_total{name="scrub"} 2' in metrics, re.findall(r".*findings.*", metrics)
    s3.delete_object(Bucket=bucket, Key="a key/é", VersionId=versions[1])
    s3.delete_object(Bucket=bucket, Key="copy", VersionId=s3.head_object(Bucket=bucket, Key="copy")["VersionId"])
    assert command(store, "scrub")[0] == 0		# nobody needs those bytes any more


def test_jobs_are_run_and_shown(new_store):
    store = new_store("--scrub-interval", "0")
    api = Api(store)
    jobs = api.call("GET", "/v1/caisson/job")["jobs"]
    assert {"sweep", "reaper", "lifecycle", "backup", "scrub", "keys"} <= {j["name"] for j in jobs}
    before = api.call("GET", "/v1/caisson/job/scrub")["job"]["passes"]
    for name in ("sweep", "reaper", "lifecycle", "scrub"):
        assert command(store, "job", "run", name)[0] == 0
    assert api.call("GET", "/v1/caisson/job/scrub")["job"]["passes"] == before + 1
    ticket = api.call("POST", "/v1/caisson/job/reaper/run")["ticket"]
    assert api.call("POST", "/v1/caisson/job/reaper/run")["ticket"] == ticket + 1
    assert "does not exist" in api.fails("GET", "/v1/caisson/job/tidy", 404, 5)
    assert command(store, "job", "run", "tidy")[0] == 1
    _, user = api.user("nobody-" + uuid.uuid4().hex[:6])
    user.fails("POST", "/v1/caisson/job/scrub/run", 403, 7)


class Load(threading.Thread):
    """Everything that changes bytes in the store, over and over, on few keys."""

    def __init__(self, store, number):
        super().__init__(daemon=True)
        self.store, self.number, self.stopping, self.rounds = store, number, False, 0

    def run(self):
        s3 = self.store.client()
        bucket, other, n = f"load-{self.number % 2}", f"load-{1 - self.number % 2}", self.number
        while not self.stopping:
            for size in (100, 30000, 700000, 1200000):
                s3.put_object(Bucket=bucket, Key=f"{n}-{size}", Body=os.urandom(size))
            s3.copy_object(Bucket=other, Key=f"{n}-copy", CopySource=f"{bucket}/{n}-30000")
            s3.copy_object(Bucket=bucket, Key=f"{n}-copy", CopySource=f"{bucket}/{n}-700000")
            s3.delete_object(Bucket=bucket, Key=f"{n}-700000")
            upload = s3.create_multipart_upload(Bucket=bucket, Key=f"{n}-parts")["UploadId"]
            where = {"Bucket": bucket, "Key": f"{n}-parts", "UploadId": upload}
            for _ in range(2):
                etag = s3.upload_part(**where, PartNumber=1, Body=os.urandom(50000))["ETag"]
            s3.upload_part_copy(**where, PartNumber=2, CopySource=f"{other}/{n}-copy")
            if self.rounds % 2:
                s3.abort_multipart_upload(**where)
            else:
                s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
            self.rounds += 1


def test_no_alarm_under_load(new_store):
    """Passes beside writers and a reaper without any grace: whatever they catch half done is in order."""
    store = new_store("--reap-grace", "0", "--reap-interval", "100", "--scrub-interval", "0")
    s3 = store.client()
    for name in ("load-0", "load-1"):
        make(s3, name)
    s3.put_bucket_versioning(Bucket="load-1", VersioningConfiguration={"Status": "Enabled"})
    load = [Load(store, n) for n in range(4)]
    for each in load:
        each.start()
    passes, end = 0, time.monotonic() + 20
    while time.monotonic() < end:
        code, lines = command(store, "scrub")
        assert code == 0 and lines[-1].endswith("0 damaged, 0 left behind, 0 steps failed"), lines
        passes += 1
    for each in load:
        each.stopping = True
    for each in load:
        each.join(60)
        assert each.rounds > 1
    assert passes >= 1


def blob_files(store):
    return [p for p in glob.glob(os.path.join(store.data, "blobs", "*", "**"), recursive=True) if os.path.isfile(p)]


def test_frees_what_nobody_owns(new_store):
    """Blobs come back whose deletion a power cut has undone, in files that the sweep has long done with: the scrub frees them."""
    store = new_store("--reap-grace", "0", "--reap-interval", "100", "--scrub-interval", "0", "--sweep-interval", "600000")
    s3, bucket = store.client(), "returned"
    make(s3, bucket)
    bodies = {f"{n}-{size}": os.urandom(size) for n in range(3) for size in (30000, 700000)}
    for key, body in bodies.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    store.stop()
    store.start()
    assert command(store, "job", "run", "sweep")[0] == 0		# what was there before is vouched for from now on
    store.stop()
    saved = {path: open(path, "rb").read() for path in blob_files(store)}
    store.start()
    s3 = store.client()
    for key in ("0-30000", "1-30000", "0-700000"):
        s3.delete_object(Bucket=bucket, Key=key)
        del bodies[key]
    time.sleep(0.1)
    assert command(store, "job", "run", "reaper")[0] == 0
    store.stop()
    assert check(os.path.dirname(store.binary), store.data, "--strict")[0] == 0
    for path, bytes_ in saved.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(bytes_)
    store.flags[:] = ["--reap-grace", "3600000", "--scrub-interval", "0", "--sweep-interval", "600000"]
    store.start()
    s3 = store.client()
    code, lines = command(store, "scrub")
    assert code == 0 and lines[-1].endswith("0 damaged, 3 left behind, 0 steps failed"), lines	# younger than the grace period
    store.stop()
    store.flags[1] = "0"
    store.start()
    s3 = store.client()
    assert command(store, "job", "run", "sweep")[1] == ["sweep: 0 blobs seen, 0 damaged, 0 left behind, 0 steps failed"]
    # As long as anything is damaged nothing is freed: what is lost may be the row that named the owner.
    s3.put_object(Bucket=bucket, Key="rotten", Body=os.urandom(900000))
    rotten = max(glob.glob(os.path.join(store.data, "blobs", "own", "*", "*")), key=os.path.getctime)
    with open(rotten, "r+b") as file:
        file.write(b"rot")
    code, lines = command(store, "scrub")
    assert code == 1 and lines[-1].endswith("1 damaged, 3 left behind, 0 steps failed"), lines
    s3.delete_object(Bucket=bucket, Key="rotten")
    code, lines = command(store, "scrub")
    assert code == 0 and lines[-1].endswith("0 damaged, 0 left behind, 0 steps failed"), lines
    assert len(lines) == 5 and all(line.endswith("is owned by nobody") for line in lines[:3]), lines
    assert lines[3] == "freed 3 blobs that nobody owned", lines
    assert command(store, "scrub")[1][0].endswith("0 damaged, 0 left behind, 0 steps failed")
    for key, body in bodies.items():
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
    assert command(store, "job", "run", "reaper")[0] == 0
    store.stop()
    assert check(os.path.dirname(store.binary), store.data, "--strict")[0] == 0


def test_goes_on_after_a_kill(new_store):
    store = new_store("--scrub-interval", "0", "--scrub-rate", "8388608")
    s3 = store.client()
    make(s3, "long")
    total = 0
    for i in range(60):
        s3.put_object(Bucket="long", Key=f"{i}", Body=bytes([i]) * (2 << 20))
        total += 2 << 20
    assert command(store, "job", "start", "scrub")[0] == 0
    time.sleep(9)
    store.kill()
    store.flags[:] = ["--scrub-interval", "600000"]
    store.start()
    api, deadline = Api(store), time.monotonic() + 30
    while time.monotonic() < deadline:
        job = api.call("GET", "/v1/caisson/job/scrub")["job"]
        if job["passes"] == 1:
            break
        time.sleep(0.1)
    assert job["passes"] == 1 and job["percent"] == 100, job
    assert 0 < job["passSeen"] <= total - (32 << 20), job	# the rest, not all of it again
    store.stop()
    store.start()
    time.sleep(0.5)
    assert Api(store).call("GET", "/v1/caisson/job/scrub")["job"]["passes"] == 0	# not due yet
