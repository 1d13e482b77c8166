/*
 * multipart.h - what the calls around multipart uploads have in common.
 */
#pragma once

#include "s3/checksum.h"
#include "s3/s3.h"
#include "s3/stream.h"

#define PARTS_MAX 10000u

/* The upload that uploadId names. S3_NoSuchUpload. */
err upload_find(struct s3_req *, struct upload *ret);
/* partNumber. S3_InvalidArgument unless it is 1 to PARTS_MAX. */
err part_number_read(struct s3_req *, uint32_t *ret);

/*
 * Make a part of bytes that have been received or copied, and put it into the index; if that is refused the bytes are dropped.
 * ret: as stored.
 */
err part_commit(struct s3_req *, const struct upload *, uint32_t number, const struct stream_plan *, const struct stream_result *,
    struct part *ret);
