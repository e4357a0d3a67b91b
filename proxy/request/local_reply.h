#ifndef REMORA_PROXY_REQUEST_LOCAL_REPLY_H
#define REMORA_PROXY_REQUEST_LOCAL_REPLY_H

#include "lib/http/http_stream.h"

/*
 * Answers that Remora makes itself. Each carries x-remora-reason with the failure's word; a gRPC
 * request gets a trailers-only answer with the failure's code, so that clients see a status and not
 * a broken stream.
 */

/* Sends the whole answer. detail: more than the failure's own explanation; empty = none. Returns
 * the status. */
uint16_t local_reply_send(struct http_stream *stream, const struct http_head *request,
                          enum failure failure, struct span detail, bool no_retry,
                          struct arena *arena);
/* A redirect or direct answer of a route. */
void local_reply_plain(struct http_stream *stream, uint16_t status, struct span location,
                       struct span body, const struct http_head *request, struct arena *arena);

#endif
