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
    Bug("folder-not-flushed", "faults blob-cuts", "src/blob/blob_file_flush.c",
        "if (f->sync(f->fd) != 0)", "if (f->sync != fsync && f->sync(f->fd) != 0)",
        "large blobs are acknowledged before their names are flushed"),
    Bug("index-not-flushed", "power", "src/meta/kv_rocksdb_open.c",
        "rocksdb_writeoptions_set_sync(r->write, 1)", "rocksdb_writeoptions_set_sync(r->write, 0)",
        "commits are acknowledged before the log is flushed"),
    Bug("freed-not-flushed", "power", "src/job/reaper.c",
        "		e = blobs_flush(r->job->options->blobs);\n", "		e = ERR_OK;\n",
        "what the reaper freed is back after a cut, and nobody knows of it"),
    # ---- kills ----
    Bug("sweep-asks-nobody", "points --only sweep_judged,blob_committed", "src/job/sweep.c",
        "	if (owned)\n		return ERR_OK;\n", "",
        "after a crash the sweep deletes what it suspects, owned or not"),
    Bug("master-key-named-first", "points --only master_written", "src/access/master_key.c",
        "	TRY(file_flush_parent(path_new));\n	CRASH_POINT(master_written);",
        "	TRY(file_rename(path_new, path));\n	TRY(key_write(path_new, key));\n	CRASH_POINT(master_written);",
        "a new master key takes the place of the old one before the secrets are under it"),
    Bug("rename-killed-half-way", "points --only commit_logged", "src/meta/catalog_copy.c",
        "	kv_put(w->batch, row_str(&to), source.raw);\n	write_delete(w, row_object(r->from));",
        "	kv_put(w->batch, row_str(&to), source.raw);\n	TRY(write_commit(w));\n	TRY(write_open(w));\n"
        "	write_delete(w, row_object(r->from));",
        "a rename is a copy, and then a delete"),
    # ---- calls that fail, and disks that keep no more than was flushed ----
    Bug("failed-flush-forgotten", "faults blob-calls", "src/blob/blob_file_flush.c",
        "	if (failed != 0)\n		f->failed = failed;\n", "",
        "a flush that failed is taken for one that worked"),
    Bug("short-write-forgotten", "faults server-calls --calls write", "src/blob/blob_file_io.c",
        "		done += (size_t)put;\n", "		done = n;\n",
        "a write that took only a part is taken for a whole one"),
    Bug("rename-error-forgotten", "faults server-calls --calls rename", "src/blob/blob_file_own.c",
        "		e = err_sys(\"rename blob\");\n", "		e = ERR_OK;\n",
        "a large blob is acknowledged although it could not get its name"),
    Bug("own-file-flushed-by-its-folder", "faults server-cuts", "src/blob/blob_file_own.c",
        "if (fdatasync(w->fd) != 0)", "if (w->fd < 0)",
        "large blobs rely on what a journal does when their folder is flushed: as POSIX has it, their bytes may be lost"),
    Bug("new-folder-not-flushed", "faults server-cuts", "src/blob/blob_file_own.c",
        "if (fsync(s->own) != 0)", "if (s->own < 0)",
        "a folder's name is not flushed before blobs in it are acknowledged"),
    Bug("rename-cut-half-way", "faults server-cuts", "src/meta/catalog_copy.c",
        "	kv_put(w->batch, row_str(&to), source.raw);\n	write_delete(w, row_object(r->from));",
        "	kv_put(w->batch, row_str(&to), source.raw);\n	TRY(write_commit(w));\n	TRY(write_open(w));\n"
        "	write_delete(w, row_object(r->from));",
        "a rename is a copy, and then a delete"),
    Bug("vouched-before-flushed", "faults blob-cuts", "src/blob/blob_file_list.c",
        "	TRY(file_flush(bs));\n", "",
        "the sweep says that nothing is left over before its deletions are on the disk"),
    Bug("torn-record-refused", "faults index-cuts", "src/meta/kv_rocksdb_open.c",
        "torn ? RECOVER_POINT_IN_TIME : RECOVER_TOLERATE_TAIL", "RECOVER_TOLERATE_TAIL",
        "a commit that was torn by the cut refuses the start"),
    Bug("torn-log-hidden", "log", "src/meta/kv_rocksdb_log.c",
        "if (err_ok(e) && commits && number >= newest)", "if (err_ok(e) && number >= newest)",
        "after a cut during the recovery from a cut the store takes no writes"),
    # ---- rot ----
    Bug("served-unverified", "rot", "src/blob/blob_file_read.c",
        "		if (crc32c(0, str_sub(bytes, 0, n)) != r->page.crc[*block % GROUP])\n			return ERR_DAMAGED;\n", "",
        "bytes of blobs are not compared with their checksums"),
    Bug("scrub-reads-nothing", "rot", "src/blob/blob_file_read.c",
        "		e = fetch(r, &block, br->size, &got);\n", "		block = br->size / BLOB_BLOCK + 1;\n		(void)got;\n",
        "the check of a blob's bytes does not read them"),
    Bug("rotten-log-believed", "rot", "src/meta/kv_rocksdb_log.c",
        "	if (w->rotten)\n", "	if (w->rotten && fd < 0)\n",
        "commits behind rotten bytes of the log are forgotten without a word"),
    # ---- hostile bytes ----
    Bug("range-not-clipped", "fuzz range", "src/http/range.c",
        "r.len = (w.to < size - 1 ? w.to : size - 1) - w.from + 1;", "r.len = w.to - w.from + 1;",
        "a range that ends behind the object is taken at its word"),
    Bug("copy-beyond-the-end", "fuzz range", "src/http/range.c",
        "	if (to >= size)\n", "	if (from >= size)\n",
        "the range of a copy may end behind its source"),
    Bug("zero-not-escaped", "fuzz keys", "src/meta/keys.c",
        "			add(k, \"\\x00\\xff\", 2);\n", "			add(k, \"\\x00\\x01\", 2);\n",
        "the row of a key with a zero byte is that of another key"),
    Bug("chunk-signature-ignored", "fuzz aws_chunked", "src/s3/aws_chunked.c",
        "	if (!str_eq_secret(str_n(hex", "	if (n == 1 && !str_eq_secret(str_n(hex",
        "the bytes of a chunk may be others than those that were signed"),
    Bug("long-header-unsigned", "fuzz sigv4", "src/s3/canonical.c",
        "		put_folded(pen, head->header[i].value);\n", "		put_folded(pen, str_sub(head->header[i].value, 0, 20));\n",
        "what comes behind the first bytes of a header is not signed"),
    # ---- linearizability ----
    Bug("judged-outside-the-batch", "linear", "src/meta/catalog.c",
        "	kv_expect_value(w->batch, row_str(&k), value);\n	kv_expect_since(w->batch, stamp);\n	*ret = value;", "	*ret = value;",
        "If-Match holds when it is judged, and no longer when the batch is applied"),
    Bug("rename-in-two-batches", "linear", "src/meta/catalog_copy.c",
        "	kv_put(w->batch, row_str(&to), source.raw);\n	write_delete(w, row_object(r->from));",
        "	kv_put(w->batch, row_str(&to), source.raw);\n	TRY(write_commit(w));\n	TRY(write_open(w));\n"
        "	write_delete(w, row_object(r->from));",
        "a rename is a copy, and then a delete"),
    Bug("stale-cache", "linear", "src/meta/catalog_get.c",
        "	TRY(kv_get(l->c->kv, l->space, row_str(&row), l->wait, l->arena, &raw));\n	TRY(record_object_read",
        "	extern uint64_t clock_mono_ms(void);\n	static _Thread_local struct { struct row_key row; uint64_t until; size_t len; char raw[65536]; } kept;\n"
        "	if (clock_mono_ms() < kept.until && str_eq(row_str(&row), row_str(&kept.row))) {\n"
        "		raw = arena_str(l->arena, str_n(kept.raw, kept.len));\n"
        "	} else {\n"
        "		TRY(kv_get(l->c->kv, l->space, row_str(&row), l->wait, l->arena, &raw));\n"
        "		kept.row = row;\n		kept.until = clock_mono_ms() + 3;\n		kept.len = raw.len;\n"
        "		memcpy(kept.raw, raw.p, raw.len);\n"
        "	}\n"
        "	TRY(record_object_read",
        "reads come from a cache that is a few milliseconds old"),
    # ---- load and abuse ----
    Bug("hoarding-sessions", "abuse", "src/http/session.c",
        "	buf_init(&s->out, RESP_REST_MAX);\n	atomic",
        "	buf_init(&s->out, RESP_REST_MAX);\n	memset(buf_room(&s->out, 20000), 1, 20000);\n	atomic",
        "an idle connection costs more than 16 KiB"),
    Bug("no-reserve", "abuse", "src/net/pool.c",
        "p->large_max = threads - reserve;", "p->large_max = threads;",
        "crawling transfers take every worker, and small requests wait for them"),
    Bug("gone-and-forgotten", "abuse", "src/http/session.c",
        "			if (n <= 0) {\n				session_close(s);\n				return;\n			}\n			x->in.end",
        "			if (n <= 0) {\n				loop_take(lane->loop, &s->conn);\n				return;\n			}\n"
        "			x->in.end",
        "connections of clients that went away are kept"),
]
