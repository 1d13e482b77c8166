"""Fixed workloads side by side in one run: Caisson, nginx, RocksDB alone, what MD5 and the disk allow, any other S3 endpoint.

    make bench
    tools/bench --only reads,writes --seconds 5 --rounds 5
    tools/bench --peer garage=http://127.0.0.1:3900,KEY,SECRET
    tools/bench --short            smoke test: every row, seconds, figures that mean nothing
    tools/bench --keys 10000000 --docs docs/performance.md

Contenders of one workload take turns, round by round, since machines are noisy: compare ratios, not absolute numbers. Load comes from
wrk with presigned URLs. Prints a table; writes bench.json and bench.svg into --out. Nothing timed here gates CI.
What each row is measured against, and the last quiet run: docs/performance.md.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

import background
import calls
import keys
import reads
import writes
from contender import BUCKET, CREATE, TOP, Caisson, has, peer, start_nginx
from report import Table

SUITES = ("reads", "writes", "calls", "keys", "background", "policies")


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--seconds", type=int, help="of each run (4)")
    parser.add_argument("--rounds", type=int, help="of each workload (3)")
    parser.add_argument("--keys", type=int, help="of the largest bucket, a power of ten (1000000)")
    parser.add_argument("--short", action="store_true", help="one round of a second, small objects and buckets")
    parser.add_argument("--peer", type=peer, action="append", default=[], metavar="NAME=URL,KEY,SECRET", help="another S3 endpoint")
    parser.add_argument("--data", help="folder for data, on the disk to be measured (default: bench/data)")
    parser.add_argument("--out", default=os.path.join(TOP, "bench", "out"), help="folder for bench.json and bench.svg")
    parser.add_argument("--docs", metavar="FILE", help="put the table into this document too (docs/performance.md)")
    parser.add_argument("--only", default=",".join(SUITES), help="of " + ", ".join(SUITES))
    arguments = parser.parse_args(argv)
    long, short = {"seconds": 4, "rounds": 3, "keys": 10 ** 6}, {"seconds": 1, "rounds": 1, "keys": 10 ** 4}
    for name, value in (short if arguments.short else long).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    arguments.only = arguments.only.split(",")
    unknown = set(arguments.only) - set(SUITES)
    if unknown:
        parser.error("no such suite: " + ", ".join(sorted(unknown)))
    return arguments


def side_by_side(table, arguments, folder):
    """The suites that peers and nginx take part in."""
    root = os.path.join(folder, "root")
    os.makedirs(os.path.join(root, BUCKET))
    os.makedirs(os.path.join(folder, "nginx"))
    caisson = Caisson(arguments, os.path.join(folder, "store"))
    stores, nginx = [caisson, *arguments.peer], []
    try:
        for other in arguments.peer:
            client = other.client()
            client.call("PUT", BUCKET, body=CREATE)
            client.close()
        if "reads" in arguments.only:
            if has("nginx"):
                nginx = list(start_nginx(root, os.path.join(folder, "nginx")))
            reads.prepare(arguments, stores, root)
            reads.run(table, arguments, stores, nginx)
        if "writes" in arguments.only:
            writes.run(table, arguments, stores, folder)
        if "calls" in arguments.only:
            calls.run(table, arguments, stores)
    finally:
        for c in [caisson, *nginx]:
            c.stop()


def policies(table, arguments):
    """A GET under thirty statements, in instructions."""
    done = subprocess.run([sys.executable, os.path.join(TOP, "bench", "policy_cost.py"), "--build", arguments.build],
                          capture_output=True, text=True)
    found = re.search(r"(\d+) without policies, (\d+) with", done.stdout)
    if not found:
        print("policies: " + done.stderr.strip().split("\n")[-1], file=sys.stderr)
        return
    none, some = map(int, found.groups())
    table.add("GET under 30 statements", "caisson", "instr.", [some], reference=none, ratio_most=1.1,
              note="10 of the organization, 20 of the bucket; ratio to one that allows everything")


def main(argv=None):
    arguments = parse(argv)
    folder = os.path.abspath(arguments.data or os.path.join(TOP, "bench", "data"))
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    table = Table()
    table.load = os.getloadavg()[0]
    try:
        if {"reads", "writes", "calls"} & set(arguments.only):
            side_by_side(table, arguments, folder)
        if "keys" in arguments.only:
            keys.run(table, arguments, folder)
        if "background" in arguments.only:
            background.run(table, arguments, folder)
        if "policies" in arguments.only:
            policies(table, arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table.show()
    table.write(arguments.out)
    if arguments.docs:
        table.into(arguments.docs)
    print(f"\nwritten: {os.path.relpath(arguments.out)}/bench.json, bench.svg")
    return table


if __name__ == "__main__":
    main()
