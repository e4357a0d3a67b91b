#include "proxy/request/replay_body.h"

#include "lib/base/check.h"

void replay_body_init(struct replay_body *body, size_t limit)
{
    byte_queue_init(&body->kept);
    body->limit = limit;
    body->lost = false;
}

void replay_body_keep(struct replay_body *body, const struct piece *piece)
{
    if (body->lost) {
        return;
    }
    if (body->kept.length + piece->length > body->limit) {
        replay_body_drop(body);
        return;
    }
    byte_queue_push_ref(&body->kept, piece);
}

void replay_body_drop(struct replay_body *body)
{
    byte_queue_done(&body->kept);
    body->lost = true;
}

void replay_body_copy(const struct replay_body *body, struct byte_queue *to)
{
    CHECK(!body->lost);
    byte_queue_push_all(to, &body->kept);
}
