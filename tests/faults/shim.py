"""Running a program under the shim: what to preload, and the control file that says which call fails."""
import errno
import mmap
import os
import struct

CALLS = {"open": 1, "read": 2, "write": 4, "sync": 8, "rename": 16, "allocate": 32, "unlink": 64, "mkdir": 128, "truncate": 256}
SHORT = 1000
FORM = struct.Struct("<IIIIQQQ64s")
MAGIC = 0x46415553
ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EINTR": errno.EINTR, "short": SHORT}


class Control:
    """Shared with the program: arm() and calm() act at once."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.write(FORM.pack(MAGIC, 0, 0, 0, 0, 0, 0, b""))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), FORM.size)

    def arm(self, calls, error, nth=1, forever=False, match=""):
        """calls: names joined by +. The nth such call fails (forever: it and all later ones)."""
        self.calm()
        self.map[16:FORM.size] = FORM.pack(MAGIC, 0, ERRORS[error], forever, nth, 0, 0, match.encode())[16:]
        struct.pack_into("<II", self.map, 8, ERRORS[error], forever)
        struct.pack_into("<I", self.map, 4, sum(CALLS[c] for c in calls.split("+")))

    def calm(self):
        struct.pack_into("<I", self.map, 4, 0)

    def seen(self):
        return struct.unpack_from("<Q", self.map, 24)[0]

    def hit(self):
        return struct.unpack_from("<Q", self.map, 32)[0]


def environment(build, top, control=None, log=None):
    lib = os.path.join(build, "tests", "faults", "libfaults.so")
    more = {"LD_PRELOAD": lib, "FAULTS_DIR": os.path.realpath(top)}
    if control:
        more["FAULTS_CONTROL"] = control
    if log:
        more["FAULTS_LOG"] = log
    return more
