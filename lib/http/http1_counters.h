#ifndef REMORA_HTTP_HTTP1_COUNTERS_H
#define REMORA_HTTP_HTTP1_COUNTERS_H

#include "lib/base/failure.h"

/* What HTTP/1 connections of this thread refused by themselves, for metrics. */
struct http1_counters {
    uint64_t refused[FAILURE_COUNT]; /* local answers and cut exchanges, by failure */
    uint64_t underscored;            /* fields dropped: a protected name spelled with '_' */
    uint64_t poisoned;               /* upstream connections dropped: bytes nobody asked for */
    uint64_t drained;                /* request bodies read to their end after an early answer */
};

const struct http1_counters *http1_counters(void);
/* For the codec. */
struct http1_counters *http1_counters_write(void);

#endif
