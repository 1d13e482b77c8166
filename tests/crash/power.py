"""Cut the power again and again, and see whether anything acknowledged is lost.

    tests/crash/run --cuts 10000 --seed 7 --build build

Each round: mixed load on a store whose disk is a loop-mounted ext4 or xfs, a cut at a random moment, kill, remount, start, compare with
what the clients were told, and go on with the same disk. The seed fixes each client's operations and the
moments of the cuts (not the scheduling of threads).
"""
import argparse
import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from store import Store  # noqa: E402
from disk import Disk, available  # noqa: E402
from s3lib import Client  # noqa: E402
from workload import Worker, judge  # noqa: E402

FLAGS = ["--reap-grace", "1000"]


def campaign(kind, cuts, seed, build, clients=8, seconds=(0.05, 1.0), report=print):
    """Returns {cuts, operations, keys, faults}."""
    chance = random.Random(f"{kind}-{seed}")
    disk = Disk(kind, megabytes=4096)
    total = {"kind": kind, "seed": seed, "cuts": 0, "operations": 0, "keys": 0, "faults": []}
    store, workers, bucket = None, [], "crash"
    try:
        store = Store(build, *FLAGS, data=os.path.join(disk.path))
        client = Client(store.host, store.port, store.key, store.secret)
        made = client.call("PUT", bucket, body=b"<CreateBucketConfiguration><LocationConstraint>local</LocationConstraint></CreateBucketConfiguration>")
        assert made.status == 200, made
        client.close()
        before = {}
        for cut in range(cuts):
            shared = {"round": cut, "tried": {}, "won": {}, "cut": False}
            workers = [Worker(store, bucket, n, f"{seed}-{cut}-{n}", shared) for n in range(clients)]
            for worker in workers:
                worker.may_be = before.get(worker.number, {})
                worker.start()
            time.sleep(chance.uniform(*seconds))
            # A real cut ends the network too. Answers that come while the file system dies count as not come: an fsync
            # under way then may report success, since the kernel cannot tell a waiter any more that its extents were lost.
            shared["cut"] = True
            disk.cut()
            store.kill()
            for worker in workers:
                worker.stopping = True
                worker.join(60)
            disk.remount()
            store = Store(build, *FLAGS, data=disk.path)
            verdict = judge(store, bucket, workers, shared)
            before = {w.number: w.may_be for w in workers}
            total["cuts"] += 1
            total["operations"] += sum(w.done for w in workers)
            total["keys"] += verdict.keys
            total["faults"] += [f"cut {cut}: {fault}" for fault in verdict.faults]
            if verdict.faults:
                report("\n".join(verdict.faults))
                break
            if cut % 25 == 24:
                total["faults"] += stop(store)
                store = Store(build, *FLAGS, data=disk.path)
                report(f"{kind}: {cut + 1} cuts, {total['operations']} operations, {len(total['faults'])} faults", flush=True)
        total["faults"] += stop(store)
        store = None
    finally:
        if store is not None and store.process.poll() is None:
            store.kill()
        disk.close()
    return total


def stop(store):
    """The store stops in good order. (There is no `caisson check` yet that could look at the stopped one.)"""
    code = store.stop()
    return [] if code == 0 else [f"exit code {code} on SIGTERM"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", default=str(int(time.time())))
    parser.add_argument("--build", default="build")
    parser.add_argument("--json", help="write the summary here")
    arguments = parser.parse_args()
    kinds = [k for k in ("ext4", "xfs") if available(k)]
    if not kinds:
        raise SystemExit("needs root, loop devices and mkfs.ext4 or mkfs.xfs")
    totals = [campaign(kind, arguments.cuts // len(kinds), arguments.seed, arguments.build) for kind in kinds]
    for total in totals:
        print(f"{total['kind']}: {total['cuts']} cuts, {total['operations']} acknowledged operations, {total['keys']} keys compared, "
              f"{len(total['faults'])} faults, seed {total['seed']}")
    if arguments.json:
        with open(arguments.json, "w") as out:
            json.dump(totals, out, indent=1)
    failed = sum(bool(t["faults"]) for t in totals)
    print(f"{len(totals) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
