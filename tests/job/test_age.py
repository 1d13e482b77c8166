"""What was not touched for long is warm, then cold; a read makes it hot again, and survives a restart."""
import json
import os
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "control"))

from api import Api  # noqa: E402

OBJECTS = 1000
FAST = ["--touch-interval", "100", "--age-interval", "200"]


def usage(store, bucket):
    info = Api(store).call("GET", f"/v1/cwobject/bucket-info/{bucket}")["info"]
    return {u["measurementType"]: int(u["value"]) for u in info["usage"]}


def ages(store, bucket):
    """Objects that are hot, warm, cold; their bytes are those of the class."""
    u = usage(store, bucket)
    assert sum(u[f"STANDARD_{a}_BYTES"] for a in ("HOT", "WARM", "COLD")) == u["STANDARD_BYTES"]
    return tuple(u[f"STANDARD_{a}_OBJECTS"] for a in ("HOT", "WARM", "COLD"))


def become(store, bucket, want, seconds=20):
    deadline = time.monotonic() + seconds
    while (got := ages(store, bucket)) != want:
        assert time.monotonic() < deadline, f"{bucket}: hot, warm, cold are {got}, want {want}"
        time.sleep(0.05)


def passes(store, n=2):
    """So many more passes of both jobs."""
    def seen():
        text = Api(store).raw("GET", "/metrics").text
        return [int(line.split()[-1]) for name in ("touch", "age")
                for line in text.splitlines() if line.startswith(f'caisson_job_passes_total{{name="{name}"}}')]
    begin = seen()
    deadline = time.monotonic() + 30
    while any(now - then < n for now, then in zip(seen(), begin)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_ages(new_store, build):
    store = new_store()
    s3 = store.client()
    for name in ("ten", "forty"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    store.stop()
    loader = os.path.join(os.path.dirname(store.binary), "bench", "load_keys")
    for name, days in (("ten", 10), ("forty", 40)):
        subprocess.run([loader, store.data, name, str(OBJECTS), str(days)], check=True, stdout=subprocess.DEVNULL)
    store.flags[:] = FAST
    store.start()
    s3 = store.client()
    become(store, "ten", (0, OBJECTS, 0))
    become(store, "forty", (0, 0, OBJECTS))
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket="forty", MaxKeys=12)["Contents"]]

    # What counts as an access, and what does not.
    for key in keys[:2]:
        s3.get_object(Bucket="forty", Key=key)["Body"].read()
    s3.head_object(Bucket="forty", Key=keys[2])
    s3.get_object_tagging(Bucket="forty", Key=keys[2])
    s3.head_object(Bucket="forty", Key=keys[3], Range="bytes=0-0")
    s3.copy_object(Bucket="ten", Key="copy", CopySource=f"forty/{keys[4]}")
    upload = s3.create_multipart_upload(Bucket="ten", Key="parts")["UploadId"]
    s3.upload_part_copy(Bucket="ten", Key="parts", UploadId=upload, PartNumber=1, CopySource=f"forty/{keys[5]}")
    s3.put_object(Bucket="forty", Key=keys[6], Body=bytes(16))
    s3.delete_object(Bucket="forty", Key=keys[7])
    become(store, "forty", (6, 0, OBJECTS - 7))
    become(store, "ten", (1, OBJECTS, 0))
    # It moves, and stays as hot as it was, or as cold.
    for n, key in ((0, keys[0]), (8, keys[8])):
        s3.rename_object(Bucket="forty", Key=f"renamed-{n}", RenameSource=key)
    passes(store)
    assert ages(store, "forty") == (6, 0, OBJECTS - 7)
    # What was read and deleted leaves nothing behind that a new object of that name would inherit.
    s3.delete_object(Bucket="forty", Key=keys[1])
    become(store, "forty", (5, 0, OBJECTS - 7))

    text = Api(store).raw("GET", "/metrics").text
    assert 'caisson_bucket_objects{bucket="forty",class="cold"} ' + str(OBJECTS - 7) in text
    assert 'caisson_bucket_objects{bucket="ten",class="warm"} ' + str(OBJECTS) in text
    # Killed, it keeps what was written down; stopped, it writes down what was noted last.
    store.kill()
    store.flags[:] = ["--touch-interval", "86400000", "--age-interval", "200"]
    store.start()
    assert ages(store, "forty") == (5, 0, OBJECTS - 7)
    s3 = store.client()
    time.sleep(0.5)		# the first pass comes at the start
    s3.get_object(Bucket="forty", Key=keys[9])["Body"].read()
    store.stop()
    store.flags[:] = FAST
    store.start()
    become(store, "forty", (6, 0, OBJECTS - 8))
    passes(store)
    assert ages(store, "forty") == (6, 0, OBJECTS - 8)
    store.stop()
    check = subprocess.run([store.binary, "check", "--data-dir", store.data], capture_output=True, text=True)
    assert check.returncode == 0 and "damage" not in check.stdout.split("\n")[0], check.stdout
    # A pass that was whole need not be made again at once, only because of a restart; one that is asked for is.
    store.flags[:] = ["--age-interval", "600000"]
    store.start()
    time.sleep(0.5)
    passes_now = lambda: Api(store).call("GET", "/v1/caisson/job/age")["job"]["passes"]	# noqa: E731
    assert passes_now() == 0
    assert subprocess.run([store.binary, "job", "run", "age", "--url", store.control, "--data-dir", store.data],
                          stdout=subprocess.DEVNULL).returncode == 0
    assert passes_now() == 1
