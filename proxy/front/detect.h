#ifndef REMORA_PROXY_FRONT_DETECT_H
#define REMORA_PROXY_FRONT_DETECT_H

#include "lib/base/span.h"

/*
 * What a connection's first bytes are. Pure and bounded: never looks beyond DETECT_BYTES.
 */
enum { DETECT_BYTES = 1024 };

enum detected { DETECT_MORE, DETECT_TLS, DETECT_HTTP1, DETECT_HTTP2, DETECT_OPAQUE };

/*
 * In this order: a TLS record of a handshake (0x16 0x03); the HTTP/2 preface (RFC 9113 3.4); an
 * HTTP/1 request line (RFC 9112 3); anything else is opaque. A proper beginning of one of them:
 * MORE. full: no more bytes will be looked at, so MORE is not an answer.
 */
enum detected detect_first_bytes(struct span bytes, bool full);

#endif
