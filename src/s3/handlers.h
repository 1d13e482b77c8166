/*
 * handlers.h - one function for each S3 call, declared from the table.
 */
#pragma once

#include "s3/s3.h"

#define OPERATION(name, method, scope, match, permissions, source, class, handler) \
	err handler(struct s3_req *);
#include "tbl/operations.h"
#undef OPERATION
