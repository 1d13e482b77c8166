/* Request counters: what is counted is what is shown. */
#include "test.h"

#include "s3/metrics.h"

TEST(metrics_render)
{
	static const struct s3_outcome seen[] = {
		{ .op = OP_GetObject, .status = 200, .duration_ns = 70000, .bytes_out = 4096 },
		{ .op = OP_GetObject, .status = 206, .duration_ns = 50000, .bytes_out = 1 },
		{ .op = OP_GetObject, .status = 404, .duration_ns = 1000000000000 },
		{ .op = OP_NONE, .status = 400, .duration_ns = 10 },
	};
	struct buf out;

	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
		s3_metrics_observe(NULL, &seen[i]);
	s3_metrics_render(&out);
	EXPECT(!buf_overflow(&out));
	static const char *const lines[] = {
		"caisson_requests_total{operation=\"GetObject\",status=\"2xx\"} 2\n",
		"caisson_requests_total{operation=\"GetObject\",status=\"4xx\"} 1\n",
		"caisson_requests_total{operation=\"Unknown\",status=\"4xx\"} 1\n",
		"caisson_request_seconds_bucket{operation=\"GetObject\",le=\"6.4e-05\"} 1\n",
		"caisson_request_seconds_bucket{operation=\"GetObject\",le=\"0.000256\"} 2\n",
		"caisson_request_seconds_bucket{operation=\"GetObject\",le=\"268.435\"} 2\n",
		"caisson_request_seconds_bucket{operation=\"GetObject\",le=\"+Inf\"} 3\n",
		"caisson_response_bytes_total{operation=\"GetObject\"} 4097\n",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (str_find_str(buf_str(&out), str_c(lines[i])) < 0)
			TEST_FAIL("no line %s", lines[i]);
	EXPECT(str_find_str(buf_str(&out), STR("PutObject")) < 0);
	buf_done(&out);
}
