"""Random sequences of S3 calls against the reference model (tests/s3/model.py).

CAISSON_SEED=N replays one seed, CAISSON_MODEL_OPS=N makes a longer run.
"""
import os
import random
import sys
import uuid

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "control")]

from api import Api  # noqa: E402
from model import sequence, shrink, try_sequence  # noqa: E402
from s3lib import Client  # noqa: E402

LENGTH = 500
COUNT = max(1, int(os.environ.get("CAISSON_MODEL_OPS", "10000")) // LENGTH)
SEEDS = [int(os.environ["CAISSON_SEED"])] if "CAISSON_SEED" in os.environ else list(range(1, COUNT)) + [0]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", SEEDS)
def test_model(store, seed):
    seed = seed or random.randrange(1 << 30)	# one of them is new each time
    client = Client(store.host, store.port, store.key, store.secret, timeout=60)
    operations = sequence(seed, LENGTH)
    serial = uuid.uuid4().hex[:12]
    api = Api(store)
    usage = lambda bucket: {row["measurementType"]: int(row["value"]) for row in api.call("GET", "/v1/cwobject/bucket-info/" + bucket)["info"]["usage"]}
    fault = try_sequence(client, operations, serial, usage)
    if fault:
        short = shrink(client, operations[:fault[0] + 1], serial, usage)
        again = try_sequence(client, short, serial + "-last", usage)
        pytest.fail(f"seed {seed}: {fault[1]}\nshrunk to {len(short)} operations:\n" + "\n".join(map(str, short)) + f"\n{again}")
