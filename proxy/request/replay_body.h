#ifndef REMORA_PROXY_REQUEST_REPLAY_BODY_H
#define REMORA_PROXY_REQUEST_REPLAY_BODY_H

#include "lib/base/byte_queue.h"

/*
 * What was sent of a request's body, kept by reference while another attempt is still possible: at
 * most limit bytes. Beyond it, or after the response began, everything is dropped and the request
 * cannot be replayed.
 */
struct replay_body {
    struct byte_queue kept;
    size_t limit;
    bool lost;
};

void replay_body_init(struct replay_body *body, size_t limit);
/* Remembers a piece that is about to be sent. */
void replay_body_keep(struct replay_body *body, const struct piece *piece);
/* No more attempts: lets go of the bytes. */
void replay_body_drop(struct replay_body *body);
/* References to all of it at the end of a queue. Only while not lost. */
void replay_body_copy(const struct replay_body *body, struct byte_queue *to);

#endif
