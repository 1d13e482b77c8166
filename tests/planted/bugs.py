"""Bugs that the harnesses must find: each is one small change of one file, of the kind that loses data.

Bug(name, harness, file, text that is there once, what takes its place, what is wrong then)
"""
from collections import namedtuple

Bug = namedtuple("Bug", "name harness file old new wrong")

BUGS = [
    # ---- power cuts ----
    Bug("volume-not-flushed", "power", "src/blob/blob_file_flush.c",
        "if (f->sync(f->fd) != 0)", "if (f->sync == fsync && f->sync(f->fd) != 0)",
        "small blobs are acknowledged from the page cache"),
    Bug("own-file-not-flushed", "power", "src/blob/blob_file_own.c",
        "if (fdatasync(w->fd) != 0)", "if (w->fd < 0)",
        "large blobs are acknowledged before their bytes are flushed"),
    Bug("folder-not-flushed", "power", "src/blob/blob_file_flush.c",
        "if (f->sync(f->fd) != 0)", "if (f->sync != fsync && f->sync(f->fd) != 0)",
        "large blobs are acknowledged before their names are flushed"),
    Bug("index-not-flushed", "power", "src/meta/kv_rocksdb_open.c",
        "rocksdb_writeoptions_set_sync(r->write, 1)", "rocksdb_writeoptions_set_sync(r->write, 0)",
        "commits are acknowledged before the log is flushed"),
]
