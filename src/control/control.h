/*
 * control.h - the listener of operators: health, metrics, the control API.
 *
 * Health and metrics need no token: the listener is meant for a management network, and is on loopback unless
 * configured otherwise. The rest of the API takes bearer tokens.
 */
#pragma once

#include <stdatomic.h>

#include "access/audit.h"
#include "base/buf.h"
#include "blob/blob.h"
#include "http/server.h"
#include "meta/catalog.h"

struct oidc;
struct touch;
struct jobs;

struct control {
	struct catalog *catalog;
	struct blobs *blobs;
	struct access *access;
	struct audit *audit;			/* may be NULL */
	struct jobs *jobs;			/* background work */
	struct touch *touch;			/* notes of reads */
	struct oidc *oidc;			/* control/oidc.h */
	const char *master_key_file;
	struct pool *pool;			/* workers of the data listener */
	struct http_server *s3;			/* the data listener */
	void (*metrics)(struct buf *out);	/* further metrics, of rooms above this one; may be NULL */
	atomic_bool draining;			/* readiness says no: a balancer should send no more */
};

/* The control must outlive the server that the handler is given to. */
struct http_handler control_handler(struct control *);
