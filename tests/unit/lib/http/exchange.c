#include "tests/unit/lib/http/exchange.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"

static void on_head(void *owner, struct http_head *head)
{
    struct exchange *exchange = owner;
    CHECK(!exchange->ended && !exchange->reset && !exchange->released);
    if (exchange->head_count < 8) {
        exchange->heads[exchange->head_count] = head;
    }
    exchange->head_count++;
    if (exchange->then != NULL) {
        exchange->then(exchange);
    }
}

static void on_body(void *owner, const struct piece *piece)
{
    struct exchange *exchange = owner;
    CHECK(!exchange->ended && !exchange->reset && !exchange->released && exchange->head_count > 0);
    text_add(&exchange->body, span_make(piece_bytes(piece), piece->length));
    if (exchange->returns_credit) {
        http_stream_consume(exchange->stream, piece->length);
    } else {
        exchange->owed += piece->length;
    }
}

static void on_trailers(void *owner, struct headers *trailers)
{
    struct exchange *exchange = owner;
    CHECK(exchange->trailers == NULL && !exchange->ended && !exchange->reset);
    exchange->trailers = trailers;
}

static void on_end(void *owner)
{
    struct exchange *exchange = owner;
    CHECK(!exchange->ended && !exchange->reset && !exchange->released);
    exchange->ended = true;
    if (exchange->finally != NULL) {
        exchange->finally(exchange);
    }
}

static void on_room(void *owner)
{
    struct exchange *exchange = owner;
    CHECK(!exchange->reset && !exchange->released);
    exchange->rooms++;
}

static void on_reset(void *owner, enum failure failure)
{
    struct exchange *exchange = owner;
    CHECK(!exchange->reset && !exchange->released);
    exchange->reset = true;
    exchange->failure = failure;
}

static const struct http_stream_events events = {on_head, on_body, on_trailers,
                                                 on_end,  on_room, on_reset};

void exchange_attach(struct exchange *exchange, struct http_stream *stream)
{
    exchange->stream = stream;
    http_stream_attach(stream, &exchange->arena, &events, exchange);
}

void exchange_release(struct exchange *exchange)
{
    if (!exchange->released) {
        exchange->released = true;
        http_stream_release(exchange->stream);
    }
}

void exchange_done(struct exchange *exchange)
{
    exchange_release(exchange);
    text_done(&exchange->body);
    arena_done(&exchange->arena);
    mem_free(exchange);
}

static struct exchange *make(struct side *side, struct http_stream *stream)
{
    struct exchange *exchange = NEW(struct exchange);
    exchange->returns_credit = !side->keeps_credit;
    exchange->then = side->then;
    exchange->finally = side->finally;
    exchange_attach(exchange, stream);
    /* A long test turns the ring over. */
    size_t at = side->count++ % SIDE_EXCHANGES;
    if (side->exchanges[at] != NULL) {
        exchange_done(side->exchanges[at]);
    }
    side->exchanges[at] = exchange;
    return exchange;
}

static void side_on_stream(void *owner, struct http_conn *conn, struct http_stream *stream)
{
    struct side *side = owner;
    CHECK(side->conn == conn && !side->closed);
    make(side, stream);
}

static void side_on_available(void *owner, struct http_conn *conn)
{
    (void)conn;
    struct side *side = owner;
    side->available++;
}

static void side_on_draining(void *owner, struct http_conn *conn)
{
    (void)conn;
    struct side *side = owner;
    CHECK(!side->draining);
    side->draining = true;
}

static void side_on_closed(void *owner, struct http_conn *conn, enum failure failure)
{
    struct side *side = owner;
    CHECK(!side->closed && side->conn == conn);
    side->closed = true;
    side->failure = failure;
    side->conn = NULL;
}

const struct http_conn_events side_events = {side_on_stream, side_on_available, side_on_draining,
                                             side_on_closed};

struct exchange *side_open(struct side *side)
{
    struct http_stream *stream = http_conn_open(side->conn);
    return stream == NULL ? NULL : make(side, stream);
}

void side_done(struct side *side)
{
    for (size_t i = 0; i < side->count && i < SIDE_EXCHANGES; i++) {
        if (side->exchanges[i] != NULL) {
            exchange_done(side->exchanges[i]);
        }
    }
}
