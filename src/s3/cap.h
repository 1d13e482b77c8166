/*
 * cap.h - what a capacity cap will not take is refused before its bytes move.
 *
 * Of a bucket's cap the catalog decides when it commits; this spares the upload. Only for bodies whose length is known. An organization's
 * cap is asked here alone, before each write, and costs a look at the counters of all its buckets.
 */
#pragma once

#include "s3/s3.h"

/*
 * S3_QuotaExceeded; on a loop ERR_WOULD_BLOCK where there is a cap. The bytes that the new ones replace are those of the current object,
 * or of the part of that number.
 */
err cap_check_object(struct s3_req *);
err cap_check_part(struct s3_req *, struct id upload, uint32_t number);
/*
 * S3_QuotaExceeded for what stores bytes if all buckets of the organization have reached its cap together, or would with the length
 * declared. Nothing is taken off for what is replaced; what is under way at the same time may pass it, a copy by its size.
 */
err cap_check_org(struct s3_req *);
/* What the head declares of the body; 0 if nothing. */
uint64_t cap_declared(const struct http_head *);
