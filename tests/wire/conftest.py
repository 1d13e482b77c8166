"""Fixtures of the wire tests. The store's sanitizer keeps little freed memory, so that growth means something."""
import uuid

import pytest

from store import Store

FRUGAL = {"ASAN_OPTIONS": "quarantine_size_mb=1:detect_leaks=1", "MALLOC_ARENA_MAX": "2"}


@pytest.fixture(scope="session")
def store(build):
    running = Store(build, environment=FRUGAL)
    yield running
    running.close()


@pytest.fixture
def new_store(build):
    started = []

    def start(*flags, **more):
        started.append(Store(build, *flags, environment={**FRUGAL, **more.pop("environment", {})}, **more))
        return started[-1]
    yield start
    for each in started:
        each.close()


def make_bucket(store):
    name = "w-" + uuid.uuid4().hex[:20]
    store.client().create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "US-TEST-01A"})
    return name


@pytest.fixture
def bucket(store):
    return make_bucket(store)
