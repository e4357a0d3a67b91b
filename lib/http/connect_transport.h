#ifndef REMORA_HTTP_CONNECT_TRANSPORT_H
#define REMORA_HTTP_CONNECT_TRANSPORT_H

#include "lib/http/http_stream.h"
#include "lib/net/transport.h"

/*
 * The body of an exchange as a transport: a CONNECT stream (HBONE) or an accepted upgrade. What comes
 * out of it is like any other connection and goes through detection and policy again.
 *
 * Client: the request head has been sent with end = false; the transport becomes READY when a 2xx (or
 * 101) head comes; another status is a connect failure. Server: READY at once.
 */
struct transport *connect_transport_client(struct loop *loop, struct http_stream *stream,
                                           const struct address *local, const struct address *peer);
/* The owner has sent the accepting head. Takes the stream over; further events are the transport's. */
struct transport *connect_transport_server(struct loop *loop, struct http_stream *stream,
                                           const struct address *local, const struct address *peer);
/* Status of the answer to a client's CONNECT; 0 before it came. */
uint16_t connect_transport_status(const struct transport *transport);

#endif
