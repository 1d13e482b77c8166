/*
 * object_read.c - the plain bytes of an object on their way out.
 *
 * A reader walks over the pieces of a range (catalog_pieces: at most one blob each, looked up a window at a time, so that an
 * object of 10,000 parts costs no more memory than one of two), and within a piece over slices. A slice of a plain file is
 * checked and sent from the page cache; all else is read, and opened if it is sealed, into a buffer of the reader's.
 */
#include "s3/object_read.h"

#include "base/mem.h"
#include "base/panic.h"
#include "s3/store.h"

#define READ_BLOCKS 4u				/* sealed blocks opened at once */
#define READ_BUFFER (READ_BLOCKS * SSE_C_BLOCK)
#define SEND_SLICE (512u << 10)			/* checked, then sent while it is still in the processor's cache */
#define WINDOW (UINT64_C(256) << 20)		/* bytes of a multipart object whose pieces are looked up at once */
#define WINDOW_ARENA (16u << 20)

struct object_reader {
	unsigned magic;
#define OBJECT_READER_MAGIC 0x0b7ec7ad
	struct s3_req *rq;
	const struct object *object;
	const struct sse_key *key;
	uint64_t at, end;		/* of the object: what is still to be given out */
	bool begun;			/* the head of the answer is made */
	struct arena *scratch;		/* the window's pieces; NULL: one piece, in the request's arena */
	struct piece *piece;
	unsigned npieces, next;
	/* The piece that at lies in; left = 0: none yet, or it is used up. */
	struct blob_reader *blob;	/* NULL: its bytes are in memory */
	str memory;			/* all of them, as stored */
	uint64_t off, left;		/* plain bytes */
	uint64_t text_size;		/* plain bytes of the whole blob */
	bool no_descriptor;		/* the engine has none to send from */
	struct sse_cipher *cipher;	/* NULL: plain */
	char *buffer, *sealed;
	str plain;			/* in buffer, from off on */
};

static err
damaged(const struct object_reader *r, const char *what)
{
	char text[ID_TEXT_LEN];

	id_text(r->object->oid, text);
	return err_errno(EBADMSG, "object %.*s: %s", (int)sizeof(text), text, what);
}

/* Plain bytes of what takes this many when sealed. */
static uint64_t
sealed_text_size(uint64_t stored)
{
	uint64_t whole = SSE_C_BLOCK + SSE_C_TAG, blocks = stored / whole + (stored % whole != 0);

	return stored < blocks * SSE_C_TAG ? 0 : stored - blocks * SSE_C_TAG;
}

/* The pieces from r->at on. */
static err
reader_window(struct object_reader *r)
{
	uint64_t len = r->end - r->at;
	struct arena *a = r->rq->arena;

	if (r->object->data == DATA_MULTIPART) {
		if (r->scratch == NULL)
			r->scratch = arena_new(WINDOW_ARENA / 256, WINDOW_ARENA);
		arena_reset(r->scratch);
		a = r->scratch;
		len = len < WINDOW ? len : WINDOW;
	}
	r->next = 0;
	if (r->object->data == DATA_INLINE) {
		r->piece = ARENA_NEW(a, struct piece);
		r->npieces = 1;
		r->piece->extent.off = r->at;
		r->piece->extent.len = len;
		r->piece->is_inlined = true;
		r->piece->inlined = r->object->inlined;
		r->piece->sse = r->object->sse;
		return ERR_OK;
	}
	TRY(catalog_pieces(r->rq->store->catalog, r->object, r->at, len, a, &r->piece, &r->npieces));
	return r->npieces > 0 ? ERR_OK : damaged(r, "its parts are not there");
}

static err
reader_open_blob(struct object_reader *r, const struct blob_ref *ref)
{
	err_v e = blob_open(r->rq->store->blobs, ref, &r->blob);

	if (err_is(e, ERR_NOT_FOUND.code))
		return damaged(r, "its blob is not there");
	TRY(e);
	/* Sealed blocks prove themselves. */
	blob_reader_verify(r->blob, r->rq->store->verify_reads && r->cipher == NULL);
	return ERR_OK;
}

/* On to the piece that r->at begins. */
static err
reader_next(struct object_reader *r)
{
	const struct piece *p;
	uint64_t stored;

	assert(r->left == 0);
	blob_reader_close(&r->blob);
	sse_cipher_free(&r->cipher);
	r->plain = STR_NONE;
	if (r->next == r->npieces)
		TRY(reader_window(r));
	p = &r->piece[r->next++];
	stored = p->is_inlined ? p->inlined.len : p->extent.blob.size;
	r->text_size = p->sse.on ? sealed_text_size(stored) : stored;
	if (p->extent.len == 0 || p->extent.len > r->end - r->at || p->extent.off > r->text_size ||
	    p->extent.len > r->text_size - p->extent.off || p->sse.on != r->object->sse.on)
		return damaged(r, "its record does not fit its bytes");
	if (p->sse.on)
		r->cipher = sse_cipher_new(r->key, &p->sse, SSE_OPEN);
	r->memory = p->inlined;
	if (!p->is_inlined)
		TRY(reader_open_blob(r, &p->extent.blob));
	r->off = p->extent.off;
	r->left = p->extent.len;
	return ERR_OK;
}

static void
reader_advance(struct object_reader *r, size_t n)
{
	assert(n <= r->left);
	r->at += n;
	r->off += n;
	r->left -= n;
	r->plain = str_skip(r->plain, n);
}

