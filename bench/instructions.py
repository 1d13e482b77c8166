"""What a request costs in instructions, counted by callgrind: the same on a busy machine.

    bench/instructions.py GET            instructions a request, and the functions that they are spent in
    bench/instructions.py PUT --requests 5000

callgrind knows no SHA extensions: some 19,000 instructions of each request are SHA-256 that real processors do in a tenth of them. What
the kernel does is not counted.
"""
import argparse
import collections
import glob
import http.client
import os
import re
import stat
import subprocess
import tempfile

from contender import BUCKET, CREATE, TOP, Client, Presigner, Store

SIZE = 4096


class Counted(Store):
    """A store under callgrind."""

    def __init__(self, build, folder):
        self.out = os.path.join(folder, "callgrind")
        wrapper = os.path.join(folder, "caisson")
        with open(wrapper, "w") as script:
            script.write(f'#!/bin/sh\nexec valgrind --quiet --tool=callgrind --callgrind-out-file={self.out} '
                         f'{os.path.join(TOP, build, "caisson")} "$@"\n')
        os.chmod(wrapper, stat.S_IRWXU)
        os.makedirs(os.path.join(folder, "store"))
        super().__init__(folder, data=os.path.join(folder, "store"))	# the wrapper is the program of this "build"

    def dump(self):
        """What was counted since the last dump: its file."""
        subprocess.run(["callgrind_control", "--dump", str(self.process.pid)], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return max(glob.glob(self.out + ".*"), key=lambda path: int(path.rsplit(".", 1)[1]))


def functions(dump):
    """name -> instructions in it alone"""
    names, counts, current, callee = {}, collections.Counter(), None, False
    with open(dump) as lines:
        for line in lines:
            found = re.match(r"fn=\((\d+)\)(?: (.*))?", line)
            if found:
                current = found.group(1)
                names.setdefault(current, found.group(2))
            elif re.match(r"cfn=\((\d+)\) ", line):
                found = re.match(r"cfn=\((\d+)\) (.*)", line)
                names.setdefault(found.group(1), found.group(2))
            elif line.startswith("calls="):
                callee = True
            elif re.match(r"[\d+*-]\S* \d", line) and current:
                if not callee:
                    counts[current] += int(line.split()[1])
                callee = False
    return {names.get(f) or f: n for f, n in counts.most_common()}


def measure(build, method, requests):
    """(instructions a request, name -> instructions a request)"""
    with tempfile.TemporaryDirectory(prefix="caisson-instructions-") as folder:
        store = Counted(build, folder)
        try:
            client = Client(store.host, store.port, store.key, store.secret, timeout=120)
            client.call("PUT", BUCKET, body=CREATE)
            for i in range(100):
                assert client.call("PUT", BUCKET, f"k{i}", body=os.urandom(SIZE)).status == 200
            client.close()
            presigner = Presigner(f"{store.host}:{store.port}", store.key, store.secret)
            connection = http.client.HTTPConnection(store.host, store.port, timeout=120)
            for n, counted in ((200, False), (requests, True)):
                for i in range(n):
                    key = f"k{i % 100}" if method != "PUT" else f"new{counted}-{i}"
                    connection.request(method, presigner.path(method, f"/{BUCKET}/{key}"), body=b"x" * SIZE if method == "PUT" else None)
                    answer = connection.getresponse()
                    answer.read()
                    assert answer.status == 200, answer.status
                dump = store.dump()
            connection.close()
        finally:
            store.kill()
        counts = functions(dump)
        return sum(counts.values()) / requests, {f: n / requests for f, n in counts.items()}


def program(*command):
    """Instructions of a program from its beginning to its end."""
    with tempfile.NamedTemporaryFile(prefix="caisson-instructions-") as out:
        subprocess.run(["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out.name}", *command], check=True,
                       stdout=subprocess.DEVNULL)
        return int(re.search(r"^summary: (\d+)", out.read().decode(), re.M).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", choices=["GET", "HEAD", "PUT"])
    parser.add_argument("--build", default="build")
    parser.add_argument("--requests", type=int, default=2000)
    arguments = parser.parse_args()
    total, counts = measure(arguments.build, arguments.method, arguments.requests)
    print(f"{total:9.0f} instructions a {arguments.method} of {SIZE} bytes")
    for name, n in list(counts.items())[:40]:
        print(f"{n:9.0f} {name[:120]}")


if __name__ == "__main__":
    main()
