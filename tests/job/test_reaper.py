"""What is deleted, replaced or aborted leaves no bytes behind after a pass of the reaper, and nothing that lives is touched."""
import hashlib
import os
import re
import time

from store import check

PART = 5 << 20
FAST = ["--reap-grace", "200", "--reap-interval", "100"]


def disk_bytes(store):
    """Bytes that the blobs take on disk: holes do not count."""
    total = 0
    for folder, _, names in os.walk(os.path.join(store.data, "blobs")):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


def wait_below(store, limit, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if disk_bytes(store) < limit:
            return
        time.sleep(0.1)
    raise AssertionError(f"{disk_bytes(store)} bytes are still on disk, want less than {limit}")


def make(s3, name):
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    return name


def test_bytes_are_freed(new_store):
    store = new_store(*FAST)
    s3 = store.client()
    bucket = make(s3, "reaped")
    kept = os.urandom(6 << 20)
    s3.put_object(Bucket=bucket, Key="kept", Body=kept)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/kept")
    small = {f"small-{i}": os.urandom(40000) for i in range(20)}
    for key, body in small.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    base = disk_bytes(store)
    assert base > 6 << 20
    # deleted, replaced, aborted, a part replaced
    for i in range(4):
        s3.put_object(Bucket=bucket, Key=f"gone-{i}", Body=os.urandom(8 << 20))
        s3.put_object(Bucket=bucket, Key="replaced", Body=os.urandom(8 << 20))
    upload = s3.create_multipart_upload(Bucket=bucket, Key="mp")["UploadId"]
    for _ in range(2):
        s3.upload_part(Bucket=bucket, Key="mp", UploadId=upload, PartNumber=1, Body=os.urandom(PART))
    for i in range(4):
        s3.delete_object(Bucket=bucket, Key=f"gone-{i}")
    s3.delete_object(Bucket=bucket, Key="replaced")
    s3.abort_multipart_upload(Bucket=bucket, Key="mp", UploadId=upload)
    s3.delete_object(Bucket=bucket, Key="kept")		# its bytes live on in the copy
    for key in list(small)[:10]:
        s3.delete_object(Bucket=bucket, Key=key)
        del small[key]
    wait_below(store, base - 200000)
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == kept
    for key, body in small.items():
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
    s3.delete_object(Bucket=bucket, Key="copy")
    wait_below(store, 2 << 20)


def test_a_kill_between_delete_and_pass_leaves_nothing(new_store):
    store = new_store("--reap-grace", "200", "--reap-interval", "60000")
    s3 = store.client()
    bucket = make(s3, "reaped-later")
    for i in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{i}", Body=os.urandom(2 << 20))
        s3.delete_object(Bucket=bucket, Key=f"k{i}")
    s3.put_object(Bucket=bucket, Key="stays", Body=b"x" * (1 << 20))
    store.kill()
    time.sleep(0.3)
    store.flags[:] = FAST
    store.start()
    s3 = store.client()
    wait_below(store, 2 << 20)
    assert hashlib.md5(s3.get_object(Bucket=bucket, Key="stays")["Body"].read()).hexdigest() == hashlib.md5(b"x" * (1 << 20)).hexdigest()


def rows(build, store):
    """How many rows the index has; the store must have stopped, and be whole."""
    code, lines = check(build, store.data)
    assert code == 0, lines
    return int(re.search(r"checked (\d+) rows", lines[-2]).group(1))


def test_deleted_buckets_leave_no_rows(build, new_store):
    store = new_store(*FAST)
    make(store.client(), "stays")
    store.stop()
    before = rows(build, store)
    store.start()
    s3 = store.client()
    for i in range(30):
        bucket = make(s3, f"passing-{i}")
        s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 20000 * (i % 2))
        s3.delete_object(Bucket=bucket, Key="k")
        s3.delete_bucket(Bucket=bucket)
    deadline, left = time.monotonic() + 60, before + 100
    while left > before + 5 and time.monotonic() < deadline:		# the jobs' own memos
        time.sleep(1)
        store.stop()
        left = rows(build, store)
        store.start()
    assert left <= before + 5
    assert [b["Name"] for b in store.client().list_buckets()["Buckets"]] == ["stays"]
