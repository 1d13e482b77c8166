"""Run the layers of tests and sum them up: the last line is "N passed, N failed".

    tools/test                 all layers, short forms (what CI runs)
    tools/test unit s3         only these layers
    tools/test --list          what there is

Each runner is a command that ends with a line holding "N passed" and/or "N failed"
(pytest's closing line, or tests/test.h's). A runner that exits non-zero
without naming a failure counts as one failure. Full output: build-logs/NAME.log.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOGS = os.path.join(TOP, "build-logs")
PYTHON = sys.executable

# build directory -> (environment, meson arguments)
BUILDS = {
    "build": ({}, ["--buildtype=release"]),
    "build-asan": ({"CC": "clang"}, ["-Db_sanitize=address,undefined", "-Darena_malloc=true", "--buildtype=debugoptimized"]),
    "build-tsan": ({}, ["-Db_sanitize=thread", "--buildtype=debugoptimized"]),
}

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": f"halt_on_error=1:suppressions={TOP}/tests/tsan.supp",
}


def pytest(folder, workers=2, build="build-asan"):
    return [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", str(workers), "--timeout=300",
            "--build", build, folder]


# What only some threads can break: run under the thread sanitizer too.
CONCURRENT = ["contract_", "unit_base", "unit_digest", "unit_pool", "unit_server", "unit_tls", "unit_catalog", "unit_verify", "unit_access",
              "unit_delete_many"]


def programs(build, only=None):
    """The C test programs of a build."""
    found = sorted(p for p in glob.glob(f"{TOP}/{build}/tests/*") if os.path.isfile(p) and os.access(p, os.X_OK)
                   and re.match(r"(unit|contract)_", os.path.basename(p)) and not p.endswith(".so"))
    if only:
        found = [p for p in found if any(os.path.basename(p).startswith(o) for o in only)]
    return found


def layers():
    """name -> (builds needed, function that gives [(runner name, command)])"""
    one = lambda *command: lambda: [(command[-1].split("/")[-1], list(command))]
    every = {
        "tidy": ([], one(PYTHON, f"{TOP}/tools/tidy.py")),
        "unit": (["build", "build-asan"], lambda: [(os.path.basename(p), [p]) for p in programs("build-asan")]),
        "tsan": (["build-tsan"], lambda: [("tsan-" + os.path.basename(p), [p]) for p in programs("build-tsan", CONCURRENT)]),
        "wire": (["build-asan"], lambda: [("wire", pytest("tests/wire"))]),
        "s3": (["build-asan"], lambda: [("s3", pytest("tests/s3"))]),
        "control": (["build", "build-asan"], lambda: [("control", pytest("tests/control"))]),
        "pack": (["build", "build-asan"], lambda: [("pack", pytest("tests/pack"))]),
        "job": (["build-asan"], lambda: [("job", pytest("tests/job"))]),
        "linear": (["build"], lambda: [("linear", pytest("tests/linear", workers=2, build="build"))]),
        "crash": (["build"], lambda: [("crash", pytest("tests/crash", workers=1, build="build"))]),
        "soak": (["build"], lambda: [("soak", pytest("tests/soak", workers=1, build="build"))]),
        "faults": (["build"], lambda: [("faults", pytest("tests/faults", workers=2, build="build"))]),
        "abuse": (["build"], lambda: [("abuse", pytest("tests/abuse", workers=1, build="build"))]),
        "fuzz": (["build-asan"], lambda: [("fuzz-differential", pytest("tests/fuzz")),
                                          ("fuzz", ["sh", f"{TOP}/tests/fuzz/run", "--short"])]),
        "bench": (["build"], lambda: [("bench", pytest("tests/bench", workers=1, build="build"))]),
    }
    folder = {"tidy": "tools/tidy.py", "fuzz": "tests/fuzz/run"}
    return {n: l for n, l in every.items()
            if n in ("unit", "tsan") or os.path.exists(f"{TOP}/{folder.get(n, 'tests/' + n)}")}


def build(name):
    env, arguments = BUILDS[name]
    if not shutil.which(env.get("CC", "gcc")):
        raise SystemExit(f"{env.get('CC', 'gcc')} is missing: tools/deps test installs it")
    where = os.path.join(TOP, name)
    if not os.path.exists(os.path.join(where, "build.ninja")):
        subprocess.run(["meson", "setup", where, TOP, *arguments], env={**os.environ, **env}, check=True,
                       stdout=subprocess.DEVNULL)
    done = subprocess.run(["ninja", "-C", where], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        print(done.stdout[-6000:])
        print(f"{name} does not build\n0 passed, 1 failed")
        raise SystemExit(1)


def count(text, code):
    """(passed, failed, skipped) as the closing lines say."""
    numbers = {"passed": 0, "failed": 0, "skipped": 0, "error": 0}
    for line in reversed(text.splitlines()):
        found = re.findall(r"(\d+) (passed|failed|skipped|error)", line)
        if any(kind in ("passed", "failed", "error") for _, kind in found):
            for n, kind in found:
                numbers[kind] = int(n)
            break
    failed = numbers["failed"] + numbers["error"]
    if code != 0 and failed == 0:
        failed = 1
    return numbers["passed"], failed, numbers["skipped"]


def run(name, command):
    log = os.path.join(LOGS, name + ".log")
    began = time.monotonic()
    with open(log, "w") as out:
        code = subprocess.run(command, cwd=TOP, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              env={**os.environ, **SANITIZERS}).returncode
    with open(log, errors="replace") as done:
        text = done.read()
    passed, failed, skipped = count(text, code)
    print(f"{'FAIL' if failed else 'ok  '} {name:32} {passed:6} passed {failed:4} failed {skipped:4} skipped "
          f"{time.monotonic() - began:7.1f} s", flush=True)
    if failed:
        print(text[-6000:], flush=True)
    return passed, failed, skipped


def main():
    wanted = [a for a in sys.argv[1:] if not a.startswith("-")]
    known = layers()
    if "--list" in sys.argv:
        print("\n".join(known))
        return 0
    unknown = [w for w in wanted if w not in known]
    if unknown:
        raise SystemExit(f"no such layer: {', '.join(unknown)}; there is: {', '.join(known)}")
    chosen = {n: known[n] for n in (wanted or known)}
    os.makedirs(LOGS, exist_ok=True)
    for name in BUILDS:
        if any(name in builds for builds, _ in chosen.values()):
            print(f"building {name}", flush=True)
            build(name)
    total = [0, 0, 0]
    for _, runners in chosen.values():
        for name, command in runners():
            total = [a + b for a, b in zip(total, run(name, command))]
    print(f"{total[0]} passed, {total[1]} failed" + (f", {total[2]} skipped" if total[2] else ""))
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
