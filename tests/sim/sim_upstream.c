#include "tests/sim/sim_private.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"

#include <string.h>

/* A dial that nobody answers ends as the kernel's would: when its time is over. */
static bool settle_hanging(struct sim *sim, size_t at)
{
    CHECK(at < SIM_UPSTREAMS);
    int64_t now_ns = loop_now_ns(sim->scope.loop);
    if (sim->dialled_ns[at] == 0) {
        sim->dialled_ns[at] = now_ns;
    }
    if (now_ns - sim->dialled_ns[at] < sim->rig.dials[at].timeout_ms * NS_PER_MS) {
        return false;
    }
    rig_refuse(&sim->rig, at, FAILURE_CONNECT_TIMEOUT);
    return true;
}

static bool settle_dial(struct sim *sim, size_t at)
{
    struct rig_dial *dial = &sim->rig.dials[at];
    if (dial->settled) {
        return false;
    }
    if (sim->plan.upstream == SIM_HANGS) {
        return settle_hanging(sim, at);
    }
    if (sim->plan.upstream == SIM_REFUSES) {
        rig_refuse(&sim->rig, at, FAILURE_CONNECT_REFUSED);
        return true;
    }
    if (!sim->plan.first_only || at == 0) {
        *pipe_options_of(dial->near) = sim->plan.near;
        *pipe_options_of(dial->far) = sim->plan.far;
    }
    rig_connect(&sim->rig, at);
    if (sim->rig.raw) {
        CHECK(at < SIM_UPSTREAMS);
        raw_peer_own(&sim->upstreams[at], dial->far);
        dial->far = NULL;
        sim->taken[at] = true;
    }
    return true;
}

static bool is_due(const struct sim *sim, bool head, bool whole)
{
    return (sim->plan.upstream == SIM_ANSWERS && whole) ||
           (sim->plan.upstream == SIM_EARLY && head);
}

static bool answer_raw(struct sim *sim, size_t at)
{
    static const char usual[] = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789";
    struct raw_peer *peer = &sim->upstreams[at];
    if (!sim->taken[at] || peer->got_failure) {
        return false;
    }
    const char *until = sim->plan.until != NULL ? sim->plan.until : "\r\n\r\n";
    bool head = strstr(peer->received, "\r\n\r\n") != NULL;
    if (!is_due(sim, head, strstr(peer->received, until) != NULL)) {
        return false;
    }
    sim->answers++;
    raw_peer_clear(peer); /* the next request is looked for behind this one */
    raw_peer_send_text(peer, sim->plan.response != NULL ? sim->plan.response : usual);
    return true;
}

static bool answer_stream(struct sim *sim, size_t at)
{
    struct rig_stream *stream = sim->rig.streams[at];
    if (stream->stream == NULL || sim->answered[at] ||
        !is_due(sim, stream->head != NULL, stream->ended)) {
        return false;
    }
    struct http_head head;
    http_head_init(&head, &stream->arena);
    head.status = 200;
    head.content_length = 10;
    head.has_body = true;
    headers_add_token(&head.headers, HEADER_CONTENT_LENGTH, SPAN("10"));
    sim->answered[at] = true;
    sim->answers++;
    http_stream_send_head(stream->stream, &head, false);
    struct byte_queue body;
    byte_queue_init(&body);
    byte_queue_copy(&body, "0123456789", 10);
    http_stream_send_body(stream->stream, &body, body.length);
    byte_queue_done(&body);
    http_stream_send_end(stream->stream);
    return true;
}

bool sim_upstreams_go(struct sim *sim)
{
    bool any = false;
    for (size_t i = 0; i < sim->rig.dial_count; i++) {
        any |= settle_dial(sim, i);
    }
    for (size_t i = 0; sim->rig.raw && i < sim->rig.dial_count && i < SIM_UPSTREAMS; i++) {
        any |= answer_raw(sim, i);
    }
    for (size_t i = 0; i < sim->rig.stream_count; i++) {
        any |= answer_stream(sim, i);
    }
    return any;
}