/* Decrypt the blocks that r->off lies in into the buffer. */
static err
reader_unseal(struct object_reader *r)
{
	uint64_t most = READ_BUFFER - r->off % SSE_C_BLOCK, len = r->left < most ? r->left : most;
	struct sse_span span = sse_span(r->text_size, r->off, len);
	str sealed = str_sub(r->memory, span.off, span.len);

	if (r->blob != NULL) {
		if (r->sealed == NULL)
			r->sealed = mem_alloc_aligned(64, sse_stored_size(READ_BUFFER));
		TRY(blob_read(r->blob, span.off, r->sealed, span.len));
		sealed = str_n(r->sealed, span.len);
	}
	for (size_t i = 0; i * (SSE_C_BLOCK + SSE_C_TAG) < sealed.len; i++)
		TRY(sse_open(r->cipher, span.block + i, str_sub(sealed, i * (SSE_C_BLOCK + SSE_C_TAG), SSE_C_BLOCK + SSE_C_TAG),
		    r->buffer + i * SSE_C_BLOCK));
	r->plain = str_n(r->buffer + span.skip, len);
	return ERR_OK;
}

/* The next bytes, at least one and at most READ_BUFFER; borrowed until reader_advance(). */
static err
reader_peek(struct object_reader *r, str *ret)
{
	uint64_t n = r->left < READ_BUFFER ? r->left : READ_BUFFER;

	assert(r->left > 0);
	if (r->blob == NULL && r->cipher == NULL) {
		*ret = str_sub(r->memory, r->off, r->left);
		return ERR_OK;
	}
	if (r->buffer == NULL)
		r->buffer = mem_alloc_aligned(64, READ_BUFFER);
	if (r->plain.len == 0) {
		if (r->cipher != NULL) {
			TRY(reader_unseal(r));
		} else {
			TRY(blob_read(r->blob, r->off, r->buffer, n));
			r->plain = str_n(r->buffer, n);
		}
	}
	*ret = r->plain;
	return ERR_OK;
}

err_v
object_reader_open(struct s3_req *rq, const struct object *o, const struct sse_key *key, uint64_t off, uint64_t len,
    struct object_reader **ret)
{
	struct object_reader *r = MEM_NEW(struct object_reader);

	assert(off <= o->size && len <= o->size - off);
	assert(key->on == o->sse.on);
	*r = (struct object_reader){ .magic = OBJECT_READER_MAGIC, .rq = rq, .object = o, .key = key, .at = off, .end = off + len };
	*ret = r;
	return ERR_OK;
}

void
object_reader_close(struct object_reader **rp)
{
	struct object_reader *r = *rp;

	if (r == NULL)
		return;
	CHECK_OBJ(r, OBJECT_READER_MAGIC);
	blob_reader_close(&r->blob);
	sse_cipher_free(&r->cipher);
	arena_free(&r->scratch);
	free(r->buffer);
	free(r->sealed);
	r->magic = 0;
	free(r);
	*rp = NULL;
}

static err
source_read(void *ctx, void *p, size_t max, size_t *ret_len)
{
	struct object_reader *r = ctx;
	str bytes;

	CHECK_OBJ(r, OBJECT_READER_MAGIC);
	assert(max > 0);
	if (r->at == r->end) {
		*ret_len = 0;
		return ERR_OK;
	}
	if (r->left == 0)
		TRY(reader_next(r));
	TRY(reader_peek(r, &bytes));
	bytes = str_sub(bytes, 0, max);
	memcpy(p, bytes.p, bytes.len);
	reader_advance(r, bytes.len);
	*ret_len = bytes.len;
	return ERR_OK;
}

struct byte_source
object_reader_source(struct object_reader *r)
{
	return (struct byte_source){ .ctx = r, .read = source_read, .length = r->end - r->at };
}

/* The head is made when the first bytes are there, and not before. */
static err
send_begin(struct object_reader *r, uint64_t len)
{
	if (r->begun)
		return ERR_OK;
	r->begun = true;
	return resp_begin(r->rq->resp, len);
}

/* One slice of the current piece. */
static err
send_slice(struct object_reader *r, uint64_t len)
{
	struct resp *resp = r->rq->resp;
	str bytes;

	if (r->blob != NULL && r->cipher == NULL && !r->no_descriptor) {
		size_t n;
		uint64_t pos;
		int fd;
		err_v e = blob_extent(r->blob, r->off, r->left < SEND_SLICE ? r->left : SEND_SLICE, &fd, &pos, &n);

		if (!err_is(e, -ENOTSUP)) {
			TRY(e);
			TRY(send_begin(r, len));
			TRY(resp_sendfile(resp, fd, pos, n));
			reader_advance(r, n);
			return ERR_OK;
		}
		r->no_descriptor = true;
	}
	TRY(reader_peek(r, &bytes));
	TRY(send_begin(r, len));
	TRY(resp_write(resp, bytes));
	reader_advance(r, bytes.len);
	return ERR_OK;
}

err_v
object_send(struct s3_req *rq, const struct object *o, const struct sse_key *key, uint64_t off, uint64_t len)
{
	AUTO(object_reader_close) struct object_reader *r = NULL;

	if (len == 0)
		return resp_send(rq->resp, STR(""));
	if (o->data == DATA_INLINE && !o->sse.on)
		return resp_send(rq->resp, str_sub(o->inlined, off, len));
	if (rq->wait == KV_NO_WAIT)
		return ERR_WOULD_BLOCK;
	TRY(object_reader_open(rq, o, key, off, len, &r));
	while (r->at < r->end) {
		if (r->left == 0)
			TRY(reader_next(r));
		TRY(send_slice(r, len));
	}
	return resp_end(rq->resp);
}
