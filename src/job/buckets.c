/* buckets.c - a pass over all buckets, by name. */
#include "job/job_impl.h"

#define BUCKETS_PAGE 200u

/* Two arenas in turns: the last name of a page is where the next begins. */
err_v
job_each_bucket(struct job *j, str after, const char *what, job_bucket_f *visit, void *arg)
{
	AUTO(arena_free) struct arena *even = arena_new(64u << 10, 16u << 20), *odd = arena_new(64u << 10, 16u << 20);
	struct arena *list[2] = { even, odd };
	bool more = true;

	for (unsigned turn = 0; more && !job_stopping(j); turn ^= 1) {
		struct bucket *b;
		unsigned n;

		arena_reset(list[turn]);
		TRY(catalog_bucket_list(j->options->catalog, STR_NONE, STR_NONE, after, BUCKETS_PAGE, list[turn], &b, &n, &more));
		for (unsigned i = 0; i < n && !job_stopping(j); i++) {
			err_v e = visit(arg, &b[i]);

			if (!err_ok(e) && !err_is(e, S3_NoSuchBucket))
				job_failed(j, what, e);
		}
		if (n == 0)
			break;
		after = b[n - 1].name;
	}
	return ERR_OK;
}
