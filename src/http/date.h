/* date.h - times as text. All UTC, seconds or milliseconds since 1970. */
#pragma once

#include "base/arena.h"

/* "Tue, 24 Nov 2026 17:23:00 GMT" */
str date_http(struct arena *, uint64_t unix_ms);
/* The same without an arena. ret: DATE_HTTP_LEN bytes, no NUL. */
#define DATE_HTTP_LEN 29u
void date_http_text(uint64_t unix_ms, char *ret);
/* Any of the three forms of RFC 9110 section 5.6.7. */
bool date_http_parse(str, uint64_t *ret_unix_s);
/* "2026-11-24T17:23:00.000Z" */
str date_iso(struct arena *, uint64_t unix_ms);
/* The same without an arena, for listings. ret: DATE_ISO_LEN bytes, no NUL. */
#define DATE_ISO_LEN 24u
void date_iso_text(uint64_t unix_ms, char *ret);
/* ISO 8601 date or date-time with Z or offset. */
bool date_iso_parse(str, uint64_t *ret_unix_ms);
/* "20261124T172300Z", of SigV4. */
bool date_amz_parse(str, uint64_t *ret_unix_s);
str date_amz(struct arena *, uint64_t unix_s);
