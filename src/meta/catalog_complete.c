/*
 * catalog_complete.c - CompleteMultipartUpload: one batch, however many parts and bytes.
 *
 * The parts stay where they are. The batch makes the record, the link of the body, the part table, takes the upload away,
 * and leaves a note for the reaper to look for parts that were not chosen. It expects the U row, which every part that
 * replaces another changes, so the parts are those that were read.
 */
#include "base/panic.h"
#include "meta/catalog_impl.h"

#define PART_SIZE_MIN (5u << 20)
/* An upload whose parts are replaced faster than they can be read. */
#define READS_MAX 100

struct completion {
	str key;
	struct id id;
	const struct part_choice *choice;
	unsigned n;
	const struct conditions *conditions;
	complete_f *finish;
	void *arg;
	struct arena *arena;		/* the caller's: what lives on */
	struct arena *reading;		/* of the parts */
	bool again;			/* is it a repetition? Then ETags tell enough. */
	/* As last read: */
	str raw;			/* U */
	unsigned reads;
	struct upload upload;
	struct part *parts;		/* n */
	uint64_t size;
	struct part_run *runs;
	unsigned nruns;
	struct object o;
};

static err
check_choice(const struct completion *p, unsigned i, const struct part *part)
{
	const struct part_choice *want = &p->choice[i];

	if (part->number != want->number || !str_eq(part->etag, want->etag))
		return err_s3f(S3_InvalidPart, "Part %u was not found, or its ETag is not that of the part uploaded.", want->number);
	if (!p->again && want->checksum.set && (!part->checksum.set || part->checksum.alg != want->checksum.alg ||
	    memcmp(part->checksum.value, want->checksum.value, digest_len(want->checksum.alg)) != 0))
		return err_s3f(S3_InvalidPart, "The checksum of part %u is not that of the part uploaded.", want->number);
	if (i + 1 < p->n && part->size < PART_SIZE_MIN)
		return err_s3f(S3_EntityTooSmall, "Part %u is smaller than 5 MiB, which only the last part may be.", want->number);
	return ERR_OK;
}

/* The chosen parts from a scan of all. */
static err
read_parts(struct catalog *c, struct completion *p)
{
	AUTO(kv_iter_close) struct kv_iter *it = NULL;
	struct row_key from = row_part(p->id, p->choice[0].number), to = row_behind(row_of_body(ROW_PART, p->id));
	struct id body;
	uint32_t number = 0;

	p->parts = ARENA_ARRAY(p->reading, struct part, p->n);
	TRY(kv_scan(c->kv, id_space(p->id), row_str(&from), row_str(&to), &it));
	for (unsigned i = 0; i < p->n; i++) {
		for (; kv_iter_valid(it); kv_iter_next(it)) {
			if (!row_part_parse(kv_iter_key(it), &body, &number))
				return err_errno(EBADMSG, "name of a part's row");
			if (number >= p->choice[i].number)
				break;
		}
		TRY(kv_iter_error(it));
		if (kv_iter_valid(it) && number == p->choice[i].number) {
			TRY(record_part_read(kv_iter_value(it), p->id, RECORD_LISTED, p->reading, &p->parts[i]));
			p->parts[i].number = number;
			p->parts[i].etag = arena_str(p->reading, p->parts[i].etag);
		}
		TRY(check_choice(p, i, &p->parts[i]));
	}
	return ERR_OK;
}

/* Equal neighbours make one run. */
static err
count_parts(struct completion *p)
{
	struct part_run *runs = ARENA_ARRAY(p->reading, struct part_run, p->n);
	unsigned n = 0;

	p->size = 0;
	for (unsigned i = 0; i < p->n; i++) {
		const struct part *part = &p->parts[i];
		struct part_run *last = n > 0 ? &runs[n - 1] : NULL;

		if (__builtin_add_overflow(p->size, part->size, &p->size) || p->size > INT64_MAX)
			return err_s3(S3_EntityTooLarge);
		if (last != NULL && last->size == part->size && last->first + last->count == part->number)
			last->count++;
		else
			runs[n++] = (struct part_run){ part->number, 1, part->size };
	}
	p->runs = ARENA_ARRAY(p->arena, struct part_run, n);
	memcpy(p->runs, runs, n * sizeof(*runs));
	p->nruns = n;
	return ERR_OK;
}

static err
check_order(const struct completion *p)
{
	if (p->n == 0)
		return err_s3(S3_MalformedXML);
	for (unsigned i = 0; i < p->n; i++) {
		if (p->choice[i].number == 0 || p->choice[i].number > PART_NUMBER_MAX)
			return err_s3(S3_InvalidPart);
		if (i > 0 && p->choice[i].number <= p->choice[i - 1].number)
			return err_s3(S3_InvalidPartOrder);
	}
	return ERR_OK;
}

