#include "proxy/request/relay.h"

void relay_init(struct relay *relay, struct http_stream *from)
{
    byte_queue_init(&relay->first);
    byte_queue_init(&relay->waiting);
    relay->from = from;
}

void relay_done(struct relay *relay)
{
    byte_queue_done(&relay->first);
    byte_queue_done(&relay->waiting);
}

void relay_body(struct relay *relay, const struct piece *piece)
{
    relay->bytes += piece->length;
    byte_queue_push_ref(&relay->waiting, piece);
}

void relay_trailers(struct relay *relay, struct headers *trailers)
{
    relay->trailers = trailers;
}

void relay_end(struct relay *relay)
{
    relay->ended = true;
}

void relay_to(struct relay *relay, struct http_stream *to)
{
    relay->to = to;
    relay->end_sent = false;
    byte_queue_done(&relay->first);
}

/* Sends through a queue of its own, so that each piece can be remembered before it goes. */
static size_t relay_send_kept(struct relay *relay)
{
    struct byte_queue out;
    byte_queue_init(&out);
    size_t room = http_stream_room(relay->to);
    struct piece piece;
    while (out.length < room && byte_queue_pop(&relay->waiting, room - out.length, &piece)) {
        replay_body_keep(relay->keep, &piece);
        byte_queue_push(&out, piece);
    }
    size_t moved = http_stream_send_body(relay->to, &out, out.length);
    byte_queue_done(&out);
    return moved;
}

static size_t relay_send_waiting(struct relay *relay)
{
    size_t moved = 0;
    if (relay->keep != NULL && !relay->keep->lost) {
        moved = relay_send_kept(relay);
    } else {
        moved = http_stream_send_body(relay->to, &relay->waiting, relay->waiting.length);
    }
    if (moved > 0 && relay->from != NULL) {
        http_stream_consume(relay->from, moved);
    }
    return moved;
}

static void relay_send_end(struct relay *relay)
{
    relay->end_sent = true;
    if (relay->trailers != NULL) {
        http_stream_send_trailers(relay->to, relay->trailers);
    } else {
        http_stream_send_end(relay->to);
    }
}

size_t relay_pump(struct relay *relay)
{
    if (relay->to == NULL || relay->end_sent) {
        return 0;
    }
    size_t moved = 0;
    if (relay->first.length > 0) {
        moved += http_stream_send_body(relay->to, &relay->first, relay->first.length);
    }
    if (relay->first.length == 0 && relay->waiting.length > 0) {
        moved += relay_send_waiting(relay);
    }
    if (relay->ended && relay->first.length == 0 && relay->waiting.length == 0) {
        relay_send_end(relay);
    }
    return moved;
}

void relay_discard(struct relay *relay)
{
    size_t waiting = relay->waiting.length;
    byte_queue_done(&relay->waiting);
    byte_queue_done(&relay->first);
    if (waiting > 0 && relay->from != NULL) {
        http_stream_consume(relay->from, waiting);
    }
}
