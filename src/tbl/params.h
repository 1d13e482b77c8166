/*
 * Parameters: each can be given as a flag (--inline-max), in the environment (CAISSON_INLINE_MAX) or as a key of the
 * YAML file (inline_max); the flag wins, then the environment, then the file. `caisson serve --help-config` prints this table.
 *
 *   PARAM_TEXT(name, default, doc)
 *   PARAM_LISTEN(name, default, doc)			ADDRESS:PORT, or fd:N
 *   PARAM_CHOICE(name, "a|b", default, doc)		one of the words
 *   PARAM_FLAG(name, default, doc)			true or false
 *   PARAM_NUMBER(name, unit, default, min, max, doc)	bytes take K, M, G, T
 *   PARAM_LIST(name, default, doc)			words, by comma; a sequence in YAML
 */

/* ---- where ---- */
PARAM_TEXT(data_dir, "", "directory of the store: index, blobs, keys; made if it is not there")
PARAM_LISTEN(listen, "127.0.0.1:9000", "address of the S3 listener; port 0 picks a free one; fd:3 takes a socket passed by systemd")
PARAM_LISTEN(control_listen, "127.0.0.1:9001", "address of the control API, health and metrics")
PARAM_CHOICE(meta_engine, "rocksdb|memory", "rocksdb", "index engine; memory forgets everything at exit and is for tests")
PARAM_CHOICE(blob_engine, "file|memory", "file", "blob engine; memory forgets everything at exit and is for tests")

/* ---- S3 ---- */
PARAM_CHOICE(s3_dialect, "caios|aws", "caios", "whose rules hold where CoreWeave AI Object Storage and Amazon S3 differ")
PARAM_LIST(domains, "localhost,s3.localhost", "endpoint domains: a host BUCKET.DOMAIN names the bucket")
PARAM_FLAG(require_virtual_host, false, "refuse path-style requests (400 PathStyleRequestNotAllowed)")
PARAM_TEXT(region, "us-east-1", "location of buckets made without a LocationConstraint (dialect aws)")
PARAM_LIST(zones, "", "allowed location constraints; none: any well-formed name")
PARAM_NUMBER(buckets_max, "buckets", 1000, 1, 1000000, "buckets an organization may have")
PARAM_FLAG(sse_c_plain_http, false, "take SSE-C keys over plain HTTP from other machines too (from this one they always are)")
PARAM_FLAG(verify_reads, true, "check every block against its checksum before it is sent")

/* ---- where bytes go ---- */
PARAM_NUMBER(inline_max, "bytes", 4096, 0, 65536, "objects up to this size live in the index")
PARAM_NUMBER(volume_max, "bytes", 524288, 0, 16777216, "larger ones up to this size share volumes; above, each is a file")
PARAM_NUMBER(volume_bytes, "bytes", 1073741824, 1048576, 1099511627776, "a new volume is begun at this size")
PARAM_NUMBER(direct_min, "bytes", 1048576, 65536, 1099511627776, "blobs from this size on are written around the page cache")
PARAM_NUMBER(disk_reserve, "bytes", 268435456, 0, 1099511627776, "room that writes leave free, so that deletions go on when the disk is full; at most a twentieth of it")
PARAM_NUMBER(index_cache, "bytes", 134217728, 1048576, 1099511627776, "block cache of the index")
PARAM_NUMBER(index_threads, "threads", 2, 1, 64, "background threads of the index")

/* ---- connections ---- */
PARAM_TEXT(tls_cert, "", "PEM file of the certificate chain: TLS on both listeners; read again on SIGHUP")
PARAM_TEXT(tls_key, "", "PEM file of its private key")
PARAM_NUMBER(loops, "threads", 0, 0, 256, "event loops; 0: one a core")
PARAM_NUMBER(workers, "threads", 64, 2, 4096, "workers: requests that may block, at once")
PARAM_NUMBER(workers_small, "threads", 8, 0, 2048, "of them, kept for small operations while large transfers crawl")
PARAM_NUMBER(queue_max, "requests", 4096, 1, 1000000, "requests that wait for a worker; beyond: 503 SlowDown")
PARAM_NUMBER(connections_max, "connections", 16384, 1, 1000000, "open at once; for one more the longest-idle is closed; if none is idle: 503 and close")
PARAM_NUMBER(client_workers, "threads", 56, 1, 4096, "workers that one client address may hold")
PARAM_NUMBER(head_timeout, "ms", 10000, 100, 600000, "from the first byte of a request head to its last")
PARAM_NUMBER(idle_timeout, "ms", 75000, 100, 86400000, "between two requests of a connection")
PARAM_NUMBER(rate_min, "bytes/s", 4096, 0, 1073741824, "a body that moves slower, in either direction, is cut off")
PARAM_NUMBER(rate_interval, "ms", 15000, 100, 600000, "over which that rate is measured")
PARAM_NUMBER(copy_alive_interval, "ms", 5000, 1, 60000, "a copy that must read its bytes sends white space this often; shorter than any client's patience")
PARAM_NUMBER(drain_timeout, "ms", 30000, 0, 3600000, "how long running requests may go on after SIGTERM")

/* ---- background work ---- */
PARAM_NUMBER(reap_grace, "ms", 3600000, 0, 604800000, "how long deleted bytes stay on disk: longer than any download that began before")
PARAM_NUMBER(reap_interval, "ms", 60000, 100, 86400000, "between two passes of the reaper")
PARAM_NUMBER(reap_rate, "entries/s", 0, 0, 10000000, "how many deleted things it frees at most; 0: as fast as it goes")
PARAM_NUMBER(sweep_interval, "ms", 3600000, 1000, 604800000, "between two passes of the sweep")
PARAM_NUMBER(lifecycle_interval, "ms", 3600000, 100, 86400000, "between two passes through the buckets that have lifecycle rules")
PARAM_NUMBER(lifecycle_rate, "rows/s", 0, 0, 100000000, "how many objects, versions and uploads a pass judges at most; 0: as fast as it goes")
PARAM_NUMBER(lifecycle_day_seconds, "s", 86400, 1, 86400, "length of a lifecycle day; shorter ones are for tests")
PARAM_NUMBER(scrub_interval, "ms", 604800000, 0, 31536000000, "between two passes of the scrub, over restarts too; 0: only when called for")
PARAM_NUMBER(scrub_rate, "bytes/s", 104857600, 0, 1099511627776, "how many bytes of blobs the scrub reads at most; 0: as fast as the disk goes")
PARAM_NUMBER(touch_interval, "ms", 60000, 100, 86400000, "between two writes of the days on which objects were last read")
PARAM_NUMBER(age_interval, "ms", 21600000, 100, 604800000, "between two passes that add up what is hot, warm and cold")
PARAM_NUMBER(age_rate, "rows/s", 200000, 0, 100000000, "how many objects and versions such a pass looks at most; 0: as fast as it goes")
PARAM_NUMBER(job_threads, "threads", 8, 1, 64, "that commit side by side for all jobs, so that they share flushes")

/* ---- secrets and logs ---- */
PARAM_TEXT(master_key_file, "", "file of the master key that secrets are encrypted under; default: DATA_DIR/master.key, made at the first start")
PARAM_TEXT(access_log, "", "file of one line a request; - is standard output; none by default")
PARAM_CHOICE(access_log_format, "text|json", "text", "of the access log: key=value, or one JSON object a line")
PARAM_TEXT(audit_log, "", "file of the audit log, JSON lines; default: DATA_DIR/audit.log")
PARAM_CHOICE(log_level, "debug|info|warn|error", "info", "events from this level on go to standard error")
