#ifndef REMORA_BENCH_REQUEST_TEXT_H
#define REMORA_BENCH_REQUEST_TEXT_H

#include "lib/base/text.h"

/*
 * The request that every run sends: GET with Host and five fields of about 250 bytes, as a service
 * call has them: User-Agent, Accept, X-Request-Id, traceparent, Authorization.
 */
struct request_text {
    struct text bytes;
    size_t request_id; /* where their changing digits stand */
    size_t trace_id;
};

void request_text_init(struct request_text *request, const char *host, const char *path);
void request_text_done(struct request_text *request);
/* Writes a number into the last 12 digits of the request id and of the trace id. */
void request_text_number(struct request_text *request, uint64_t number);

#endif
