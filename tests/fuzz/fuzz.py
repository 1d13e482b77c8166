"""Fuzz every parser: an hour each, two at a time; --short: a minute each.

    tests/fuzz/run [--short] [SECONDS] [TARGET ...] [--jobs N]
    tests/fuzz/run 120 --until 19:05 --jobs 1 --record docs/fuzz-runs.md      in turn until then (UTC), again and again

Inputs that reach new code go to build-fuzz/corpus, from run to run, and are minimized after a long one; --keep takes into tests/fuzz/corpus
what reaches code that nothing there reaches. What crashes goes to build-fuzz/findings, and from there into tests/fuzz/corpus as a regression.
The dictionary of a target is made of what its sources and tables (those named in the comment at its head) have between quotes.
--record adds each target's processor time and executions to the sums in a table.
The last line is "N passed, N failed".
"""
import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, "build-fuzz")
ENVIRONMENT = {**os.environ, "UBSAN_OPTIONS": os.environ.get("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")}
LIMITS = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=20000"]


def build():
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        subprocess.run(["meson", "setup", BUILD, TOP, "-Dfuzz=true", "-Db_sanitize=address,undefined", "--buildtype=debugoptimized"],
                       env={**os.environ, "CC": "clang"}, check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(["ninja", "-C", BUILD, "fuzz"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stdout[-4000:] + "\n0 passed, 1 failed")


def targets():
    return sorted(n[5:-2] for n in os.listdir(os.path.join(TOP, "tests/fuzz")) if re.fullmatch(r"fuzz_\w+\.c", n))


def words(name):
    """What the sources of a target compare with."""
    with open(os.path.join(TOP, "tests/fuzz", f"fuzz_{name}.c")) as source:
        comment = source.read().split("*/")[0]
    found = set()
    for pattern in re.findall(r"\b\w+/[\w*]+\.[ch]\b", comment):
        for path in glob.glob(os.path.join(TOP, "src", pattern)):
            with open(path) as source:
                text = source.read()
            found.update(re.findall(r'"((?:[^"\\\n%]|\\x[0-9a-f]{2}){2,40})"', text))
            if pattern.startswith("tbl/"):
                found.update(re.findall(r"^[A-Z_]+\((?:\w+, )?(\w+)", text, re.M))
    return sorted(found)


class Target:
    def __init__(self, name):
        self.name, self.program = name, os.path.join(BUILD, "tests/fuzz", "fuzz_" + name)
        self.grown, self.kept = os.path.join(BUILD, "corpus", name), os.path.join(TOP, "tests/fuzz/corpus", name)
        self.dictionary = os.path.join(BUILD, name + ".dict")
        self.seconds, self.executed, self.edges = 0.0, 0, 0
        for folder in (self.grown, self.kept, os.path.join(BUILD, "findings")):
            os.makedirs(folder, exist_ok=True)
        with open(self.dictionary, "w") as out:
            out.writelines(f'"{word}"\n' for word in words(name))

    def run(self, *flags):
        """(exit code, its processor time, what it printed)"""
        command = [self.program, *LIMITS, f"-dict={self.dictionary}", f"-artifact_prefix={BUILD}/findings/{self.name}-", *flags]
        log = os.path.join(BUILD, self.name + ".log")
        with open(log, "w") as out:
            running = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
            _, status, used = os.wait4(running.pid, 0)
            running.returncode = os.waitstatus_to_exitcode(status)
        with open(log, errors="replace") as text:
            return running.returncode, used.ru_utime + used.ru_stime, text.read()

    def fuzz(self, seconds):
        """None, or what it says of its finding."""
        code, used, text = self.run(f"-max_total_time={seconds}", "-print_final_stats=1", self.grown, self.kept)
        self.seconds += used
        self.executed += sum(int(n) for n in re.findall(r"stat::number_of_executed_units: +(\d+)", text))
        self.edges = max([self.edges, *(int(n) for n in re.findall(r"cov: (\d+)", text))])
        return None if code == 0 else "\n".join(text.splitlines()[-40:])

    def minimize(self):
        """As few and as small inputs as reach the same code as often."""
        merged = self.grown + ".new"
        shutil.rmtree(merged, ignore_errors=True)
        os.mkdir(merged)
        code, _, text = self.run("-merge=1", merged, self.grown, self.kept)
        if code != 0:
            raise SystemExit(f"{self.name} does not merge: {text[-2000:]}")
        shutil.rmtree(self.grown)
        os.rename(merged, self.grown)

    def keep(self):
        code, _, text = self.run("-merge=1", "-use_counters=0", self.kept, self.grown)
        if code != 0:
            raise SystemExit(f"{self.name} does not merge: {text[-2000:]}")


HEAD = """# Fuzzing, summed up

Written by the runs themselves: `tests/fuzz/run SECONDS --record docs/fuzz-runs.md` adds to the sums. Edges are those that the last run
reached with all that was saved up; the address and the undefined behaviour sanitizers watch. A finding ends a run with a failure, and becomes a
file in tests/fuzz/corpus.

| target | CPU seconds | executions | edges reached | last run (UTC) | commit |
| --- | ---: | ---: | ---: | --- | --- |
"""
ROW = re.compile(r"^\| (\w+) \| ([\d.]+) \| (\d+) \| \d+ \| [^|]* \| [^|]* \|$", re.M)


def record(path, target):
    """Add what it has done to the sums."""
    text = HEAD
    if os.path.exists(path):
        with open(path) as table:
            text = table.read()
    commit = subprocess.run(["git", "-C", TOP, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    sums = {name: (float(seconds), int(executed)) for name, seconds, executed in ROW.findall(text)}
    seconds, executed = sums.get(target.name, (0, 0))
    row = (f"| {target.name} | {seconds + target.seconds:.1f} | {executed + target.executed} | {target.edges} | "
           f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime())} | {commit} |")
    text = re.sub(rf"^\| {target.name} \|.*$", row, text, flags=re.M) if target.name in sums else text.rstrip("\n") + "\n" + row + "\n"
    with open(path, "w") as table:
        table.write(text)


def until(clock):
    """Seconds since the epoch of the next HH:MM, UTC."""
    hours, minutes = map(int, clock.split(":"))
    return time.time() + ((hours * 60 + minutes) * 60 - time.time()) % 86400


def turn(chosen, seconds, jobs, table):
    """Each for so long. The names of those that found something."""
    found = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for target, finding in zip(chosen, pool.map(lambda t: t.fuzz(seconds), chosen)):
            print(f"{'FAIL' if finding else 'ok  '} {target.name} {target.executed} executed, {target.seconds:.0f} s of CPU, "
                  f"{target.edges} edges" + (f"\n{finding}" if finding else ""), flush=True)
            if table:
                record(table, target)
            if finding:
                found.append(target.name)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="SECONDS | TARGET")
    parser.add_argument("--short", action="store_true", help="a minute each, and nothing is minimized")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--until", type=until, help="again and again, until HH:MM, UTC")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--record", help="a table of sums, such as docs/fuzz-runs.md")
    given = parser.parse_intermixed_args()
    seconds = next((int(w) for w in given.what if w.isdigit()), 60 if given.short else 3600)
    build()
    chosen = [w for w in given.what if not w.isdigit()] or targets()
    found, begun = [], False
    while not found and (not begun or (given.until and time.time() < given.until)):
        begun = True
        done = [Target(name) for name in chosen]
        if given.until:
            seconds = max(1, min(seconds, int((given.until - time.time()) * given.jobs / len(done))))
        found = turn(done, seconds, given.jobs, given.record)
    for name in chosen if not given.short and not found else []:
        Target(name).minimize()
        if given.keep:
            Target(name).keep()
    print(f"{len(chosen) - len(found)} passed, {len(found)} failed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
