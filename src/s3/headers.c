/*
 * headers.c - what an upload says about its object besides the bytes.
 *
 * Amazon S3 API Reference, PutObject. The values end up in response headers again, so nothing with control bytes gets
 * through: heads are free of them, and what an RFC 2047 word hides is encoded again on the way out.
 */
#include "s3/headers.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#define TAG_KEY_MAX 128u	/* characters */
#define TAG_VALUE_MAX 256u

str
pairs_get(struct pairs pairs, str name)
{
	for (unsigned i = 0; i < pairs.n; i++)
		if (str_eq(pairs.at[i].name, name))
			return pairs.at[i].value;
	return STR_NONE;
}

/* ---- what is not supported ---- */

err_v
headers_refuse(const struct http_head *h)
{
	static const str refused[] = {
		STR("x-amz-server-side-encryption"), STR("x-amz-server-side-encryption-aws-kms-key-id"),
		STR("x-amz-server-side-encryption-context"), STR("x-amz-server-side-encryption-bucket-key-enabled"),
		STR("x-amz-object-lock-mode"), STR("x-amz-object-lock-retain-until-date"),
		STR("x-amz-object-lock-legal-hold"), STR("x-amz-write-offset-bytes"),
	};
	static const str grants = STR("x-amz-grant-");
	str acl = http_header(h, STR("x-amz-acl"));

	for (size_t i = 0; i < COUNT(refused); i++)
		if (http_header_has(h, refused[i]))
			return err_s3f(S3_NotImplemented, "The header %s is not implemented.", refused[i].p);
	for (unsigned i = 0; i < h->headers; i++)
		if (str_starts_nocase(h->header[i].name, grants))
			return err_s3(S3_AccessControlListNotSupported);
	if (acl.p != NULL && !str_eq(acl, STR("private")) && !str_eq(acl, STR("bucket-owner-full-control")))
		return err_s3(S3_AccessControlListNotSupported);
	return ERR_OK;
}

/* ---- content headers ---- */

/* Content-Encoding says how the object is encoded; aws-chunked only how it travels. */
static str
without_aws_chunked(struct arena *a, str list)
{
	AUTO(buf_done) struct buf b = { 0 };
	str rest = list;

	buf_init(&b, list.len + 2);
	while (rest.p != NULL) {
		str one = str_trim(str_take_until(&rest, ','));

		if (str_empty(one) || str_eq_nocase(one, STR("aws-chunked")))
			continue;
		if (b.len > 0)
			buf_add_char(&b, ',');
		buf_add(&b, one);
	}
	return b.len > 0 ? arena_str(a, buf_str(&b)) : STR_NONE;
}

err_v
headers_content(const struct http_head *h, struct arena *a, struct pairs *ret)
{
	static const str kept[] = {
		STR("Content-Type"), STR("Cache-Control"), STR("Content-Disposition"), STR("Content-Encoding"),
		STR("Content-Language"), STR("Expires"), STR("x-amz-website-redirect-location"),
	};
	struct pairs p = { .at = ARENA_ARRAY(a, struct pair, COUNT(kept)) };

	for (size_t i = 0; i < COUNT(kept); i++) {
		str value = http_header(h, kept[i]);

		if (str_eq(kept[i], STR("Content-Encoding")) && value.p != NULL)
			value = without_aws_chunked(a, value);
		if (str_eq(kept[i], STR("Content-Type")) && str_empty(value))
			value = STR("binary/octet-stream");
		if (str_empty(value))
			continue;
		p.at[p.n++] = (struct pair){ kept[i], value };
	}
	*ret = p;
	return ERR_OK;
}

err_v
headers_class(const struct http_head *h, enum storage_class *ret)
{
	str value = http_header(h, STR("x-amz-storage-class"));

	if (value.p == NULL) {
		*ret = CLASS_STANDARD;
		return ERR_OK;
	}
	for (int i = 0; i < CLASS_COUNT; i++) {
		if (str_eq(value, storage_class_name((enum storage_class)i))) {
			*ret = (enum storage_class)i;
			return ERR_OK;
		}
	}
	return err_s3(S3_InvalidStorageClass);
}

