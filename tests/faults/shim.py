"""Running a program under the shim: what to preload, and the control file that says which call fails."""
import errno
import mmap
import os
import struct

CALLS = {"open": 1, "read": 2, "write": 4, "sync": 8, "rename": 16, "allocate": 32, "unlink": 64, "mkdir": 128, "truncate": 256, "change": 512, "memory": 1024}
SHORT = 1000
FORM = struct.Struct("<IIIIQQQ64sq")
MAGIC = 0x46415553
ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EROFS": errno.EROFS, "EMFILE": errno.EMFILE, "ENOMEM": errno.ENOMEM, "EINTR": errno.EINTR, "short": SHORT}

# What may become of each call, for campaigns that let the Nth fail.
FAULTS = {
    "open": ["EIO", "ENOSPC"],
    "read": ["EIO", "EINTR", "short"],
    "write": ["EIO", "ENOSPC", "EINTR", "short"],
    "sync": ["EIO", "ENOSPC"],
    "rename": ["EIO", "ENOSPC"],
    "allocate": ["EIO", "ENOSPC", "EINTR"],
    "mkdir": ["EIO", "ENOSPC"],
    "truncate": ["EIO"],
    "unlink": ["EIO"],
    "memory": ["ENOMEM"],
}
HARMLESS = ("EINTR", "short")		# to be got over without a word
ONCE = (*HARMLESS, "ENOMEM")		# a program without memory ends


class Control:
    """Shared with the program: arm() and calm() act at once."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as file:
            file.write(FORM.pack(MAGIC, 0, 0, 0, 0, 0, 0, b"", 0))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), FORM.size)

    def arm(self, calls, error, nth=1, forever=False, match=""):
        """calls: names joined by +. The nth such call fails (forever: it and all later ones)."""
        self.calm()
        self.map[16:FORM.size - 8] = FORM.pack(MAGIC, 0, ERRORS[error], forever, nth, 0, 0, match.encode(), 0)[16:-8]
        struct.pack_into("<II", self.map, 8, ERRORS[error], forever)
        struct.pack_into("<I", self.map, 4, sum(CALLS[c] for c in calls.split("+")))

    def calm(self):
        struct.pack_into("<I", self.map, 4, 0)

    def clock(self, seconds):
        """The wall clock is wrong by so much."""
        struct.pack_into("<q", self.map, FORM.size - 8, seconds * 1000)

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
