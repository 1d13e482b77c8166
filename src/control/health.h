/*
 * health.h - is the process alive, should it get traffic, what does it count.
 */
#pragma once

#include "control/control.h"

/* GET /healthz: 200 as long as the process answers. */
void health_live(struct control *, struct http_req *);
/* GET /readyz: 200 if writes would be taken now, else 503 with one line a reason. Reads may go on all the same. */
void health_ready(struct control *, struct http_req *);
/* Appends the lines that /readyz answers; none: ready. */
void health_reasons(struct control *, struct buf *why);
/* GET /metrics: Prometheus text (metrics.c). */
void health_metrics(struct control *, struct http_req *);
void health_answer(struct http_req *, int status, str type, str body);
