/* links: remora_fakes remora_http */
#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/http/http_conn.h"
#include "tests/fakes/pipe_transport.h"
#include "tests/fakes/raw_peer.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/*
 * One HTTP/1 connection between a peer and an owner, both driven by the input: the first byte is
 * the role, then each byte is a step, in its high bits what is done, in its low bits how much.
 * Bytes that the peer sends are those that follow. What must hold: events come in their order,
 * nothing comes after the last one, on_closed comes once, and all memory goes back.
 */
struct play {
    struct loop *loop;
    struct http_conn *conn;
    struct raw_peer peer;
    struct http_limits limits;
    struct http_stream *stream;
    struct arena arena;
    size_t owed;
    bool head;  /* a final one came */
    bool ended; /* on_end or on_reset */
    bool sent_head;
    bool sent_end;
    bool closed;
    bool peer_shut;
};

static void on_head(void *owner, struct http_head *head)
{
    struct play *play = owner;
    const char *detail;
    CHECK(play->stream != NULL && !play->head && !play->ended);
    CHECK(http_head_check(head, &detail) == FAILURE_NONE);
    play->head = http_head_is_request(head) || head->status == 101 || head->status >= 200;
}

static void on_body(void *owner, const struct piece *piece)
{
    struct play *play = owner;
    CHECK(play->stream != NULL && play->head && !play->ended && piece->length > 0);
    play->owed += piece->length;
    CHECK(play->owed <= play->limits.stream_window);
}

static void on_trailers(void *owner, struct headers *trailers)
{
    struct play *play = owner;
    CHECK(play->stream != NULL && play->head && !play->ended && trailers->count > 0);
}

static void on_end(void *owner)
{
    struct play *play = owner;
    CHECK(play->stream != NULL && play->head && !play->ended);
    play->ended = true;
}

static void on_room(void *owner)
{
    struct play *play = owner;
    CHECK(play->stream != NULL && play->sent_head && !play->sent_end);
    CHECK(http_stream_room(play->stream) > 0);
}

static void on_reset(void *owner, enum failure failure)
{
    struct play *play = owner;
    CHECK(play->stream != NULL);
    play->ended = true;
}

static void attach(struct play *play, struct http_stream *stream)
{
    static const struct http_stream_events events = {on_head, on_body, on_trailers,
                                                     on_end,  on_room, on_reset};
    CHECK(play->stream == NULL);
    play->stream = stream;
    play->owed = 0;
    play->head = play->ended = play->sent_head = play->sent_end = false;
    http_stream_attach(stream, &play->arena, &events, play);
}

static void on_stream(void *owner, struct http_conn *conn, struct http_stream *stream)
{
    attach(owner, stream);
}

static void on_closed(void *owner, struct http_conn *conn, enum failure failure)
{
    struct play *play = owner;
    CHECK(!play->closed);
    play->closed = true;
    play->conn = NULL;
}

static void release(struct play *play)
{
    if (play->stream != NULL) {
        http_stream_release(play->stream);
        play->stream = NULL;
        arena_done(&play->arena);
    }
}

static void send_head(struct play *play, unsigned kind)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "CONNECT"};
    static const uint16_t statuses[] = {200, 204, 304, 100, 101, 403, 200, 200};
    if (play->stream == NULL || play->sent_head) {
        return;
    }
    struct http_head head;
    http_head_init(&head, &play->arena);
    if (play->conn == NULL || play->conn->is_server) {
        head.status = statuses[kind % 8];
        head.content_length = kind == 6 ? 10 : -1;
    } else {
        head.method = span_of(methods[kind % 4]);
        head.method_token = (uint8_t)http_method_of(head.method);
        head.authority = SPAN("a:1");
        head.path = kind % 4 == 3 ? SPAN_EMPTY : SPAN("/");
        head.upgrade = kind == 4 ? SPAN("websocket") : SPAN_EMPTY;
        head.content_length = kind == 6 ? 10 : -1;
    }
    bool end = kind == 5;
    http_stream_send_head(play->stream, &head, end);
    play->sent_head = head.status != 100;
    play->sent_end = end;
}

static void send_body(struct play *play, unsigned kind)
{
    static const char bytes[40000];
    if (play->stream == NULL || !play->sent_head || play->sent_end) {
        return;
    }
    if (kind == 0) {
        play->sent_end = true;
        http_stream_send_end(play->stream);
        return;
    }
    struct byte_queue queue;
    byte_queue_init(&queue);
    byte_queue_copy(&queue, bytes, kind == 7 ? sizeof(bytes) : kind);
    size_t room = http_stream_room(play->stream);
    CHECK(http_stream_send_body(play->stream, &queue, SIZE_MAX) <= room);
    byte_queue_done(&queue);
}

