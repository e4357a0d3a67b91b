#ifndef REMORA_TESTS_FAKES_RAW_PEER_H
#define REMORA_TESTS_FAKES_RAW_PEER_H

#include "lib/net/transport.h"

/*
 * For tests that speak bytes by hand: an owner that reads all that comes into a text and sends what
 * it is told. raw_peer_own takes the transport over; raw_peer_done aborts it where it is still
 * open.
 */
struct raw_peer {
    struct transport *transport; /* NULL once closed */
    struct byte_queue out;
    char *received; /* NUL added */
    size_t received_length;
    size_t received_capacity;
    bool shut_after; /* raw_peer_end was called */
    bool got_ready;
    bool got_end;
    bool got_failure;
    bool deaf; /* reads nothing while set: raw_peer_listen */
};
void raw_peer_own(struct raw_peer *peer, struct transport *transport);
void raw_peer_send(struct raw_peer *peer, const void *bytes, size_t length);
void raw_peer_send_text(struct raw_peer *peer, const char *text);
/* A clean end after what was sent. */
void raw_peer_end(struct raw_peer *peer);
void raw_peer_listen(struct raw_peer *peer, bool listen);
void raw_peer_clear(struct raw_peer *peer);
void raw_peer_close(struct raw_peer *peer);
void raw_peer_done(struct raw_peer *peer);

#endif
