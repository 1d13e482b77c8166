/*
 * cap.h - what a bucket's capacity cap will not take is refused before its bytes move.
 *
 * The catalog decides when it commits; this spares the upload. Only for bodies whose length is known.
 */
#pragma once

#include "s3/s3.h"

/* S3_QuotaExceeded. The bytes that the new ones replace are those of the current object, or of the part of that number. */
err cap_check_object(struct s3_req *);
err cap_check_part(struct s3_req *, struct id upload, uint32_t number);