static void owner_step(struct play *play, unsigned kind)
{
    if (kind == 0) {
        release(play);
    } else if (kind == 1 && play->stream != NULL) {
        http_stream_reset(play->stream, FAILURE_DOWNSTREAM_RESET);
        /* No event follows, which only the release can say here. */
        release(play);
    } else if (kind == 2 && play->conn != NULL) {
        http_conn_drain(play->conn);
    } else if (kind == 3 && play->conn != NULL) {
        http_conn_close(play->conn, FAILURE_LOCAL_SHUTDOWN);
    } else if (kind == 4 && play->conn != NULL && !play->conn->is_server && play->stream == NULL) {
        struct http_stream *stream = http_conn_open(play->conn);
        if (stream != NULL) {
            attach(play, stream);
        }
    } else if (play->stream != NULL && play->owed > 0) {
        size_t owed = play->owed;
        play->owed = 0;
        http_stream_consume(play->stream, owed);
    }
}

static void peer_step(struct play *play, unsigned kind)
{
    if (play->peer.transport == NULL) {
        return;
    }
    if (kind == 0) {
        if (!play->peer_shut) {
            play->peer_shut = true;
            raw_peer_end(&play->peer);
        }
    } else if (kind == 1) {
        raw_peer_close(&play->peer);
    } else {
        raw_peer_listen(&play->peer, kind % 2 == 0);
    }
}

/* Takes a step off the input; returns how many bytes of it were used. */
static size_t step(struct play *play, const uint8_t *bytes, size_t length)
{
    enum { SEND, SEND_MORE, HEAD, BODY, OWNER, PEER, TIME, SETTLE };
    unsigned kind = bytes[0] & 7;
    unsigned amount = bytes[0] >> 3 & 3;
    size_t used = 1;
    switch (bytes[0] >> 5) {
    case SEND:
    case SEND_MORE: {
        size_t most = bytes[0] >> 5 == SEND ? bytes[0] & 31U : 32 + (bytes[0] & 31U) * 8;
        size_t part = most < length - 1 ? most : length - 1;
        if (play->peer.transport != NULL && !play->peer_shut && part > 0) {
            raw_peer_send(&play->peer, bytes + 1, part);
        }
        used += part;
        break;
    }
    case HEAD:
        send_head(play, kind);
        break;
    case BODY:
        send_body(play, kind);
        break;
    case OWNER:
        owner_step(play, kind);
        break;
    case PEER:
        peer_step(play, kind);
        break;
    case TIME:
        loop_advance(play->loop, (int64_t)(kind + 1) * NS_PER_S * (amount + 1));
        break;
    default:
        break;
    }
    if (amount != 0 || bytes[0] >> 5 <= SEND_MORE) {
        loop_settle(play->loop);
    }
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const struct http_conn_events events = {.on_stream = on_stream, .on_closed = on_closed};
    if (length == 0) {
        return 0;
    }
    struct play play = {.loop = loop_create_simulated(NS_PER_S)};
    const struct pipe_options own = {.accept_bytes = (bytes[0] & 2) != 0 ? 7 : 0,
                                     .window_bytes = (bytes[0] & 4) != 0 ? 100 : 0};
    struct transport *near;
    struct transport *far;
    http_limits_default(&play.limits);
    if ((bytes[0] & 8) != 0) {
        play.limits.stream_window = 16;
    }
    pipe_transports(play.loop, &own, NULL, &near, &far);
    raw_peer_own(&play.peer, far);
    play.conn = (bytes[0] & 1) != 0
                    ? http1_client_create(near, &play.limits, false, &events, &play)
                    : http1_server_create(near, &play.limits, false, &events, &play);
    for (size_t at = 1; at < length;) {
        at += step(&play, bytes + at, length - at);
    }
    if (play.conn != NULL) {
        http_conn_close(play.conn, FAILURE_NONE);
    }
    loop_settle(play.loop);
    release(&play);
    raw_peer_done(&play.peer);
    loop_settle(play.loop);
    CHECK(play.closed);
    loop_destroy(play.loop);
    CHECK(chunk_in_use() == 0);
    return 0;
}
