#ifndef REMORA_HTTP_HTTP1_WRITER_H
#define REMORA_HTTP_HTTP1_WRITER_H

#include "lib/base/byte_queue.h"
#include "lib/http/http1_parser.h"

/*
 * HTTP/1 written anew from a head, pure. Nothing of how a message was spelled on its way in is
 * passed on but names and values of its fields; framing and connection fields are made here. Every
 * name and value is checked once more (CVE-2022-45060, CVE-2023-27491), and the size is known
 * before a byte is written (CVE-2019-18801).
 */
enum http1_connection {
    HTTP1_CONNECTION_NONE, /* HTTP/1.1 persists without saying so */
    HTTP1_CONNECTION_CLOSE,
    HTTP1_CONNECTION_KEEP_ALIVE, /* said to HTTP/1.0 clients */
};

/* How the body that is announced is sent. For tunnels: protocol is named unless it is empty. */
struct http1_shape {
    enum http1_framing framing;
    enum http1_connection connection;
    struct span protocol;
    struct span proof; /* key or accept of a WebSocket that comes from HTTP/2; empty = none */
    int64_t length; /* of content-length, though perhaps no body follows (HEAD, 304); -1 = none */
};

/* False, and nothing queued: a name, value, target or the protocol is not clean. */
bool http1_write_request(struct byte_queue *out, const struct http_head *head,
                         const struct http1_shape *shape);
bool http1_write_response(struct byte_queue *out, const struct http_head *head,
                          const struct http1_shape *shape);

/* Moves length bytes (> 0) as one chunk. */
void http1_write_chunk(struct byte_queue *out, struct byte_queue *from, size_t length);
/* The last chunk, with the trailers that are allowed; NULL = none. False when one is not clean. */
bool http1_write_last_chunk(struct byte_queue *out, const struct headers *trailers);

/* A whole small answer made here: status, x-remora-reason, no body, connection: close. */
void http1_write_local(struct byte_queue *out, enum failure failure);

#endif
