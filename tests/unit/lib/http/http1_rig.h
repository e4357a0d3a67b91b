#ifndef REMORA_TESTS_UNIT_LIB_HTTP_HTTP1_RIG_H
#define REMORA_TESTS_UNIT_LIB_HTTP_HTTP1_RIG_H

#include "tests/fakes/pipe_transport.h"
#include "tests/fakes/raw_peer.h"
#include "tests/unit/lib/http/exchange.h"

/* An HTTP/1 connection at one end of a pipe over a simulated loop, bytes by hand at the other. */
struct http1_rig {
    struct loop *loop;
    struct http_limits limits;
    struct side side;
    struct raw_peer peer;
    struct transport *transport; /* of the connection */
    struct transport *other;     /* of the peer */
};

void http1_rig_server_init(struct http1_rig *rig);
void http1_rig_client_init(struct http1_rig *rig);
/* own: of the connection's side; far: of the peer's. */
void http1_rig_server_init_with(struct http1_rig *rig, const struct pipe_options *own,
                                const struct pipe_options *far);
void http1_rig_client_init_with(struct http1_rig *rig, const struct pipe_options *own,
                                const struct pipe_options *far);
void http1_rig_done(struct http1_rig *rig);

/* The peer sends, and everything comes to rest. */
void http1_rig_send(struct http1_rig *rig, const char *text);
/* Fails unless exactly this came to the peer since the last time. */
void http1_rig_expect(struct http1_rig *rig, const char *text);
/* The newest exchange. */
struct exchange *http1_rig_last(struct http1_rig *rig);

/* Server role: a whole response. */
void http1_rig_respond(struct exchange *exchange, uint16_t status, const char *body);
/* 200 "ok", then release. */
void http1_rig_answer(struct exchange *exchange);
/* Client role: a head for "/" at "a"; and a whole request of that method. */
void http1_rig_make_head(struct http_head *head, struct exchange *exchange, const char *method);
struct exchange *http1_rig_ask(struct http1_rig *rig, const char *method);

#define HTTP1_RIG_GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define HTTP1_RIG_OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define HTTP1_RIG_OK_CLOSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

#endif
