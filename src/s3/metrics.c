/*
 * metrics.c - counters of requests by operation.
 *
 * Histogram buckets are powers of two from 32 us up: 24 of them reach 268 s.
 */
#include "s3/metrics.h"

#include <stdatomic.h>

#include "base/panic.h"

#define BUCKETS 24
#define FIRST_US 32

struct op_counts {
	_Atomic uint64_t status[6];	/* 1xx ... 5xx; [0]: the connection was cut before an answer */
	_Atomic uint64_t bucket[BUCKETS + 1];
	_Atomic uint64_t us, bytes_in, bytes_out;
};

static struct op_counts counts[OP_COUNT + 1];

static const char *const op_name[OP_COUNT + 1] = {
#define OPERATION(name, ...) [OP_##name] = #name,
#include "tbl/operations.h"
#undef OPERATION
	[OP_NONE] = "Unknown",
};

const char *
s3_op_name(enum op op)
{
	assert(op <= OP_NONE);
	return op_name[op];
}

static void
add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static uint64_t
read_counter(_Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static unsigned
bucket_of(uint64_t us)
{
	unsigned i = 0;

	for (uint64_t top = FIRST_US; i < BUCKETS && us > top; top *= 2)
		i++;
	return i;
}

void
s3_metrics_observe(void *arg, const struct s3_outcome *o)
{
	struct op_counts *c;

	assert(o->op <= OP_NONE);
	assert(o->status >= 0 && o->status < 600);
	c = &counts[o->op];
	add(&c->status[o->status / 100], 1);
	add(&c->bucket[bucket_of(o->duration_ns / 1000)], 1);
	add(&c->us, o->duration_ns / 1000);
	add(&c->bytes_in, o->bytes_in);
	add(&c->bytes_out, o->bytes_out);
}

static void
render_histogram(struct buf *out, const char *name, struct op_counts *c)
{
	uint64_t total = 0, top = FIRST_US;

	for (unsigned i = 0; i < BUCKETS; i++, top *= 2) {
		total += read_counter(&c->bucket[i]);
		buf_addf(out, "caisson_request_seconds_bucket{operation=\"%s\",le=\"%g\"} %llu\n", name,
		    (double)top / 1e6, (unsigned long long)total);
	}
	total += read_counter(&c->bucket[BUCKETS]);
	buf_addf(out, "caisson_request_seconds_bucket{operation=\"%s\",le=\"+Inf\"} %llu\n", name, (unsigned long long)total);
	buf_addf(out, "caisson_request_seconds_sum{operation=\"%s\"} %g\n", name, (double)read_counter(&c->us) / 1e6);
	buf_addf(out, "caisson_request_seconds_count{operation=\"%s\"} %llu\n", name, (unsigned long long)total);
}

static bool
op_seen(struct op_counts *c)
{
	uint64_t n = 0;

	for (int s = 0; s < 6; s++)
		n += read_counter(&c->status[s]);
	return n > 0;
}

/* One family of a counter for each operation. */
static void
render_bytes(struct buf *out, const char *family, const char *help, size_t member)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s counter\n", family, help, family);
	for (unsigned op = 0; op <= OP_NONE; op++)
		if (op_seen(&counts[op]))
			buf_addf(out, "%s{operation=\"%s\"} %llu\n", family, op_name[op],
			    (unsigned long long)read_counter((_Atomic uint64_t *)((char *)&counts[op] + member)));
}

void
s3_metrics_render(struct buf *out)
{
	static const char *const class[6] = { "cut", "1xx", "2xx", "3xx", "4xx", "5xx" };

	buf_add_c(out, "# HELP caisson_requests_total Requests by operation and status.\n# TYPE caisson_requests_total counter\n");
	for (unsigned op = 0; op <= OP_NONE; op++)
		for (int s = 0; s < 6; s++)
			if (read_counter(&counts[op].status[s]) > 0)
				buf_addf(out, "caisson_requests_total{operation=\"%s\",status=\"%s\"} %llu\n", op_name[op],
				    class[s], (unsigned long long)read_counter(&counts[op].status[s]));
	buf_add_c(out, "# HELP caisson_request_seconds Time from a whole head to the end of the answer.\n"
	    "# TYPE caisson_request_seconds histogram\n");
	for (unsigned op = 0; op <= OP_NONE; op++)
		if (op_seen(&counts[op]))
			render_histogram(out, op_name[op], &counts[op]);
	render_bytes(out, "caisson_request_bytes_total", "Body bytes received.", offsetof(struct op_counts, bytes_in));
	render_bytes(out, "caisson_response_bytes_total", "Body bytes sent.", offsetof(struct op_counts, bytes_out));
}
