#ifndef REMORA_HTTP_WEBSOCKET_H
#define REMORA_HTTP_WEBSOCKET_H

#include "lib/http/http_head.h"

/*
 * The opening handshake's proof (RFC 6455 4.1 and 4.2.2). HTTP/2 has none (RFC 8441 5): who takes a
 * WebSocket from HTTP/2 to HTTP/1 asks for it, who takes one the other way gives it.
 */
enum { WEBSOCKET_KEY_BYTES = 24, WEBSOCKET_ACCEPT_BYTES = 28, WEBSOCKET_TEXT_BYTES = 32 };

#define WEBSOCKET_KEY SPAN("Sec-WebSocket-Key")
#define WEBSOCKET_ACCEPT SPAN("Sec-WebSocket-Accept")

/* The head asks for a WebSocket. */
bool websocket_asked(const struct http_head *head);
/* A new key. ret holds WEBSOCKET_TEXT_BYTES, as below. */
struct span websocket_key(char *ret);
/* The answer to a key. */
struct span websocket_accept(struct span key, char *ret);
/* The response gives exactly this answer, once. */
bool websocket_accepts(const struct http_head *response, struct span accept);

#endif
