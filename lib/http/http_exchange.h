#ifndef REMORA_HTTP_HTTP_EXCHANGE_H
#define REMORA_HTTP_HTTP_EXCHANGE_H

#include "lib/http/http_server.h"

/* The inside of http_server: one gathered request and its answer on a stream. */
struct http_exchange_options {
    const struct http_server_events *events;
    void *owner;
    const bool *server_closed; /* no callback once it is true */
    const struct http_server_peer *peer;
    struct loop *loop;
    size_t body_limit;
};

/* Attaches to the stream; frees itself when the answer is sent or the stream is gone. */
void http_exchange_begin(struct http_stream *stream, const struct http_exchange_options *options);

#endif