static err
read_choice(struct catalog *c, struct completion *p)
{
	arena_reset(p->reading);
	TRY(read_parts(c, p));
	return count_parts(p);
}

/* Upload and parts, unless they are still those that were read. */
static err
read_upload(struct write *w, struct completion *p, str raw)
{
	struct upload *u = &p->upload;

	if (p->raw.p != NULL && str_eq(raw, p->raw))
		return ERR_OK;
	if (p->reads++ == READS_MAX)
		return err_s3(S3_SlowDown);
	p->raw = arena_str(p->arena, raw);
	TRY(record_upload_read(p->raw, RECORD_FULL, p->arena, u));
	u->key = p->key;
	u->id = p->id;
	TRY(read_choice(w->c, p));
	p->o = (struct object){
		.key = p->key, .oid = id_new(w->bucket.space), .modified_ms = w->now_ms, .size = p->size, .class = u->class,
		.owner_org = u->owner_org, .headers = u->headers, .metadata = u->metadata, .tags = u->tags, .sse = u->sse,
		.data = DATA_MULTIPART, .body = p->id, .runs = p->runs, .nruns = p->nruns, .parts = p->n,
	};
	return p->finish(p->arg, u, p->parts, p->n, &p->o);
}

/* The upload is gone: was it this very call that completed it? */
static err
replayed(struct write *w, struct completion *p)
{
	struct chain ch;
	const struct object *o;
	struct part_run *runs;
	unsigned nruns;

	TRY(chain_read(w, p->key, &ch));
	o = chain_current(&ch);
	if (o == NULL || o->data != DATA_MULTIPART || !id_eq(o->body, p->id) || o->parts != p->n)
		return err_s3(S3_NoSuchUpload);
	p->again = true;
	TRY(read_choice(w->c, p));
	TRY(part_table(w->c, p->id, w->arena, &runs, &nruns));
	for (unsigned i = 0; i < p->n; i++)
		if (!runs_have(runs, nruns, p->choice[i].number))
			return err_s3(S3_NoSuchUpload);
	TRY(record_object_read(arena_str(p->arena, ch.raw), RECORD_FULL, p->arena, &ch.older, &p->o));
	p->o.key = p->key;
	return catalog_runs(w->c, KV_MAY_BLOCK, p->arena, &p->o);
}

static err
complete_once(struct write *w, struct completion *p)
{
	struct dead_record leftovers = { .kind = DEAD_PARTS, .body = p->id, .owner = p->id };
	struct chain ch;
	str raw;
	err_v e;

	TRY(write_open(w));
	e = write_read(w, row_upload(p->key, p->id), &raw);
	if (err_is(e, ERR_NOT_FOUND.code))
		return replayed(w, p);
	TRY(e);
	TRY(read_upload(w, p, raw));
	TRY(chain_read(w, p->key, &ch));
	TRY(write_judged(w, conditions_write(p->conditions, chain_current(&ch))));
	TRY(chain_push(w, p->key, &ch, &p->o));
	write_first_link(w, &p->o);
	record_runs(&w->buf, p->runs, p->nruns);
	write_put(w, row_part(p->id, PART_TABLE));
	write_delete(w, row_upload(p->key, p->id));
	write_dead(w, &leftovers, p->id, w->now_ms);
	w->tally[COUNTER_UPLOADS]--;
	w->tally[COUNTER_UPLOADS_BYTES] -= (int64_t)p->size;
	return write_commit(w);
}

err_v
catalog_upload_complete(struct catalog *c, const struct bucket *b, str key, struct id upload, const struct part_choice *choice,
    unsigned n, const struct conditions *conditions, complete_f *finish, void *arg, struct arena *a, struct object *ret,
    struct version_id *ret_version)
{
	AUTO(write_done) struct write w = write_begin(c, b);
	AUTO(arena_free) struct arena *reading = arena_new(64u << 10, WRITE_ARENA_MAX);
	struct completion p = { .key = key, .id = upload, .choice = choice, .n = n, .conditions = conditions, .finish = finish,
	    .arg = arg, .arena = a, .reading = reading };
	err_v e;

	TRY(key_check(key));
	TRY(check_order(&p));
	if (id_space(upload) != b->space)
		return err_s3(S3_NoSuchUpload);
	do
		e = complete_once(&w, &p);
	while (write_retry(&w, &e));
	TRY(e);
	*ret = p.o;
	*ret_version = p.o.version;
	return ERR_OK;
}
