#ifndef REMORA_BASE_DURATION_H
#define REMORA_BASE_DURATION_H

#include "lib/base/span.h"

/*
 * Durations as the Gateway API writes them (GEP-2257): one to four groups of up to five digits with
 * a unit h, m, s or ms, each at most once: "250ms", "10s", "1h30m". Signs, blanks, fractions and
 * other units are refused. *ret_ms is untouched on failure.
 */
bool duration_parse(struct span text, int64_t *ret_ms);
/* The shortest such form; 0 is "0s". into needs 32 bytes. */
void duration_format(int64_t ms, char *into);

/* Kubernetes quantities that are whole bytes: "1024", "64Ki", "1Mi", "2Gi", "5k", "1M", "1G". */
bool quantity_parse(struct span text, uint64_t *ret_bytes);

#endif
