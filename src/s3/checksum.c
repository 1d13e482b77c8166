/*
 * checksum.c - what a client says about its bytes, and what we say about them later.
 *
 * Amazon S3 User Guide, "Checking object integrity". A CRC can be of the full object (combined from the parts), a SHA
 * only composite (hash of the parts' hashes); CRC64NVME is never composite.
 */
#include "s3/checksum.h"

#include "base/be.h"
#include "base/mem.h"
#include "base/panic.h"
#include "base/text.h"

#define ALGORITHMS "CRC64NVME, CRC32, CRC32C, SHA1, SHA256"

static const struct algorithm {
	str name, header;
	const char *tag;
	bool composite, full;		/* what a multipart upload may ask for */
} algorithms[DIGEST_COUNT] = {
	[DIGEST_SHA1] = { STR("SHA1"), STR("x-amz-checksum-sha1"), "ChecksumSHA1", true, false },
	[DIGEST_SHA256] = { STR("SHA256"), STR("x-amz-checksum-sha256"), "ChecksumSHA256", true, false },
	[DIGEST_CRC32] = { STR("CRC32"), STR("x-amz-checksum-crc32"), "ChecksumCRC32", true, true },
	[DIGEST_CRC32C] = { STR("CRC32C"), STR("x-amz-checksum-crc32c"), "ChecksumCRC32C", true, true },
	[DIGEST_CRC64NVME] = { STR("CRC64NVME"), STR("x-amz-checksum-crc64nvme"), "ChecksumCRC64NVME", false, true },
};
static_assert(COUNT(algorithms) == DIGEST_COUNT, "a row for each algorithm");

static const struct algorithm *
algorithm(enum digest_alg alg)
{
	assert(alg > DIGEST_MD5 && alg < DIGEST_COUNT);
	return &algorithms[alg];
}

str checksum_name(enum digest_alg alg) { return algorithm(alg)->name; }
str checksum_header(enum digest_alg alg) { return algorithm(alg)->header; }
const char *checksum_tag(enum digest_alg alg) { return algorithm(alg)->tag; }

bool
checksum_alg_parse(str name, enum digest_alg *ret)
{
	for (int i = DIGEST_MD5 + 1; i < DIGEST_COUNT; i++) {
		if (str_eq_nocase(name, algorithms[i].name)) {
			*ret = (enum digest_alg)i;
			return true;
		}
	}
	return false;
}

str
checksum_type_name(enum checksum_type type)
{
	return type == CHECKSUM_COMPOSITE ? STR("COMPOSITE") : STR("FULL_OBJECT");
}

bool
checksum_type_parse(str name, enum checksum_type *ret)
{
	for (int i = CHECKSUM_FULL_OBJECT; i <= CHECKSUM_COMPOSITE; i++) {
		if (str_eq_nocase(name, checksum_type_name((enum checksum_type)i))) {
			*ret = (enum checksum_type)i;
			return true;
		}
	}
	return false;
}

static bool
value_decode(enum digest_alg alg, str text, uint8_t *ret)
{
	size_t len;

	return base64_decode(text, ret, DIGEST_MAX, &len) && len == digest_len(alg);
}

/* Which algorithm a header "x-amz-checksum-..." is of; false for the others of that prefix. */
static bool
header_algorithm(str name, enum digest_alg *ret)
{
	if (!str_starts_nocase(name, STR("x-amz-checksum-")))
		return false;
	return checksum_alg_parse(str_skip(name, STR("x-amz-checksum-").len), ret);
}

static err
want_md5(const struct http_head *h, struct checksum_want *w)
{
	str md5 = http_header(h, STR("content-md5"));
	uint8_t value[DIGEST_MAX];

	if (md5.p == NULL)
		return ERR_OK;
	if (!value_decode(DIGEST_MD5, md5, value))
		return err_s3(S3_InvalidDigest);
	w->has_md5 = true;
	memcpy(w->md5, value, sizeof(w->md5));
	return ERR_OK;
}

err_v
checksum_alg_bad(void)
{
	return err_s3f(S3_InvalidRequest, "x-amz-checksum-algorithm must be one of " ALGORITHMS ".");
}

err_v
checksum_too_many(void)
{
	return err_s3f(S3_InvalidRequest, "The request has more than one checksum. Send one x-amz-checksum-* header or trailer.");
}

/* x-amz-trailer: the name of the checksum that comes behind the body. */
static err
want_in_trailer(str list, struct checksum_want *w)
{
	while (list.p != NULL) {
		str name = str_trim(str_take_until(&list, ','));
		enum digest_alg alg;

		if (!header_algorithm(name, &alg)) {
			if (str_starts_nocase(name, STR("x-amz-checksum-")))
				return err_s3f(S3_InvalidRequest,
				    "x-amz-trailer names a checksum that is not known: it is one of " ALGORITHMS ".");
			continue;
		}
		if (w->named)
			return checksum_too_many();
		w->named = true;
		w->in_trailer = true;
		w->alg = alg;
	}
	return ERR_OK;
}

