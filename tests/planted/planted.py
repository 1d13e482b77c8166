"""Plant a bug, build, run the harness that is to find it, and expect that it fails: for each row of bugs.py.

    tests/planted/run                    all
    tests/planted/run power faults       of these harnesses
    tests/planted/run volume-not-flushed

The sources are copied; yours are not touched. The last line is "N passed, N failed": passed means that the bug was found.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

from bugs import BUGS  # noqa: E402

# harness -> the command that must fail; {build} is the build directory of the copy. Without a program before it: Python.
HARNESSES = {
    "fuzz": ["sh", "tests/fuzz/run", "--short", "60"],
    "log": ["-m", "pytest", "-q", "-x", "--tb=line", "-p", "no:cacheprovider", "--build", "{build}", "tests/faults/test_log.py"],
    "rot": ["-m", "pytest", "-q", "-x", "--tb=line", "-p", "no:cacheprovider", "--build", "{build}", "tests/faults/test_rot.py"],
    "abuse": ["tests/abuse/abuse.py", "--share", "0.2", "--seconds", "4", "--build", "{build}", "ten thousand idle", "uploads stall"],
    "faults": ["tests/faults/long.py", "--minutes", "0", "--seed", "1", "--build", "{build}", "--only"],
    "linear": ["tests/linear/linear.py", "--ops", "30000", "--build", "{build}"],
    "power": ["tests/crash/power.py", "--cuts", "200", "--seed", "1", "--build", "{build}"],
    "points": ["tests/crash/points.py", "--times", "60", "--seed", "1", "--build", "{build}"],
}


def is_there(bug, top):
    """Does the file still have the text that the bug replaces, once?"""
    with open(os.path.join(top, bug.file)) as source:
        return source.read().count(bug.old) == 1


def plant(bug, top):
    """Gives a function that takes it out again."""
    if not is_there(bug, top):
        raise SystemExit(f"{bug.name}: {bug.file} does not have \"{bug.old}\" once")
    path = os.path.join(top, bug.file)
    with open(path) as source:
        text = source.read()
    write(path, text.replace(bug.old, bug.new))
    return lambda: write(path, text)


def write(path, text):
    with open(path, "w") as source:
        source.write(text)


def build(top):
    """Warnings are allowed: a bug may leave something unused."""
    where = os.path.join(top, "build")
    if not os.path.exists(os.path.join(where, "build.ninja")):
        subprocess.run(["meson", "setup", where, top, "--buildtype=release", "-Dwerror=false"], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(["ninja", "-C", where], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stdout[-3000:])
    return where


def hunt(bug, top):
    """True if the harness fails, and says so in good order: by its last line, not by an exception."""
    heal = plant(bug, top)
    began = time.monotonic()
    harness, *more = bug.harness.split()
    where = "{build}" if harness == "fuzz" else build(top)		# that one builds by itself
    command = [a.format(build=where) for a in HARNESSES[harness]] + more
    done = subprocess.run(command if command[0] == "sh" else [sys.executable, *command], cwd=top, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    heal()
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    found = done.returncode != 0 and re.search(r"[1-9]\d* failed", lines[-1] if lines else "") and "Traceback" not in done.stdout
    seen = next((line for line in lines if re.match(r"cut \d+:|killed at|.*FAULT|.*: .*acknowledged|.*to be got over", line)), lines[0] if lines else "nothing")
    print(f"{'found ' if found else 'MISSED'} {bug.name:28} {harness:8} {time.monotonic() - began:5.0f} s  {bug.wrong}\n"
          f"       {seen[:200]}", flush=True)
    if not found:
        print(done.stdout[-3000:], flush=True)
    return bool(found), seen


def main():
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    chosen = [b for b in BUGS if not wanted or b.name in wanted or b.harness.split()[0] in wanted]
    results = []
    with tempfile.TemporaryDirectory(prefix="caisson-planted-") as folder:
        top = os.path.join(folder, "copy")
        shutil.copytree(TOP, top, ignore=shutil.ignore_patterns("build*", ".git", "node_modules", "__pycache__", ".venv"))
        for bug in chosen:
            results.append(hunt(bug, top))
    if "--json" in sys.argv:
        print(json.dumps([{"bug": b.name, "harness": b.harness, "found": f, "seen": s} for b, (f, s) in zip(chosen, results)], indent=1))
    failed = sum(not found for found, _ in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
