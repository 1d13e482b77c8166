/*
 * buckets.h - the rules of bucket names and places.
 */
#pragma once

#include "s3/s3.h"
#include "s3/store.h"

/* May a bucket be called so? S3_InvalidBucketName says which rule it breaks. */
err bucket_name_check(enum dialect, str name);
/* A location constraint. S3_InvalidLocationConstraint. */
err bucket_location_check(const struct store *, str location);
