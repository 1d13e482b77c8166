/*
 * list_token.h - continuation tokens of ListObjectsV2: where a page ended.
 *
 * To a client it is a word without meaning; to us it is input like any other. Base64 of: version of the form, 1 if behind a common
 * prefix, the entry that came last.
 */
#pragma once

#include "base/arena.h"
#include "meta/catalog.h"

/* Of a page that has rows. */
str list_token(struct arena *, const struct list_page *);
/* Go on behind it: fills ret->after and after_is_prefix. false: it is none of ours. */
bool list_token_parse(str token, struct arena *, struct list_query *ret);
/* Where the last entry of a page stands; page->n > 0. */
str list_page_end(const struct list_page *);