str
storage_class_name(enum storage_class class)
{
	return class == CLASS_STANDARD_IA ? STR("STANDARD_IA") : STR("STANDARD");
}

/* ---- metadata ---- */

static bool
printable(str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 0x20 || (unsigned char)s.p[i] > 0x7e)
			return false;
	return true;
}

static str
latin1_to_utf8(struct arena *a, str s)
{
	char *p = arena_alloc(a, 2 * s.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x80) {
			p[n++] = (char)c;
		} else {
			p[n++] = (char)(0xC0 | c >> 6);
			p[n++] = (char)(0x80 | (c & 0x3F));
		}
	}
	return str_n(p, n);
}

/* The "Q" encoding: '_' is a space, =XX a byte. */
static bool
q_decode(struct arena *a, str s, str *ret)
{
	char *p = arena_alloc(a, s.len + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '=') {
			if (s.len - i < 3 || !hex_decode(str_sub(s, i + 1, 2), &c))
				return false;
			i += 2;
		} else if (c == '_') {
			c = ' ';
		}
		p[n++] = c;
	}
	*ret = str_n(p, n);
	return true;
}

/* One "=?charset?B?text?=" at the start of s; *ret_len: how much of s it is. */
static bool
word_decode(struct arena *a, str s, str *ret, size_t *ret_len)
{
	str rest = str_skip(s, 2), charset, encoding, text, bytes;
	ptrdiff_t end;
	size_t max;
	char *p;

	if (!str_starts(s, STR("=?")))
		return false;
	charset = str_take_until(&rest, '?');
	encoding = str_take_until(&rest, '?');
	if (rest.p == NULL)
		return false;
	end = str_find_str(rest, STR("?="));
	if (end < 0)
		return false;
	text = str_sub(rest, 0, (size_t)end);
	if (str_eq_nocase(encoding, STR("B"))) {
		max = text.len;
		p = arena_alloc(a, max + 1);
		if (!base64_decode(text, p, max, &max))
			return false;
		bytes = str_n(p, max);
	} else if (!str_eq_nocase(encoding, STR("Q")) || !q_decode(a, text, &bytes)) {
		return false;
	}
	if (str_eq_nocase(charset, STR("ISO-8859-1")))
		bytes = latin1_to_utf8(a, bytes);
	else if (!str_eq_nocase(charset, STR("UTF-8")) && !str_eq_nocase(charset, STR("US-ASCII")))
		return false;
	if (!str_is_utf8(bytes))
		return false;
	*ret = bytes;
	*ret_len = (size_t)(rest.p + end + 2 - s.p);
	return true;
}

str
metadata_decode(struct arena *a, str value)
{
	AUTO(buf_done) struct buf b = { 0 };
	bool after_word = false;

	if (!str_is_utf8(value))
		value = latin1_to_utf8(a, value);
	if (str_find_str(value, STR("=?")) < 0)
		return value;
	/* What is decoded is never longer than the word, except Latin-1 by a factor of two. */
	buf_init(&b, 2 * value.len + 1);
	while (value.len > 0) {
		size_t space = 0, len;
		str word;

		while (after_word && space < value.len && value.p[space] == ' ')
			space++;
		/* White space between two words is not part of the text. */
		if (word_decode(a, str_skip(value, space), &word, &len)) {
			buf_add(&b, word);
			value = str_skip(value, space + len);
			after_word = true;
			continue;
		}
		buf_add_char(&b, value.p[0]);
		value = str_skip(value, 1);
		after_word = false;
	}
	return arena_str(a, buf_str(&b));
}

str
metadata_encode(struct arena *a, str value)
{
	if (printable(value))
		return value;
	return arena_fmt(a, "=?UTF-8?B?%.*s?=", STR_FMT(base64_encode(a, value)));
}

/* A name that came before is one header in two lines: joined by a comma. */
static void
metadata_add(struct arena *a, struct pairs *p, str name, str value)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (str_eq(p->at[i].name, name)) {
			p->at[i].value = arena_fmt(a, "%.*s,%.*s", STR_FMT(p->at[i].value), STR_FMT(value));
			return;
		}
	}
	p->at[p->n++] = (struct pair){ name, value };
}

