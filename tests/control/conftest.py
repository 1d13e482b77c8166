import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from api import Api  # noqa: E402


@pytest.fixture(scope="session")
def api(store):
    return Api(store)
