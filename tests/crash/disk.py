"""A disk whose power can be cut: a sparse image, a file system, a loop mount.

cut() uses the file system's own shutdown ioctl without flushing its log: from that instant nothing reaches the image, and what
had not been flushed before is gone, as at a power cut. Needs root.
"""
import ctypes
import fcntl
import os
import struct
import subprocess
import tempfile

SHUTDOWN = 0x8004587D		# _IOR('X', 125, __u32), the same number on ext4 and xfs
CLONE_NEWNS = 0x00020000
NO_LOG_FLUSH = {"ext4": 2, "xfs": 2}


def available(kind):
    if os.geteuid() != 0 or not os.path.exists("/dev/loop-control"):
        return False
    return subprocess.run(["which", f"mkfs.{kind}"], stdout=subprocess.DEVNULL).returncode == 0


def own_mounts():
    """Mounts that nobody else has, from here on.

    A container that others start takes a copy of all mounts with it, and a file system that is mounted anywhere is not
    really unmounted: the power would not come back.
    """
    if own_mounts.done:
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    own_mounts.done = True


own_mounts.done = False


class Disk:
    def __init__(self, kind, megabytes=1024):
        own_mounts()
        self.kind = kind
        # In memory if there is room: a cut is the file system's, not that of what lies below it.
        self.folder = tempfile.mkdtemp(prefix="caisson-disk-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.image = os.path.join(self.folder, "image")
        self.path = os.path.join(self.folder, "mount")
        os.mkdir(self.path)
        with open(self.image, "wb") as image:
            image.truncate(megabytes << 20)
        subprocess.run([f"mkfs.{kind}", "-q", *(["-F"] if kind == "ext4" else []), self.image], check=True)
        self.mount()

    def mount(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.path], check=True)

    def cut(self):
        where = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(where, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH[self.kind]))
        finally:
            os.close(where)

    def remount(self):
        """Power is back. Replays the file system's log, as at a boot."""
        subprocess.run(["umount", self.path], check=True)
        self.mount()

    def keep(self):
        """The image stays, for whoever wants to look into it. Its path."""
        subprocess.run(["umount", self.path], check=True)
        os.rmdir(self.path)
        return self.image

    def close(self):
        subprocess.run(["umount", self.path], check=False)
        if os.path.ismount(self.path):
            subprocess.run(["umount", "-l", self.path], check=True)
        os.unlink(self.image)
        os.rmdir(self.path)
        os.rmdir(self.folder)
