/*
 * list_token.h - continuation tokens of ListObjectsV2: where a page ended.
 *
 * To a client it is a word without meaning; to us it is input like any other. Base64 of: version of the form, 1 if behind a common
 * prefix, the entry that came last, or a delete marker that was not shown.
 */
#pragma once

#include "base/arena.h"
#include "meta/catalog.h"

/* Of a page behind which there is more. */
str list_token(struct arena *, const struct list_page *);
/* Go on behind it: fills ret->after and after_is_prefix. false: it is none of ours. */
bool list_token_parse(str token, struct arena *, struct list_query *ret);
/* Where it ends: page->end as an entry. */
str list_page_end(const struct list_page *);