err_v
headers_metadata(const struct http_head *h, struct arena *a, struct pairs *ret)
{
	static const str prefix = STR("x-amz-meta-");
	struct pairs p = { .at = ARENA_ARRAY(a, struct pair, h->headers + 1) };
	size_t sum = 0;

	for (unsigned i = 0; i < h->headers; i++) {
		str name = h->header[i].name;

		if (!str_starts_nocase(name, prefix))
			continue;
		name = arena_lower(a, str_skip(name, prefix.len));
		if (str_empty(name))
			return err_s3f(S3_InvalidArgument, "A header x-amz-meta- has no name behind its prefix.");
		metadata_add(a, &p, name, metadata_decode(a, h->header[i].value));
	}
	for (unsigned i = 0; i < p.n; i++)
		sum += p.at[i].name.len + p.at[i].value.len;
	if (sum > METADATA_MAX)
		return err_s3(S3_MetadataTooLarge);
	*ret = p;
	return ERR_OK;
}

/* ---- tags ---- */

static size_t
characters(str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
	return n;
}

/* Letters, digits, white space and + - = . _ : / @; every other ASCII character is refused. */
static bool
tag_text(str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c & 0x80) != 0)
			continue;
		if (c == '\0' || strchr("+-=._:/@ ", c) == NULL)
			return false;
	}
	return str_is_utf8(s);
}

err_v
tags_check(struct pairs tags, unsigned max)
{
	if (tags.n > max)
		return err_s3f(S3_BadRequest, "There are %u tags; at most %u are allowed here.", tags.n, max);
	for (unsigned i = 0; i < tags.n; i++) {
		str key = tags.at[i].name, value = tags.at[i].value;

		if (str_empty(key) || characters(key) > TAG_KEY_MAX || !tag_text(key))
			return err_s3f(S3_InvalidTag,
			    "The key of a tag has 1 to %u letters, digits, spaces or + - = . _ : / @", TAG_KEY_MAX);
		if (characters(value) > TAG_VALUE_MAX || !tag_text(value))
			return err_s3f(S3_InvalidTag, "The value of a tag has up to %u letters, digits, spaces or + - = . _ : / @",
			    TAG_VALUE_MAX);
		if (str_starts_nocase(key, STR("aws:")))
			return err_s3f(S3_InvalidTag, "The key of a tag must not begin with aws:.");
		for (unsigned k = 0; k < i; k++)
			if (str_eq(tags.at[k].name, key))
				return err_s3f(S3_InvalidTag, "Two tags have the key \"%.*s\".", STR_FMT(key));
	}
	return ERR_OK;
}

err_v
headers_tagging(const struct http_head *h, struct arena *a, struct pairs *ret)
{
	str rest = http_header(h, STR("x-amz-tagging"));
	struct pairs p = { .at = ARENA_ARRAY(a, struct pair, TAGS_MAX + 1) };

	if (str_empty(rest)) {
		*ret = (struct pairs){ 0 };
		return ERR_OK;
	}
	while (rest.p != NULL) {
		str value = str_take_until(&rest, '&'), name = str_take_until(&value, '=');

		if (str_empty(name) && value.p == NULL)
			continue;
		if (!url_decode(a, name, URL_PLUS_IS_SPACE, &name) || !url_decode(a, value, URL_PLUS_IS_SPACE, &value) ||
		    str_empty(name) || pairs_get(p, name).p != NULL)
			return err_s3f(S3_InvalidArgument, "x-amz-tagging must be URL-encoded key=value pairs with & between them, "
			    "each key once.");
		p.at[p.n++] = (struct pair){ name, value };
		if (p.n > TAGS_MAX)
			break;
	}
	TRY(tags_check(p, TAGS_MAX));
	*ret = p;
	return ERR_OK;
}

err_v
headers_read(const struct http_head *h, struct arena *a, struct object_headers *ret)
{
	struct object_headers o = { 0 };

	TRY(headers_refuse(h));
	TRY(headers_content(h, a, &o.headers));
	TRY(headers_metadata(h, a, &o.metadata));
	TRY(headers_tagging(h, a, &o.tags));
	TRY(headers_class(h, &o.class));
	*ret = o;
	return ERR_OK;
}
