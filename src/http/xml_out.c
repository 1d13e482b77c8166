/*
 * xml_out.c - writing XML.
 *
 * What goes out is always well-formed: runs of harmless bytes are copied
 * whole, everything else is replaced by an entity or by U+FFFD.
 */
#include "http/xml_out.h"

#include "base/panic.h"

#define REPLACEMENT "\xEF\xBF\xBD"

/* What a byte below 0x80 becomes; NULL: itself. */
static const char *
entity(unsigned char c)
{
	switch (c) {
	case '&': return "&amp;";
	case '<': return "&lt;";
	case '>': return "&gt;";
	case '"': return "&quot;";
	case '\'': return "&apos;";
	case '\r': return "&#13;";	/* a parser would make it \n */
	case '\t': case '\n': return NULL;
	default: return c < 0x20 ? REPLACEMENT : NULL;
	}
}

/* Bytes of the UTF-8 sequence at the front of s that XML may hold, 0 if there is none. */
static size_t
sequence(str s)
{
	for (size_t n = 2; n <= 4 && n <= s.len; n++)
		if (str_is_utf8(str_sub(s, 0, n))) {
			bool bad = n == 3 && (unsigned char)s.p[0] == 0xEF && (unsigned char)s.p[1] == 0xBF &&
			    (unsigned char)s.p[2] >= 0xBE;	/* U+FFFE, U+FFFF */

			return bad ? 0 : n;
		}
	return 0;
}

void
xml_escape(struct buf *b, str s)
{
	size_t run = 0;			/* harmless bytes at the front of s */

	while (run < s.len) {
		unsigned char c = (unsigned char)s.p[run];
		const char *as = c < 0x80 ? entity(c) : NULL;
		size_t n = c < 0x80 ? 1 : sequence(str_skip(s, run));

		if (as == NULL && n > 0) {
			run += n;
			continue;
		}
		buf_add(b, str_sub(s, 0, run));
		buf_add_c(b, as != NULL ? as : REPLACEMENT);
		s = str_skip(s, run + 1);
		run = 0;
	}
	buf_add(b, s);
}

void
xml_begin(struct buf *b, const char *root, bool s3_namespace)
{
	buf_add(b, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<"));
	buf_add_c(b, root);
	if (s3_namespace)
		buf_add(b, STR(" xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""));
	buf_add_char(b, '>');
}

void
xml_open(struct buf *b, const char *tag)
{
	buf_add_char(b, '<');
	buf_add_c(b, tag);
	buf_add_char(b, '>');
}

void
xml_close(struct buf *b, const char *tag)
{
	buf_add(b, STR("</"));
	buf_add_c(b, tag);
	buf_add_char(b, '>');
}

void
xml_text(struct buf *b, const char *tag, str value)
{
	xml_open(b, tag);
	xml_escape(b, value);
	xml_close(b, tag);
}

void
xml_u64(struct buf *b, const char *tag, uint64_t value)
{
	xml_open(b, tag);
	buf_add_u64(b, value);
	xml_close(b, tag);
}

void
xml_bool(struct buf *b, const char *tag, bool value)
{
	xml_text(b, tag, value ? STR("true") : STR("false"));
}
