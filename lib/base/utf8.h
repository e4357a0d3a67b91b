#ifndef REMORA_BASE_UTF8_H
#define REMORA_BASE_UTF8_H

#include "lib/base/span.h"

/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
 * The length (1 to 4) of the valid sequence at the front of text; 0 when there is none.
 */
size_t utf8_sequence(struct span text);
/* How many bytes at the front are ASCII without control bytes (0x20 to 0x7e). */
size_t utf8_printable_prefix(struct span text);

#endif
