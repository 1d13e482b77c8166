/*
 * copy_bytes.c - copies whose bytes must be read.
 */
#include "s3/copy_bytes.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/xml_out.h"
#include "s3/answer.h"
#include "s3/store.h"

#define HASH_BUFFER (512u << 10)
#define HASH_BUFFERS (DIGEST_BEHIND + 1)

/* ---- keeping the connection alive ---- */

void
alive_init(struct alive *a, struct s3_req *rq)
{
	*a = (struct alive){ .rq = rq, .next_ms = clock_mono_ms() + rq->store->alive_ms };
}

static err
alive_tick(struct alive *a)
{
	struct resp *resp = a->rq->resp;

	if (clock_mono_ms() < a->next_ms)
		return ERR_OK;
	a->next_ms = clock_mono_ms() + a->rq->store->alive_ms;
	if (a->begun)
		return resp_write(resp, STR(" "));
	a->begun = true;
	resp_status(resp, 200);
	resp_header(resp, STR("Content-Type"), STR("application/xml"));
	TRY(resp_begin_chunked(resp));
	return resp_write(resp, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
}

static err
alive_read(void *ctx, void *p, size_t max, size_t *ret_len)
{
	struct alive *a = ctx;

	TRY(alive_tick(a));
	return a->source.read(a->source.ctx, p, max, ret_len);
}

static struct byte_source
alive_source(struct alive *a, struct byte_source source)
{
	a->source = source;
	return (struct byte_source){ .ctx = a, .read = alive_read, .length = source.length };
}

static void
write_error(struct alive *a, err_v e, struct buf *b)
{
	enum s3_error code = e.code > 0 ? (enum s3_error)e.code : S3_InternalError;
	const struct s3_error_info *info = s3_error_info(code);
	const char *message = e.code > 0 ? err_context() : "";

	xml_open(b, "Error");
	xml_text(b, "Code", str_c(info->code));
	xml_text(b, "Message", str_c(message[0] != '\0' ? message : info->message));
	xml_text(b, "RequestId", str_c(a->rq->http->id));
	xml_close(b, "Error");
}

err_v
alive_answer(struct alive *a, err_v e, const struct buf *xml)
{
	AUTO(buf_done) struct buf b = { 0 };
	str text = buf_str(xml);

	if (!a->begun) {
		TRY(e);
		return answer_xml(a->rq, xml);
	}
	if (!err_ok(e)) {
		buf_init(&b, 16384);
		write_error(a, e, &b);
		text = buf_str(&b);
	} else {
		(void)str_take_until(&text, '\n');	/* the declaration is out already */
	}
	TRY(resp_write(a->rq->resp, text));
	return resp_end(a->rq->resp);
}

/* ---- bytes ---- */

static err
read_nothing(void *ctx, void *p, size_t max, size_t *ret_len)
{
	*ret_len = 0;
	return ERR_OK;
}

err_v
copy_rewrite(struct alive *a, const struct object *o, const struct sse_key *key, uint64_t off, uint64_t len,
    const struct stream_plan *plan, struct stream_result *ret)
{
	AUTO(object_reader_close) struct object_reader *reader = NULL;
	struct byte_source source = { .read = read_nothing, .length = 0 };

	if (len > 0) {
		TRY(object_reader_open(a->rq, o, key, off, len, &reader));
		source = object_reader_source(reader);
	}
	return stream_from(a->rq, plan, alive_source(a, source), ret);
}

/* Buffers in turn: helpers hash those that were filled while the next one is. */
static err
hash_run(struct byte_source source, struct digests *d, char *buffer)
{
	for (unsigned turn = 0;; turn = (turn + 1) % HASH_BUFFERS) {
		char *p = buffer + turn * HASH_BUFFER;
		size_t n;

		TRY(source.read(source.ctx, p, HASH_BUFFER, &n));
		if (n == 0)
			return ERR_OK;
		digests_add(d, str_n(p, n));
	}
}

err_v
copy_hash(struct alive *a, const struct object *o, const struct sse_key *key, uint64_t off, uint64_t len, unsigned set,
    struct digest_values *ret)
{
	AUTO(object_reader_close) struct object_reader *reader = NULL;
	AUTO(mem_free_p) char *buffer = mem_alloc_aligned(4096, HASH_BUFFERS * HASH_BUFFER);
	AUTO(digests_free) struct digests *d = digests_new(set);	/* gone before the buffer */

	if (len > HASH_BUFFER)
		digests_help(d);
	if (len > 0) {
		TRY(object_reader_open(a->rq, o, key, off, len, &reader));
		TRY(hash_run(alive_source(a, object_reader_source(reader)), d, buffer));
	}
	ret->set = set;
	for (int i = 0; i < DIGEST_COUNT; i++)
		if ((set & DIGEST_BIT(i)) != 0)
			digests_get(d, (enum digest_alg)i, ret->at[i]);
	return ERR_OK;
}
