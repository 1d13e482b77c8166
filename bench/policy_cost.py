"""What policies cost: instructions of a GET under 10 organization statements and a 20-statement bucket policy, against none.

    python3 bench/policy_cost.py [--build build] [--requests 400]

Runs the store under callgrind: the counts do not depend on the load of the machine. Without policies is the least that works: one
organization statement that allows everything to everyone, no bucket policy. In both others the statement that allows comes last, and the
others are of the kinds that real policies hold. Exits with 1 if the ratio is above 1.10.
"""
import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import requests

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TOP, "tests")]

from s3lib import Client  # noqa: E402
from store import Store  # noqa: E402

BUCKET, RATIO_MAX = "policy-cost", 1.10
CREATE = b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint></CreateBucketConfiguration>"


class Grind(Store):
    """The store under callgrind."""

    def __init__(self, build, out):
        self.out = out
        super().__init__(build, "--meta-engine", "memory", "--blob-engine", "memory", "--loops", "1")

    def command(self):
        return ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={self.out}/out", *super().command()]

    def control_callgrind(self, *arguments):
        subprocess.run(["callgrind_control", *arguments, str(self.process.pid)], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)


def organization(org, principal):
    """Ten statements, the last of which allows."""
    statements = [("Deny", ["s3:DeleteObject", "s3:DeleteObjectVersion"], [f"archive-{i}/*"], ["*"]) for i in range(3)]
    statements += [("Allow", ["s3:GetObject", "s3:ListBucket"], [f"team-{i}", f"team-{i}/*"], [f"coreweave/user{i}", f"role/team{i}*"])
                   for i in range(6)]
    statements += [("Allow", ["s3:*"], ["*"], [principal])]
    return {"policy": {"version": "v1alpha1", "name": "ten", "statements": [
        {"name": f"s{i}", "effect": e, "actions": a, "resources": r, "principals": p} for i, (e, a, r, p) in enumerate(statements)]}}


def bucket_policy(org, principal):
    """Twenty statements, the last of which allows."""
    base = f"arn:aws:s3:::{BUCKET}"
    statements = [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{org}:coreweave/user{i}"}, "Action": "s3:GetObject",
                   "Resource": f"{base}/team-{i}/*"} for i in range(8)]
    statements += [{"Effect": "Deny", "Principal": "*", "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
                    "Resource": f"{base}/checkpoints-{i}/*"} for i in range(4)]
    statements += [{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{base}/private-{i}/*",
                    "Condition": {"StringNotEquals": {"cw:PrincipalOrgID": org}}} for i in range(4)]
    statements += [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [base, f"{base}/*"],
                    "Condition": {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "127.0.0.0/8"]}}},
                   {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [base, f"{base}/*"],
                    "Condition": {"StringLike": {"aws:UserAgent": "*bad-crawler*"}}},
                   {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{org}:root"}, "Action": "s3:ListBucket", "Resource": base},
                   {"Effect": "Allow", "Principal": {"CW": f"arn:aws:iam::{org}:{principal}"}, "Action": "s3:*",
                    "Resource": [base, f"{base}/*"]}]
    assert len(statements) == 20
    return json.dumps({"Version": "2012-10-17", "Statement": statements}).encode()


def ok(answer):
    assert answer.status in (200, 204), answer
    return answer


def measure(store, client, n, out):
    """Instructions of one GET."""
    for _ in range(50):
        ok(client.call("GET", BUCKET, "data/object"))
    before = set(glob.glob(out + "/out*"))
    store.control_callgrind("-z")
    for _ in range(n):
        ok(client.call("GET", BUCKET, "data/object"))
    store.control_callgrind("-d")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        files = sorted(set(glob.glob(out + "/out*")) - before)
        sums = [re.search(r"^(?:summary|totals): (\d+)", open(f).read(), re.M) for f in files]
        if sums and all(sums):
            return sum(int(s[1]) for s in sums) / n
        time.sleep(0.1)
    raise SystemExit("callgrind wrote no counts")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--requests", type=int, default=400)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as out:
        store = Grind(given.build, out)
        try:
            headers = {"Authorization": f"Bearer {store.token}"}
            user = requests.get(store.control + "/v1/caisson/user", headers=headers, timeout=60).json()["users"][0]
            client = Client(store.host, store.port, store.key, store.secret, timeout=120)
            ok(client.call("PUT", BUCKET, body=CREATE))
            ok(client.call("PUT", BUCKET, "data/object", body=b"x" * 1024))
            none = measure(store, client, given.requests, out)
            answer = requests.post(store.control + "/v1/cwobject/access-policy", headers=headers, timeout=60,
                                   json=organization(user["orgId"], user["principalName"]))
            assert answer.status_code == 200, answer.text
            requests.delete(store.control + "/v1/cwobject/access-policy/allow-all", headers=headers, timeout=60).raise_for_status()
            ok(client.call("PUT", BUCKET, query={"policy": ""}, body=bucket_policy(user["orgId"], user["principalName"])))
            some = measure(store, client, given.requests, out)
        finally:
            store.close()
    print(f"instructions of a GET: {none:.0f} without policies, {some:.0f} with 10 + 20 statements: ratio {some / none:.3f}")
    return 0 if some / none <= RATIO_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