/* x-amz-sdk-checksum-algorithm says which one the SDK meant: it must have come. */
static err
want_sdk(const struct http_head *h, const struct checksum_want *w)
{
	str sdk = http_header(h, STR("x-amz-sdk-checksum-algorithm"));
	enum digest_alg alg;

	if (sdk.p == NULL)
		return ERR_OK;
	if (!checksum_alg_parse(sdk, &alg)) {
		/* A request may name MD5 and send Content-MD5. */
		if (str_eq_nocase(sdk, STR("MD5")) && w->has_md5)
			return ERR_OK;
		return err_s3f(S3_InvalidRequest, "x-amz-sdk-checksum-algorithm must be one of " ALGORITHMS ".");
	}
	if (!w->named)
		return err_s3f(S3_InvalidRequest, "x-amz-sdk-checksum-algorithm names a checksum that did not come: send it in "
		    "x-amz-checksum-*, or announce it in x-amz-trailer.");
	if (w->alg != alg)
		return err_s3f(S3_InvalidRequest, "x-amz-sdk-checksum-algorithm names another checksum than the one that came.");
	return ERR_OK;
}

/* A checksum that we cannot verify is not taken for one that was. */
static err
header_known(str name)
{
	static const str others[] = { STR("x-amz-checksum-algorithm"), STR("x-amz-checksum-type"), STR("x-amz-checksum-mode") };

	if (!str_starts_nocase(name, STR("x-amz-checksum-")))
		return ERR_OK;
	for (size_t i = 0; i < COUNT(others); i++)
		if (str_eq_nocase(name, others[i]))
			return ERR_OK;
	return err_s3f(S3_InvalidRequest, "%.*s is not known: a checksum is one of " ALGORITHMS ".", STR_FMT(str_sub(name, 0, 64)));
}

err_v
checksum_want_read(const struct http_head *h, struct checksum_want *ret)
{
	struct checksum_want w = { 0 };

	TRY(want_md5(h, &w));
	for (unsigned i = 0; i < h->headers; i++) {
		str name = h->header[i].name;
		enum digest_alg alg;

		if (!header_algorithm(name, &alg)) {
			TRY(header_known(name));
			continue;
		}
		if (w.named)
			return checksum_too_many();
		if (!value_decode(alg, h->header[i].value, w.value))
			return err_s3f(S3_InvalidRequest, "%.*s must be the base64 of %zu bytes.", STR_FMT(checksum_header(alg)),
			    digest_len(alg));
		w.named = w.has_value = true;
		w.alg = alg;
	}
	TRY(want_in_trailer(http_header(h, STR("x-amz-trailer")), &w));
	TRY(want_sdk(h, &w));
	*ret = w;
	return ERR_OK;
}

err_v
checksum_want_trailer(struct checksum_want *w, str value)
{
	assert(w->in_trailer);
	if (value.p == NULL)
		return err_s3f(S3_MalformedTrailerError,
		    "The trailer %.*s was announced in x-amz-trailer and did not come.", STR_FMT(checksum_header(w->alg)));
	if (!value_decode(w->alg, value, w->value))
		return err_s3f(S3_InvalidRequest, "The trailer %.*s must be the base64 of %zu bytes.", STR_FMT(checksum_header(w->alg)),
		    digest_len(w->alg));
	w->has_value = true;
	return ERR_OK;
}

unsigned
checksum_want_set(const struct checksum_want *w)
{
	return (w->has_md5 ? DIGEST_BIT(DIGEST_MD5) : 0) | (w->named ? DIGEST_BIT(w->alg) : 0);
}

err_v
checksum_want_verify(const struct checksum_want *w, uint8_t got[DIGEST_COUNT][DIGEST_MAX])
{
	if (w->has_md5 && memcmp(w->md5, got[DIGEST_MD5], 16) != 0)
		return err_s3f(S3_BadDigest, "The Content-MD5 is not that of the bytes received. Send them again.");
	if (w->has_value && memcmp(w->value, got[w->alg], digest_len(w->alg)) != 0)
		return err_s3f(S3_BadDigest, "The %.*s that was sent is not that of the bytes received. Send them again.",
		    STR_FMT(checksum_name(w->alg)));
	return ERR_OK;
}

struct checksum
checksum_of(enum digest_alg alg, enum checksum_type type, const uint8_t *value)
{
	struct checksum c = { .set = true, .alg = alg, .type = type };

	memcpy(c.value, value, digest_len(alg));
	return c;
}

str
checksum_text(struct arena *a, const struct checksum *c, uint32_t parts)
{
	str text = base64_encode(a, str_n(c->value, digest_len(c->alg)));

	assert(c->set);
	if (c->type == CHECKSUM_COMPOSITE)
		return arena_fmt(a, "%.*s-%u", STR_FMT(text), parts);
	return text;
}

