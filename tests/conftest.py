"""Fixtures of all black-box tests. --build DIR says which build to test (build-asan in CI)."""
import os
import sys
import uuid

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from s3lib import Client  # noqa: E402
from store import Store  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--build", default="build", help="build directory to test")


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
def raw(store):
    """A client that sends what it is told: tests/s3lib.py."""
    client = Client(store.host, store.port, store.key, store.secret)
    yield client
    client.close()


@pytest.fixture
def bucket(s3):
    """A fresh bucket, emptied and removed afterwards as far as that is possible."""
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
