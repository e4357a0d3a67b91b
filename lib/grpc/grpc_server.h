#ifndef REMORA_GRPC_GRPC_SERVER_H
#define REMORA_GRPC_GRPC_SERVER_H

#include "lib/grpc/grpc_status.h"
#include "lib/http/http_stream.h"
#include "lib/net/loop.h"

/*
 * Calls from the server's side. The program has a table of methods; a stream of an HTTP/2
 * connection whose path is in it becomes a grpc_served. Messages are handed up one at a time and
 * their credit returns when on_message has returned, so a method that is slow slows its caller
 * only.
 */
struct grpc_served;

struct grpc_peer {
    struct span identity; /* verified SPIFFE id of the client certificate; empty = none */
    struct span address;  /* text, for logs */
    int64_t not_after_ms; /* wall clock: end of that certificate; 0 = none */
};

struct grpc_method {
    const char *path;     /* "/package.Service/Method" */
    size_t message_limit; /* 0 = GRPC_MESSAGE_BYTES */
    /* A call begins. Returns the owner of its further events; may finish it at once. */
    void *(*on_call)(void *service, struct grpc_served *served, const struct http_head *head,
                     const struct grpc_peer *peer);
    void (*on_message)(void *owner, struct grpc_served *served, struct span message);
    /* The client sends no more. */
    void (*on_half_close)(void *owner, struct grpc_served *served);
    /* What was queued is leaving: again and again, until the queue is empty. May be NULL. */
    void (*on_room)(void *owner, struct grpc_served *served);
    /* The last event, however it ended, also after grpc_served_finish: forget served. */
    void (*on_gone)(void *owner, struct grpc_served *served);
    void *service;
};

enum { GRPC_SEND_QUEUE_BYTES = 4 << 20 };

/* Takes the stream over, from on_stream. Unknown paths are answered UNIMPLEMENTED. The table must
 * live on. */
void grpc_serve(struct loop *loop, struct http_stream *stream, const struct grpc_method *methods,
                size_t count, const struct grpc_peer *peer);
void grpc_served_send(struct grpc_served *served, struct span message);
/* Bytes queued and not yet taken by the connection. */
size_t grpc_served_queued(const struct grpc_served *served);
/* Status and message as trailers; what is queued goes first. */
void grpc_served_finish(struct grpc_served *served, enum grpc_code code, struct span message);
/* authorization: Bearer TOKEN; empty when there is none. */
struct span grpc_bearer(const struct http_head *head);

#endif
