#ifndef REMORA_GRPC_GRPC_CALL_H
#define REMORA_GRPC_GRPC_CALL_H

#include "lib/grpc/grpc_status.h"
#include "lib/http/http_conn.h"

/*
 * A call from the client's side, unary or streaming, on one stream of an HTTP/2 connection.
 * Callbacks come from the loop; on_done comes exactly once, last, unless grpc_call_cancel was
 * called. The call is freed after that turn.
 */
struct grpc_call;

struct grpc_metadata {
    struct span name; /* lower case */
    struct span value;
};

struct grpc_call_options {
    struct span authority;
    struct span path;                     /* "/package.Service/Method" */
    const struct grpc_metadata *metadata; /* copied */
    size_t metadata_count;
    int64_t timeout_ms;   /* 0 = none: streams */
    size_t message_limit; /* 0 = GRPC_MESSAGE_BYTES */
};

struct grpc_call_events {
    /* Valid during the call. May be called many times. */
    void (*on_message)(void *owner, struct span message);
    /* Less than half of the send queue is left. May be NULL. */
    void (*on_room)(void *owner);
    void (*on_done)(void *owner, enum grpc_code code, struct span message);
};

/* NULL when the connection has no room for a stream. */
struct grpc_call *grpc_call_start(struct http_conn *conn, const struct grpc_call_options *options,
                                  const struct grpc_call_events *events, void *owner);
/* Queues one message; what waits is bounded by the caller (grpc_call_queued). */
void grpc_call_send(struct grpc_call *call, struct span message);
/* No more messages from us. */
void grpc_call_end(struct grpc_call *call);
size_t grpc_call_queued(const struct grpc_call *call);
/* Resets the stream; no callback follows. */
void grpc_call_cancel(struct grpc_call *call);

#endif
