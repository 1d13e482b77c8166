/*
 * audit.h - who did what: one JSON line for each audited request.
 *
 * Whether a request is audited: access_bucket_audited(), access_org_audited(). audit_write() copies the line into a bounded queue
 * that a thread of its own writes to the file; it never waits for the disk. When the queue is full or the disk refuses, lines are dropped,
 * counted, and the next line that gets through says how many are missing. Thread-safe.
 */
#pragma once

#include "access/access.h"

struct audit;

enum audit_plane { AUDIT_DATA, AUDIT_CONTROL };
enum audit_decision { AUDIT_ALLOW, AUDIT_DENY, AUDIT_NOT_ASKED };	/* not asked: refused earlier, or nothing to decide */

/* Empty strs are left out of the line. */
struct audit_event {
	enum audit_plane plane;
	uint64_t time_ms;
	str request_id;
	const struct principal *who;	/* NULL: not found out */
	str source_ip, user_agent;
	str operation;			/* row of tbl/operations.h, or method of the control API */
	str org;			/* that the resource belongs to */
	str bucket, key, version_id;
	str resource;			/* of the control plane: a key id, a policy name */
	enum audit_decision decision;
	str why;			/* policy and statement that decided */
	int status;
	str error;			/* S3 or gRPC error code */
	uint64_t bytes_in, bytes_out;
	uint64_t duration_us;
};

/* path: appended to, made with 0600; "-": standard output. queue_bytes: memory of the queue. */
err audit_open(const char *path, size_t queue_bytes, struct audit **ret);
/* Writes what is queued first. */
void audit_close(struct audit **);
void audit_write(struct audit *, const struct audit_event *);
/* Open the path anew (after rotation, on SIGHUP): the writer does it before its next line. */
void audit_reopen(struct audit *);

struct audit_stats { uint64_t written, dropped, failed; };	/* lines; failed: the disk refused them */
void audit_stats(struct audit *, struct audit_stats *ret);
