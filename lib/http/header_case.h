#ifndef REMORA_HTTP_HEADER_CASE_H
#define REMORA_HTTP_HEADER_CASE_H

#include "lib/http/headers.h"

/*
 * HTTP/2 names are lower case; programs behind HTTP/1 may care how names were written. Between
 * sidecars one private field, x-remora-case, carries it. Its value is small and repeats, so that HPACK
 * sends it as one byte after the first request of a connection.
 *
 * Value: one token a field in order (without x-remora-case itself), joined by '.', runs of equal
 * l, t and u shortened: "l" lower case, "t" each word between dashes begins with a capital
 * (Content-Type), "u" all capitals, else "x" and the bitmap of capitals in hex, digit k for bytes 4k to
 * 4k+3, the first in the lowest bit. "t9.l" = nine of the first kind, one of the second. All lower
 * case: no field is made.
 */
enum { HEADER_CASE_BYTES = 512 };

/* False when all names are lower case, or the pattern is beyond HEADER_CASE_BYTES. */
bool header_case_encode(const struct headers *headers, struct arena *arena, struct span *ret_value);
/* Rewrites names in place (copies in the arena). A value that does not fit is ignored whole. */
void header_case_apply(struct headers *headers, struct arena *arena, struct span value);

#endif
