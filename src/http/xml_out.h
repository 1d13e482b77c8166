/*
 * xml_out.h - writing XML into a buf. Escapes text; bytes that XML 1.0 cannot
 * hold become U+FFFD... callers that must not lose them use encoding-type=url.
 */
#pragma once

#include "base/buf.h"

void xml_begin(struct buf *, const char *root, bool s3_namespace);	/* declaration and root */
void xml_open(struct buf *, const char *tag);
void xml_close(struct buf *, const char *tag);
void xml_text(struct buf *, const char *tag, str value);
void xml_u64(struct buf *, const char *tag, uint64_t value);
void xml_bool(struct buf *, const char *tag, bool value);
/* XML-escape into b. */
void xml_escape(struct buf *b, str value);
