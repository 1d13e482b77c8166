/* range.h - the Range header, one range (RFC 9110 section 14.2). */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct range {
	uint64_t off, len;
	bool partial;		/* answer 206 with Content-Range */
};

/*
 * value: the header, or STR_NONE for all of it. Clips the end. S3_InvalidRange when
 * it begins past the end (also any suffix of an empty object). Malformed, another
 * unit or several ranges: as if there were none, as Amazon does.
 */
err range_parse(str value, uint64_t size, struct range *ret);
/* "bytes=A-B" exactly, both ends given, within size: for x-amz-copy-source-range. S3_InvalidArgument. */
err range_parse_copy(str value, uint64_t size, struct range *ret);
