/*
 * dispatch.h - the http_handler of the gateway.
 *
 * One request goes route -> sigv4 -> bucket -> authorize -> handler; whatever fails becomes S3's error XML here, and
 * only here, and is logged once. Runs on loops and on workers.
 */
#pragma once

#include "http/server.h"
#include "s3/s3.h"
#include "s3/store.h"

/* The store must outlive the server that the handler is given to. */
struct http_handler s3_handler(struct store *);
