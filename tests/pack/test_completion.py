"""Completion for bash and zsh, and the manual page: run by the shells themselves, and as true as the tables that they are made of."""
import os
import re
import shutil
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Each shell's own way of asking: the script is loaded, the words are set, and what would be offered is printed.
BASH = """source /dev/stdin <<< "$SCRIPT"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_caisson
printf '%s\\n' "${COMPREPLY[@]}"
"""
# What is not a function of zsh's completion is a stand-in here: it prints instead of showing a menu.
ZSH = """emulate zsh
_describe() { print -rl -- ${${(P)2}%%:*} }
_files() { print -r -- FILES }
words=("$@") CURRENT=$#
eval "$SCRIPT"
"""
SHELLS = {"bash": ["bash", "--norc", "-c", BASH, "-"], "zsh": ["zsh", "-f", "-c", ZSH, "-"]}


@pytest.fixture
def caisson(build):
    return os.path.join(TOP, build, "caisson")


def text(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    assert done.returncode == 0 and not done.stderr, f"{command[:4]}: {done.stdout[-2000:]}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_completion(caisson, shell):
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    script = text(caisson, "manual", shell)

    def offered(*words):
        answer = text(*SHELLS[shell], *words, env={**os.environ, "SCRIPT": script}).split()
        return {w for w in answer if w.startswith(words[-1])}

    commands = set(re.findall(r"^  ([a-z-]+) ", text(caisson, "help"), re.M))
    assert {"serve", "backup", "scrub", "job"} <= commands
    assert offered("caisson", "") == offered("caisson", "help", "") == commands
    assert offered("caisson", "ser") == {"serve"}
    assert offered("caisson", "job", "") == {"list", "show", "run", "start"}
    assert offered("caisson", "user", "create", "alice", "--") == {"--role", "--group", "--org", "--json", "--url", "--token-file",
                                                                    "--data-dir", "--help"}
    parameters = set(re.findall(r"^([a-z0-9_]+) \(", text(caisson, "serve", "--help-config"), re.M))
    assert "reap_grace" in parameters
    assert offered("caisson", "serve", "--") >= {"--" + p.replace("_", "-") for p in parameters} | {"--config", "--help-config"}
    assert offered("caisson", "check", "--st") == {"--strict"}
    assert offered("caisson", "backup", "/mnt", "--") == {"--keep", "--url", "--token-file", "--data-dir", "--json", "--help"}
    assert offered("caisson", "manual", "") == {"man", *SHELLS}
    # Behind a flag that takes a value nothing of ours is offered; behind one that takes none there is.
    assert offered("caisson", "serve", "--config", "--") == set()
    assert "--url" in offered("caisson", "job", "list", "--json", "--")
    # For each command and each of its verbs: each flag that its usage names.
    for command in commands:
        has_verbs = f"usage: caisson {command} COMMAND" in text(caisson, "help", command)
        for verb in offered("caisson", command, "") if has_verbs else [None]:
            usage = text(caisson, *([command, verb, "--help"] if verb else ["help", command])).split("\n\n")[0]
            flags = set(re.findall(r"--[a-z-]+", usage))
            assert flags <= offered("caisson", command, *([verb] if verb else []), "--"), (command, verb)


def test_manual_page(caisson, tmp_path):
    page = tmp_path / "caisson.1"
    page.write_text(text(caisson, "manual", "man"))
    for name, *command in (("groff", "-ww", "-man", "-Tutf8"), ("mandoc", "-T", "lint", "-W", "warning")):
        if not shutil.which(name):
            continue
        done = subprocess.run([name, *command, page], capture_output=True, text=True)
        said = done.stderr if name == "groff" else done.stdout
        # There is no date: the page is made anew with each build.
        assert [line for line in said.splitlines() if "missing date" not in line] == []
    for name in re.findall(r"^  ([a-z-]+) ", text(caisson, "help"), re.M):
        assert re.search(r"^\.B " + name.replace("-", r"\\-"), page.read_text(), re.M), name
