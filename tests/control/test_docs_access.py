"""The examples of docs/access.md, run as they stand there."""
import os
import re
import subprocess
import sys

import pytest

from store import TOP, Store
from test_federation import Key, Provider

ISSUER = "https://token.actions.githubusercontent.com"
SHOWN = {       # section -> what its commands print
    "Example: a bucket that everyone reads": ["to be read by all"],
    "Example: another organization reads": ["       2 one", "\n1\n"],
    "Example: a CI pipeline without a secret": [],
    "Example: checkpoints that are written once": ["PreconditionFailed", "AccessDenied"],
    "Audit log": ["auditLoggingEnabled: true"],
    "The master key": [],
}


def examples():
    """Section -> its shell text."""
    with open(os.path.join(TOP, "docs/access.md")) as file:
        sections = re.split(r"^## (.*)$", file.read(), flags=re.M)
    found = {title: "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)) for title, text in zip(sections[1::2], sections[2::2])}
    return {title: text for title, text in found.items() if text}


def strict(text):
    """"! COMMAND" must fail: bash itself does not mind."""
    text = re.sub(r"^! (.*?)( +#.*)?$", lambda m: f"if {m[1]}; then echo 'did not fail: {m[1].replace(chr(39), '')}'; exit 1; fi", text, flags=re.M)
    return "set -eu -o pipefail\n" + text


@pytest.fixture(scope="module")
def environment(build):
    """A store, a provider, and a shell that knows both."""
    provider, key = Provider(), Key("RS256", "one")
    provider.keys = [key]
    store = Store(build, "--meta-engine", "memory", "--blob-engine", "memory")
    variables = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "CAISSON_"))} | {
        "PATH": os.pathsep.join([os.path.dirname(store.binary), os.path.dirname(sys.executable), os.environ["PATH"]]),
        "CAISSON_CONTROL_URL": store.control, "CAISSON_TOKEN": store.token, "AWS_ENDPOINT_URL": store.url, "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": store.key, "AWS_SECRET_ACCESS_KEY": store.secret, "AWS_CONFIG_FILE": "/dev/null", "AWS_MAX_ATTEMPTS": "1",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    yield store, provider, variables, lambda: key.token(provider.claims(sub="repo:acme/app:ref:refs/heads/main"))
    provider.server.shutdown()
    store.close()


def test_all_are_known():
    assert set(examples()) == set(SHOWN)


@pytest.mark.timeout(1200)        # a dozen starts of the CLI, of a second each, or of a minute
@pytest.mark.parametrize("title", SHOWN)
def test_example(environment, tmp_path, title):
    store, provider, variables, token = environment
    if title == "Audit log":        # it speaks of the bucket of the first example
        store.client().create_bucket(Bucket="papers", CreateBucketConfiguration={"LocationConstraint": "local"})
    done = subprocess.run(["bash", "-c", strict(examples()[title].replace(ISSUER, provider.url))], cwd=tmp_path, timeout=1150,
                          env={**variables, "ID_TOKEN": token()}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                          text=True)
    assert done.returncode == 0, f"{title}:\n{done.stdout}"
    for words in SHOWN[title]:
        assert words in done.stdout, f"{title}: {words} is not in\n{done.stdout}"
