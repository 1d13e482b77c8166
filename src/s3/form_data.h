/*
 * form_data.h - the fields of a multipart/form-data body (RFC 7578), one after the other, as a stream.
 *
 * Knows nothing of S3. Memory is constant: fields are read into the caller's, under the caller's limits.
 */
#pragma once

#include "s3/aws_chunked.h"

/* The boundary of a Content-Type. false: it is not multipart/form-data, or its boundary is not one. */
bool form_data_boundary(str content_type, str *ret);

struct form_data;

struct form_field {
	str name;
	bool has_filename;	/* a file */
	str filename;
};

/* The boundary must live as long. */
struct form_data *form_data_open(struct byte_source, str boundary);
void form_data_close(struct form_data **);

/*
 * Go on to the next field, past what is left of the one before. *ret_more = false: there was none. S3_MalformedPOSTRequest,
 * and what the source gives. The strs are in the arena.
 */
err form_data_next(struct form_data *, struct arena *, struct form_field *ret, bool *ret_more);
/* 1 to max bytes of the field; *ret_len = 0 at its end. Of the form of byte_source.read, with ctx a struct form_data. */
err form_data_read(void *ctx, void *p, size_t max, size_t *ret_len);
/* All of the field, at most max bytes; more: *ret_fits = false. */
err form_data_value(struct form_data *, struct arena *, size_t max, str *ret, bool *ret_fits);
