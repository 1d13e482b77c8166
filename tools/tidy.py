"""Style that a machine can check. Ends with "N passed, N failed"; one check a rule.

Rules: includes point down the layers; functions up to 70 lines, files up to 1,000; lines up to 140 columns;
no // comments; no banned calls; every magic number of a struct is unique; each source opens with a comment.
"""
import glob
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Who may include whom: a room may use itself and the rooms named.
LAYERS = {
    "base": "",
    "net": "base",
    "http": "base net",
    "blob": "base",
    "meta": "base blob http",       # blob: struct blob_ref is part of a record; http: dates and XML of lifecycle rules
    "access": "base http meta",     # http: heads, for conditions of policies
    "s3": "base net http meta blob access",
    "job": "base meta blob access",
    "control": "base net http meta blob access job",
    "config": "base",
    "cli": "base net http meta blob access s3 control job config",
    "tbl": "",
}

BANNED = {
    r"\bstrcpy\(": "no bound: use buf or arena_str",
    r"\bstrcat\(": "no bound: use buf",
    r"\bsprintf\(": "no bound: use buf_addf",
    r"\bgets\(": "no bound",
    r"\bstrtok\(": "hidden state: use str_take_until",
    r"\batoi\(": "no errors: use str_u64",
    r"\bstrtoul?l?\(": "accepts signs and blanks: use str_u64",
    r"\balloca\(": "no bound",
    r"\bpthread_cancel\(": "shut the socket down instead",
    r"\bassert\.h\b": "base/panic.h has the assert that stays on",
    r"\bsystem\(": "no shell",
    r"\brand\(\)": "getrandom",
    r"^static err_v$": "its failure can be dropped: static err",
}

FUNCTION_MAX, FILE_MAX, COLUMN_MAX = 70, 1000, 140


def sources():
    for pattern in ("src/**/*.[ch]", "tests/**/*.[ch]"):
        for path in sorted(glob.glob(os.path.join(TOP, pattern), recursive=True)):
            with open(path) as text:
                yield os.path.relpath(path, TOP), text.read()


def strip(text):
    """Without comments and strings, lines kept."""
    blank = lambda m: re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def check_layers(path, text):
    room = path.split("/")[1] if path.startswith("src/") and path.count("/") > 1 else None
    if room is None:
        return
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'#include "(\w+)/', line)
        if not found or found.group(1) in (room, "tbl"):
            continue
        if room not in LAYERS:
            yield number, f"the room {room} is not in the table of layers"
        elif found.group(1) not in LAYERS[room].split():
            yield number, f"{room} must not include {found.group(1)}"


def check_functions(path, text):
    lines = strip(text).splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            if number - start - 1 > FUNCTION_MAX:
                yield start, f"function of {number - start - 1} lines, at most {FUNCTION_MAX}"
            start = None


def check_size(path, text):
    lines = text.splitlines()
    if len(lines) > FILE_MAX:
        yield 1, f"{len(lines)} lines, at most {FILE_MAX}"
    if "tbl/" in path:
        return
    for number, line in enumerate(lines, 1):
        if len(line.expandtabs(8)) > COLUMN_MAX:
            yield number, f"{len(line.expandtabs(8))} columns, at most {COLUMN_MAX}"


def check_comments(path, text):
    if not text.startswith("/*"):
        yield 1, "a file opens with a comment that says its job"
    for number, line in enumerate(strip(text).splitlines(), 1):
        if "//" in line:
            yield number, "// comment"


def check_banned(path, text):
    for number, line in enumerate(strip(text).splitlines(), 1):
        for pattern, why in BANNED.items():
            if re.search(pattern, line) and path.startswith("src/"):
                yield number, f"{pattern.strip(chr(92)+'b(')}: {why}"


def check_magic(seen={}):
    for path, text in sources():
        for number, line in enumerate(text.splitlines(), 1):
            found = re.match(r"#define (\w+_MAGIC)\s+(0x[0-9a-fA-F]+)", line)
            if found and seen.setdefault(found.group(2).lower(), found.group(1)) != found.group(1):
                yield f"{path}:{number}: {found.group(1)} has the magic of {seen[found.group(2).lower()]}"


RULES = {"layers": check_layers, "function length": check_functions, "file size and width": check_size,
         "comments": check_comments, "banned calls": check_banned}


def main():
    failed = 0
    for name, rule in RULES.items():
        faults = [f"{path}:{number}: {what}" for path, text in sources() for number, what in rule(path, text) or ()]
        print("\n".join(faults[:40]), end="\n" if faults else "")
        print(f"{'FAIL' if faults else 'ok  '} {name}" + (f": {len(faults)}" if faults else ""))
        failed += bool(faults)
    faults = list(check_magic())
    print("\n".join(faults), end="\n" if faults else "")
    failed += bool(faults)
    stale = subprocess.run([sys.executable, os.path.join(TOP, "tools", "gen_docs.py"), "--check"]).returncode != 0
    print(f"{'FAIL' if stale else 'ok  '} generated documents")
    failed += stale
    print(f"{len(RULES) + 2 - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
