"""Power cuts and failing calls until the time is over; then what was done, and what was found.

    tests/faults/run --minutes 60 --seed 7 [--only server-cuts]
"""
import argparse
import functools
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import engine_cuts  # noqa: E402
import engine_faults  # noqa: E402
import server_cuts  # noqa: E402
import server_faults  # noqa: E402
from engine_cuts import INDEX  # noqa: E402

CAMPAIGNS = {
    "blob-cuts": lambda build, seed: engine_cuts.campaign(build, seed, runs=20, cuts=200),
    "blob-states": lambda build, seed: engine_cuts.short(build, seed, runs=20),
    "blob-calls": lambda build, seed: engine_faults.campaign(build, seed),
    "index-cuts": lambda build, seed: engine_cuts.campaign(build, seed, runs=10, cuts=100, driver=INDEX),
    "index-states": lambda build, seed: engine_cuts.short(build, seed, runs=3, driver=INDEX),
    "index-calls": lambda build, seed: engine_faults.campaign(build, seed, driver=INDEX),
    "server-cuts": lambda build, seed: server_cuts.campaign(build, seed, runs=5, cuts=60),
    "server-calls": functools.partial(server_faults.campaign, report=print),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", default=str(int(time.time())))
    parser.add_argument("--build", default="build")
    parser.add_argument("--only", choices=CAMPAIGNS, help="this one alone")
    parser.add_argument("--calls", help="server-calls: only these, by comma")
    parser.add_argument("--growth", type=float, default=1.5, help="server-calls: of N from one to the next; 1: each N, until none is left")
    parser.add_argument("--steps", type=int, default=server_faults.STEPS, help="server-calls: operations of each client")
    parser.add_argument("--json", help="write the summary here")
    arguments = parser.parse_args()
    build, end, turn = os.path.abspath(arguments.build), time.monotonic() + 60 * arguments.minutes, 0
    CAMPAIGNS["server-calls"] = functools.partial(CAMPAIGNS["server-calls"], growth=arguments.growth, steps=arguments.steps)
    if arguments.calls:
        server_faults.FAULTS = {c: e for c, e in server_faults.FAULTS.items() if c in arguments.calls.split(",")}
    chosen = {n: c for n, c in CAMPAIGNS.items() if arguments.only in (None, n)}
    totals = {name: {} for name in chosen}
    while turn == 0 or time.monotonic() < end:
        for name, campaign in chosen.items():
            for what, value in campaign(build, f"{arguments.seed}-{turn}").items():
                totals[name][what] = totals[name].get(what, type(value)()) + value
        turn += 1
        if any(t["faults"] for t in totals.values()):
            break
    for name, total in totals.items():
        faults = total.pop("faults")
        print("\n".join(faults[:5]), end="\n" if faults else "")
        print(f"{name}: {', '.join(f'{value} {what}' for what, value in total.items())}, {len(faults)} faults, seed {arguments.seed}")
        total["faults"] = len(faults)
    if arguments.json:
        with open(arguments.json, "w") as out:
            json.dump(totals, out, indent=1)
    failed = sum(t["faults"] > 0 for t in totals.values())
    print(f"{len(totals) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
