#ifndef REMORA_TESTS_STATS_PROMETHEUS_TEXT_H
#define REMORA_TESTS_STATS_PROMETHEUS_TEXT_H

#include <stddef.h>

/*
 * A strict reader of the Prometheus text format 0.0.4, written from its description and not from
 * the code under test. Returns the number of samples, or -1 with a message on standard error: a
 * malformed line, a sample without TYPE before it, samples of a name that are not together, a
 * sample given twice, buckets that fall, or a +Inf bucket that is not the count.
 */
int prometheus_text_check(const char *text);

#endif
