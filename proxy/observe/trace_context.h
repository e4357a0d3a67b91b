#ifndef REMORA_PROXY_OBSERVE_TRACE_CONTEXT_H
#define REMORA_PROXY_OBSERVE_TRACE_CONTEXT_H

#include "lib/http/headers.h"
#include "proxy/observe/request_record.h"

/*
 * Trace headers: W3C traceparent (https://www.w3.org/TR/trace-context/), else B3 (single or multi).
 * What came is carried on with our span as the new parent; a malformed one is treated as absent.
 * Where a trace starts here, a tracestate that came with it goes.
 * per_million: share of requests without any that start a trace here (draw in [0, 1)).
 */
void trace_read(const struct headers *headers, uint32_t per_million, double draw,
                struct trace_ids *ret_trace);
/* Writes the headers of the request that goes on. */
void trace_write(const struct trace_ids *trace, struct headers *headers, struct arena *arena);
/* RFC 9562 version 4, 36 characters, from the thread's fast generator. */
struct span request_id_make(struct arena *arena);

#endif
