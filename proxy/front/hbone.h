#ifndef REMORA_PROXY_FRONT_HBONE_H
#define REMORA_PROXY_FRONT_HBONE_H

#include "proxy/front/client_conn.h"

/*
 * A stream on HBONE's port: HTTP/2 CONNECT with the application's address as authority (as Istio's
 * ztunnel speaks it). The tunnel ends in this pod only; what comes out goes through detection and
 * policy again.
 */
void hbone_open(struct client_conn *conn, struct http_stream *stream);

#endif
