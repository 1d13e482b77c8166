"""A store to test against, one for each test process.

The fixtures start `caisson serve` on free ports with a data directory of its own, and stop it by its process id.
--build DIR says which build to test (build-asan in CI).
"""
import configparser
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def pytest_addoption(parser):
    parser.addoption("--build", default="build", help="build directory to test")


class Store:
    """A running caisson and how to reach it."""

    def __init__(self, build, *flags, data=None, environment=None):
        self.binary = os.path.join(TOP, build, "caisson")
        self.flags = list(flags)
        self.environment = environment or {}
        self.owned = data is None
        self.data = data or tempfile.mkdtemp(prefix="caisson-test-")
        self.process = None
        self.start()

    def start(self, timeout=60):
        self.log = open(os.path.join(self.data, "test.log"), "ab+")
        self.log.seek(0, 2)
        begin = self.log.tell()
        self.process = subprocess.Popen(
            [self.binary, "serve", "--data-dir", self.data, "--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0",
             *self.flags], stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={**os.environ, **self.environment})
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            text = self.output(begin)
            ready = re.search(r"^ready: s3=(\S+) control=(\S+)", text, re.M)
            if ready:
                break
            if self.process.poll() is not None:
                raise RuntimeError(f"caisson ended with {self.process.returncode}:\n{text[-4000:]}")
            time.sleep(0.02)
        else:
            raise RuntimeError("caisson was not ready in time:\n" + self.output(begin)[-4000:])
        self.url, self.control = ready.group(1), ready.group(2)
        self.host, self.port = re.match(r"https?://(.+):(\d+)$", self.url).groups()
        self.port = int(self.port)
        profile = configparser.ConfigParser()
        profile.read(os.path.join(self.data, "credentials"))
        self.key = profile["caisson"]["aws_access_key_id"]
        self.secret = profile["caisson"]["aws_secret_access_key"]
        with open(os.path.join(self.data, "admin-token")) as token:
            self.token = token.read().strip()

    def output(self, begin=0):
        with open(os.path.join(self.data, "test.log"), errors="replace") as log:
            log.seek(begin)
            return log.read()

    def kill(self):
        """As a crash: no drain, no goodbye."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def stop(self, timeout=60):
        """As an operator: SIGTERM, drain. Gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout)
        self.log.close()
        return code

    def close(self):
        if self.process.poll() is None:
            code = self.stop()
        else:
            code = self.process.returncode
        text = self.output()
        if self.owned:
            shutil.rmtree(self.data, ignore_errors=True)
        assert "ERROR: AddressSanitizer" not in text and "runtime error:" not in text \
            and "ERROR: LeakSanitizer" not in text and "panic:" not in text, text[-6000:]
        assert code == 0, f"exit code {code}\n{text[-4000:]}"

    def client(self, name="s3", **more):
        import boto3
        from botocore.config import Config
        config = {"retries": {"max_attempts": 1}, "connect_timeout": 10, "read_timeout": 60, **more.pop("config", {})}
        arguments = {"endpoint_url": self.url, "aws_access_key_id": self.key, "aws_secret_access_key": self.secret,
                     "region_name": "us-east-1", **more}
        return boto3.client(name, config=Config(**config), **arguments)


@pytest.fixture(scope="session")
def build(request):
    return request.config.getoption("--build")


@pytest.fixture(scope="session")
def store(build):
    """One store for all tests of a process; each test makes its own buckets."""
    running = Store(build)
    yield running
    running.close()


@pytest.fixture
def new_store(build):
    """A function that starts further stores; all are stopped at the end of the test."""
    started = []

    def start(*flags, **more):
        started.append(Store(build, *flags, **more))
        return started[-1]
    yield start
    for each in started:
        each.close()


@pytest.fixture(scope="session")
def s3(store):
    return store.client()


@pytest.fixture
def bucket(s3):
    """A fresh bucket, emptied and removed afterwards as far as that is possible."""
    import uuid
    name = "t-" + uuid.uuid4().hex[:20]
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    yield name
    empty(s3, name)
    s3.delete_bucket(Bucket=name)


def empty(s3, name):
    """Remove every version, marker and upload of a bucket."""
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=name):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for version in page.get("Versions", []) + page.get("DeleteMarkers", []):
            s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
