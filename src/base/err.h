/*
 * err.h - how a function says that it failed.
 *
 * One number with two ranges: positive is an S3 error from tbl/errors.h (what
 * the client did, or must be told), negative is an errno (what the machine
 * did). Library code never logs; it leaves one line of context in a
 * thread-local place, and the edge that answers the request logs it once.
 *
 * "err" is err_v plus "you must look at it": for declarations, and for static functions, which have no other.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>

typedef struct { int code; } err_v;
#define err __attribute__((warn_unused_result)) err_v

#define ERR_OK ((err_v){ 0 })

/* The S3 errors: S3_NoSuchKey, S3_AccessDenied, ... in the order of the table. */
enum s3_error {
	S3_OK = 0,
#define S3_ERROR(code, status, message) S3_##code,
#include "tbl/errors.h"
#undef S3_ERROR
	S3_ERROR_COUNT
};

struct s3_error_info {
	const char *code;	/* "NoSuchKey" */
	int status;		/* HTTP status */
	const char *message;	/* what was wrong and what to do */
};

/* The row of the table for "code", S3_OK < code < S3_ERROR_COUNT. */
const struct s3_error_info *s3_error_info(int code);

static inline bool err_is(err_v e, int code) { return e.code == code; }
static inline bool err_ok(err_v e) { return e.code == 0; }

/* An S3 error with the message of its table row. Clears the thread's context. */
err_v err_s3(enum s3_error code);

/* An S3 error with a message of its own, shown to the client. Cut at 1,023 bytes. */
err_v err_s3f(enum s3_error code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The current errno, with what was being done ("fdatasync blob"): for the log. */
err_v err_sys(const char *what);

/* An errno (positive) with what was being done. */
err_v err_errno(int errnum, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same failure, with the context it had before something else failed: a copy of err_context(). */
err_v err_again(err_v e, const char *was);

/* Context of the newest failure of this thread: "" if it left none. */
const char *err_context(void);

/* Return the failure of x, if it failed, to our caller. */
#define TRY(x)                                  \
	do {                                    \
		err_v try_e_ = (x);             \
		if (try_e_.code != 0)           \
			return try_e_;          \
	} while (0)

/* The destructor f(T **) runs when the variable goes out of scope. */
#define AUTO(f) __attribute__((cleanup(f)))

/*
 * The conditional batch was refused: something else wrote first. Callers read
 * again and decide anew.
 */
#define ERR_CONFLICT ((err_v){ -EAGAIN })
#define ERR_NOT_FOUND ((err_v){ -ENOENT })
/* An answer would have to wait for the disk, and the caller asked not to. */
#define ERR_WOULD_BLOCK ((err_v){ -EINPROGRESS })
/* What was read back is not what was written: rot, or a torn record. */
#define ERR_DAMAGED ((err_v){ -EBADMSG })
