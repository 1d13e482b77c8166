/*
 * api.h - one call of the control API on its way to its handler, and the JSON around it.
 *
 * control.c finds the row of tbl/control.h, the caller and the organization, then runs the handler, which reads rq->body and puts its
 * answer into rq->answer. Errors become a gRPC-style status in control.c and nowhere else.
 */
#pragma once

#include <jansson.h>

#include "access/admin.h"
#include "control/control.h"

#define API_BODY_MAX 65536u
#define API_PAGE_MAX 1000u

struct api_req {
	struct control *control;
	struct http_req *http;
	struct arena *arena;
	struct caller caller;		/* TOKEN and OPERATOR calls */
	str org;			/* the caller's, or the one an operator names with ?org= */
	str param;			/* the {segment} of the path */
	json_t *body;			/* an object; empty if nothing was sent */
	json_t *answer;			/* set by the handler; an empty object if left alone */
	str resource, why;		/* for the audit log: what it was about, what decided */
	bool audited;			/* the organization kept a log before the call, which may be to end it */
};

#define CONTROL(name, method, path, who, permission, handler) err handler(struct api_req *);
#include "tbl/control.h"
#undef CONTROL

/* ---- reading: an absent member is not an error, one of the wrong type is S3_InvalidArgument that names it ---- */

/* STR_NONE if absent. Borrows from the body. */
err api_text(const json_t *object, const char *name, str *ret);
/* Must be there and not be empty. */
err api_text_needed(const json_t *object, const char *name, str *ret);
/* A number, or digits in a string, as the JSON of protobuf allows. */
err api_number(const json_t *object, const char *name, bool *ret_set, uint64_t *ret);
err api_bool(const json_t *object, const char *name, bool *ret_set, bool *ret);
/* An object of texts. */
err api_pairs(const json_t *object, const char *name, struct arena *, struct pairs *ret);
/* A list of texts: names only. */
err api_names(const json_t *object, const char *name, struct arena *, struct pairs *ret);
/* offset and limit of the query. */
err api_page(const struct api_req *, unsigned *ret_offset, unsigned *ret_limit);

/* ---- writing ---- */

json_t *api_json(str);
/* RFC 3339; 0 is the sentinel 1970-01-01T00:00:00Z. */
json_t *api_time(struct arena *, uint64_t ms);
json_t *api_json_pairs(struct pairs);
json_t *api_json_names(struct pairs);
/* The "multiAttributes" of a key: {"groups": ["a", "b"]}. */
json_t *api_multi_attributes(struct pairs groups);
