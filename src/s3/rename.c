/*
 * rename.c - RenameObject: one record moves to another key of its bucket, at any size.
 *
 * The whole of it is one batch of the catalog; here is only what the request says. x-amz-rename-source may be read in
 * several ways, and a key that exists wins over a reading that drops the bucket's name.
 */
#include "base/text.h"
#include "s3/answer.h"
#include "s3/authorize.h"
#include "s3/handlers.h"
#include "s3/store.h"

#define KEY_MAX 1024u
#define TOKEN_MAX 64u
#define READINGS_MAX 3

static void
reading_add(str key, str *reading, unsigned *n)
{
	if (key.len > 0 && key.len <= KEY_MAX)
		reading[(*n)++] = key;
}

/* Which keys the header may mean, most literal first. */
static err
source_readings(struct s3_req *rq, str ret[READINGS_MAX], unsigned *ret_n)
{
	str sent = s3_header(rq, STR("x-amz-rename-source")), text, bare;
	unsigned n = 0;

	if (str_empty(sent))
		return err_s3f(S3_InvalidRequest, "Name the key to be renamed in x-amz-rename-source.");
	if (!url_decode(rq->arena, sent, URL_PLUS_IS_PLUS, &text) || !str_is_utf8(text))
		return err_s3f(S3_InvalidArgument, "x-amz-rename-source is not a URL-encoded key.");
	bare = str_starts(text, STR("/")) ? str_skip(text, 1) : text;
	reading_add(text, ret, &n);
	if (bare.len < text.len)
		reading_add(bare, ret, &n);
	if (str_starts(bare, rq->bucket.name) && str_starts(str_skip(bare, rq->bucket.name.len), STR("/")))
		reading_add(str_skip(bare, rq->bucket.name.len + 1), ret, &n);
	if (n == 0)
		return err_s3f(S3_InvalidArgument, "x-amz-rename-source names no key.");
	*ret_n = n;
	return ERR_OK;
}

static err
token_read(struct s3_req *rq, str *ret)
{
	str token = s3_header(rq, STR("x-amz-client-token"));

	if (token.p != NULL && (token.len == 0 || token.len > TOKEN_MAX))
		return err_s3f(S3_InvalidArgument, "x-amz-client-token has 1 to %u characters.", TOKEN_MAX);
	for (size_t i = 0; i < token.len; i++)
		if (token.p[i] < 33 || token.p[i] > 126)
			return err_s3f(S3_InvalidArgument, "x-amz-client-token has a character other than ASCII 33 to 126.");
	*ret = token;
	return ERR_OK;
}

/* The reading that exists. None: *ret = NULL. */
static err
source_choose(struct s3_req *rq, const str *reading, unsigned n, const str **ret)
{
	static const struct which current = { .kind = WHICH_CURRENT };

	for (unsigned i = 0; i < n; i++) {
		struct object o;
		err_v e = catalog_get(rq->store->catalog, &rq->bucket, reading[i], &current, rq->wait, rq->arena, &o);

		if (err_ok(e)) {
			*ret = &reading[i];
			return ERR_OK;
		}
		if (!err_is(e, S3_NoSuchKey))
			return e;
	}
	*ret = NULL;
	return ERR_OK;
}

static err
rename_from(struct s3_req *rq, str from, struct rename *r)
{
	r->from = from;
	if (str_eq(from, rq->key))
		return err_s3f(S3_InvalidRequest, "The source and the destination of a rename are the same key.");
	TRY(authorize_action(rq, "s3:DeleteObject", &rq->bucket, from, NULL, NULL));
	return catalog_rename(rq->store->catalog, &rq->bucket, r);
}

/* PUT /bucket/key?renameObject - S3 API: RenameObject */
err_v
s3_rename_object(struct s3_req *rq)
{
	struct rename r = { .to = rq->key, .principal = rq->who.name };
	str reading[READINGS_MAX];
	const str *chosen;
	unsigned n = 0;
	err_v e;

	TRY(source_readings(rq, reading, &n));
	TRY(token_read(rq, &r.token));
	TRY(conditions_parse(rq, CONDITIONS_RENAME_SOURCE, &r.source));
	TRY(conditions_parse(rq, CONDITIONS_RENAME_TARGET, &r.destination));
	if (rq->bucket.versioning != VERSIONING_NEVER)
		return err_s3f(S3_InvalidBucketState, "The bucket has, or had, versioning: its objects cannot be renamed.");
	TRY(source_choose(rq, reading, n, &chosen));
	if (chosen != NULL) {
		TRY(rename_from(rq, *chosen, &r));
		return answer_empty(rq, 200);
	}
	/*
	 * Nothing is there: perhaps it was renamed already, by a request with this token. The catalog knows, but
	 * not by which reading.
	 */
	do
		e = rename_from(rq, reading[--n], &r);
	while (n > 0 && r.token.p != NULL && err_is(e, S3_IdempotencyParameterMismatch));
	TRY(e);
	return answer_empty(rq, 200);
}
