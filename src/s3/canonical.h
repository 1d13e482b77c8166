/*
 * canonical.h - the canonical request of Signature Version 4, as S3 forms it.
 *
 * Pure: head in, text out. S3 neither normalizes the path nor encodes it twice.
 */
#pragma once

#include "base/arena.h"
#include "http/head.h"

/*
 * Clients sign either the encoding that the specification asks for or the very bytes that they send; where the two differ
 * both bind the request as a whole.
 */
enum canonical_form { CANONICAL_ENCODED, CANONICAL_AS_SENT };

/*
 * signed_headers: "host;x-amz-date", as the client gave it. payload: the text of x-amz-content-sha256.
 * The query parameter X-Amz-Signature is left out. false: a list that names headers again and again, or no room.
 */
bool canonical_request(enum canonical_form, const struct http_head *, str signed_headers, str payload, struct arena *, str *ret);

/* The same for a person to read, in an answer that may end up in a log: values of keys and session tokens are replaced by "***". */
str canonical_shown(str canonical, struct arena *);

/*
 * The headers that a signature must cover and this one does not, joined by ", "; empty if there are none. They are Host
 * and every x-amz-*, but for x-amz-content-sha256, whose value is signed anyway, and those that the signed query repeats.
 */
str canonical_unsigned(const struct http_head *, str signed_headers, struct arena *);

/* Is this lower-case name in the list? */
bool canonical_is_signed(str signed_headers, str name);