bool
checksum_text_parse(enum digest_alg alg, str text, uint32_t parts, uint8_t *ret)
{
	str rest = text, value = str_take_until(&rest, '-');
	uint8_t decoded[DIGEST_MAX];
	uint64_t n;

	if (rest.p != NULL && (!str_u64(rest, &n) || (parts != 0 && n != parts)))
		return false;
	if (!value_decode(alg, value, decoded))
		return false;
	memcpy(ret, decoded, digest_len(alg));
	return true;
}

err_v
checksum_upload_read(const struct http_head *h, bool *ret_set, enum digest_alg *ret_alg, enum checksum_type *ret_type)
{
	str name = http_header(h, STR("x-amz-checksum-algorithm")), kind = http_header(h, STR("x-amz-checksum-type"));
	enum digest_alg alg = DIGEST_CRC64NVME;
	enum checksum_type type;

	if (name.p == NULL && kind.p != NULL)
		return err_s3f(S3_InvalidRequest,
		    "x-amz-checksum-type needs x-amz-checksum-algorithm beside it.");
	if (name.p != NULL && !checksum_alg_parse(name, &alg))
		return checksum_alg_bad();
	type = algorithm(alg)->composite ? CHECKSUM_COMPOSITE : CHECKSUM_FULL_OBJECT;
	if (kind.p != NULL && !checksum_type_parse(kind, &type))
		return err_s3f(S3_InvalidRequest, "x-amz-checksum-type must be COMPOSITE or FULL_OBJECT.");
	if (type == CHECKSUM_COMPOSITE ? !algorithm(alg)->composite : !algorithm(alg)->full)
		return err_s3f(S3_InvalidRequest,
		    "There is no %.*s checksum of %.*s: SHA1 and SHA256 are COMPOSITE, CRC64NVME is FULL_OBJECT.",
		    STR_FMT(checksum_type_name(type)), STR_FMT(checksum_name(alg)));
	*ret_set = name.p != NULL;
	*ret_alg = alg;
	*ret_type = type;
	return ERR_OK;
}

static void
composite(enum digest_alg alg, const struct part *parts, unsigned n, uint8_t *ret)
{
	AUTO(digests_free) struct digests *d = digests_new(DIGEST_BIT(alg));

	for (unsigned i = 0; i < n; i++)
		digests_add(d, str_n(parts[i].checksum.value, digest_len(alg)));
	digests_get(d, alg, ret);
}

static uint64_t
crc_combine(enum digest_alg alg, uint64_t a, uint64_t b, uint64_t len_b)
{
	switch (alg) {
	case DIGEST_CRC32:
		return crc32_combine((uint32_t)a, (uint32_t)b, len_b);
	case DIGEST_CRC32C:
		return crc32c_combine((uint32_t)a, (uint32_t)b, len_b);
	case DIGEST_CRC64NVME:
		return crc64nvme_combine(a, b, len_b);
	case DIGEST_MD5:
	case DIGEST_SHA1:
	case DIGEST_SHA256:
	case DIGEST_COUNT:
		break;
	}
	PANIC("algorithm %d cannot be combined", (int)alg);
}

static void
full_object(enum digest_alg alg, const struct part *parts, unsigned n, uint8_t *ret)
{
	size_t len = digest_len(alg);
	uint64_t v = be_get(parts[0].checksum.value, len);

	for (unsigned i = 1; i < n; i++)
		v = crc_combine(alg, v, be_get(parts[i].checksum.value, len), parts[i].size);
	be_put(ret, v, len);
}

void
checksum_of_parts(enum digest_alg alg, enum checksum_type type, const struct part *parts, unsigned n, struct checksum *ret)
{
	struct checksum c = { .alg = alg, .type = type };

	*ret = (struct checksum){ 0 };
	if (n == 0)
		return;
	for (unsigned i = 0; i < n; i++)
		if (!parts[i].checksum.set || parts[i].checksum.alg != alg)
			return;
	if (type == CHECKSUM_COMPOSITE)
		composite(alg, parts, n, c.value);
	else
		full_object(alg, parts, n, c.value);
	c.set = true;
	*ret = c;
}

str
etag_of_parts(struct arena *a, const struct part *parts, unsigned n)
{
	AUTO(digests_free) struct digests *d = digests_new(DIGEST_BIT(DIGEST_MD5));
	uint8_t md5[16];

	for (unsigned i = 0; i < n; i++)
		digests_add(d, str_n(parts[i].md5, sizeof(parts[i].md5)));
	digests_get(d, DIGEST_MD5, md5);
	return arena_fmt(a, "%.*s-%u", STR_FMT(hex_str(a, str_n(md5, sizeof(md5)))), n);
}
