#include "tests/unit/lib/http/http2_rig.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"

void rig_prepare(struct rig *rig)
{
    *rig = (struct rig){0};
    http_limits_default(&rig->limits);
    rig->loop = loop_create_simulated(NS_PER_S);
    rig->wire = wire_create(rig->loop, true);
}

void rig_open(struct rig *rig, bool is_server, bool in_mesh)
{
    rig->side.conn = is_server ? http2_server_create(&rig->wire->base, &rig->limits, in_mesh,
                                                     &side_events, &rig->side)
                               : http2_client_create(&rig->wire->base, &rig->limits, in_mesh,
                                                     &side_events, &rig->side);
    reader_init(&rig->reader, rig->wire, !is_server);
    if (is_server) {
        frames_add_preface(&rig->frames);
    } else {
        frames_add(&rig->frames, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    }
}

void rig_server(struct rig *rig)
{
    rig_prepare(rig);
    rig_open(rig, true, false);
}

void rig_client(struct rig *rig)
{
    rig_prepare(rig);
    rig_open(rig, false, false);
}

void rig_done(struct rig *rig)
{
    if (rig->side.conn != NULL) {
        http_conn_close(rig->side.conn, FAILURE_NONE);
        loop_advance(rig->loop, 0);
    }
    CHECK(rig->side.closed);
    CHECK(rig->wire->closed);
    side_done(&rig->side);
    loop_turn(rig->loop);
    wire_destroy(rig->wire);
    text_done(&rig->frames);
    reader_done(&rig->reader);
    loop_destroy(rig->loop);
    CHECK(chunk_in_use() == 0);
}

void rig_go(struct rig *rig)
{
    frames_send(&rig->frames, rig->wire);
    loop_advance(rig->loop, 0);
}

void rig_wait_ms(struct rig *rig, int64_t ms)
{
    loop_advance(rig->loop, ms * NS_PER_MS);
}

uint32_t rig_goaway(struct rig *rig)
{
    struct frame frame;
    uint32_t code = UINT32_MAX;
    while (reader_until(&rig->reader, NGHTTP2_GOAWAY, &frame)) {
        code = (uint32_t)frame.payload[4] << 24 | (uint32_t)frame.payload[5] << 16 |
               (uint32_t)frame.payload[6] << 8 | frame.payload[7];
    }
    return code;
}

void rig_respond(struct exchange *exchange, uint16_t status, bool end)
{
    struct arena arena = {0};
    struct http_head head;
    http_head_init(&head, &arena);
    head.status = status;
    http_stream_send_head(exchange->stream, &head, end);
    arena_done(&arena);
}

void rig_request(struct exchange *exchange, bool end)
{
    struct arena arena = {0};
    struct http_head head;
    http_head_init(&head, &arena);
    head.method = end ? SPAN("GET") : SPAN("POST");
    head.method_token = end ? HTTP_METHOD_GET : HTTP_METHOD_POST;
    head.scheme = SPAN("http");
    head.authority = SPAN("a.test");
    head.path = SPAN("/");
    http_stream_send_head(exchange->stream, &head, end);
    arena_done(&arena);
}

size_t rig_send(struct exchange *exchange, const char *bytes, size_t length)
{
    struct byte_queue queue;
    byte_queue_init(&queue);
    byte_queue_copy(&queue, bytes, length);
    size_t taken = http_stream_send_body(exchange->stream, &queue, SIZE_MAX);
    byte_queue_done(&queue);
    return taken;
}
