#ifndef REMORA_PROXY_REQUEST_RELAY_H
#define REMORA_PROXY_REQUEST_RELAY_H

#include "lib/http/http_stream.h"
#include "proxy/request/replay_body.h"

/*
 * One direction of a message: what one stream received goes to another as fast as that takes it,
 * and credit returns to the sender when it was taken. The sending end may be missing at first (an
 * attempt that still connects) and may be exchanged (a retry): `first` is then sent before what
 * waits.
 */
struct relay {
    struct http_stream *from;
    struct http_stream *to;    /* NULL = nobody takes it now */
    struct byte_queue first;   /* replayed bytes; their credit went back long ago */
    struct byte_queue waiting; /* received, credit not yet returned */
    struct replay_body *keep;  /* NULL = no replay */
    struct headers *trailers;  /* arrived; sent at the end */
    bool ended;                /* the sender has ended */
    bool end_sent;
    uint64_t bytes; /* received */
};

void relay_init(struct relay *relay, struct http_stream *from);
void relay_done(struct relay *relay);
void relay_body(struct relay *relay, const struct piece *piece);
void relay_trailers(struct relay *relay, struct headers *trailers);
void relay_end(struct relay *relay);
/* Points it at another receiver, or at none. */
void relay_to(struct relay *relay, struct http_stream *to);
/* Moves what can be moved, and the end. Returns how many bytes went. */
size_t relay_pump(struct relay *relay);
/* Returns all credit and forgets the bytes: nobody will take them. */
void relay_discard(struct relay *relay);

#endif
