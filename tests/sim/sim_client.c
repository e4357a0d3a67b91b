#include "tests/sim/sim_private.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- HTTP/2 ---------------------------------------------------------------------------------- */

static void on_head(void *owner, struct http_head *head)
{
    struct sim *sim = owner;
    if (head->status >= 200) {
        sim->heads++;
        sim->status = head->status;
    }
}

static void on_body(void *owner, const struct piece *piece)
{
    struct sim *sim = owner;
    sim->body_bytes += piece->length;
    http_stream_consume(sim->stream, piece->length);
}

static void on_trailers(void *owner, struct headers *trailers)
{
}

static void on_end(void *owner)
{
    struct sim *sim = owner;
    sim->ends++;
    sim->stream_over = true;
}

static void send_body(struct sim *sim)
{
    if (sim->stream == NULL || sim->stream_over || sim->head_ended) {
        return;
    }
    http_stream_send_body(sim->stream, &sim->body, sim->body.length);
    if (sim->body.length == 0) {
        sim->head_ended = true;
        http_stream_send_end(sim->stream);
    }
}

static void on_room(void *owner)
{
    send_body(owner);
}

static void on_reset(void *owner, enum failure failure)
{
    struct sim *sim = owner;
    sim->stream_reset = true;
    sim->stream_over = true;
}

static const struct http_stream_events stream_events = {on_head, on_body, on_trailers,
                                                        on_end,  on_room, on_reset};

static void on_closed(void *owner, struct http_conn *conn, enum failure failure)
{
    struct sim *sim = owner;
    sim->http = NULL;
    sim->http_over = true;
}

static const struct http_conn_events conn_events = {.on_closed = on_closed};

void sim_client_go(struct sim *sim)
{
    if (sim->http == NULL || sim->sent || http_conn_room(sim->http) == 0) {
        return;
    }
    bool has_body = sim->plan.body_bytes > 0;
    struct http_head head;
    sim->sent = true;
    sim->stream = http_conn_open(sim->http);
    http_stream_attach(sim->stream, &sim->arena, &stream_events, sim);
    http_head_init(&head, &sim->arena);
    head.method = has_body ? SPAN("POST") : SPAN("GET");
    head.method_token = has_body ? HTTP_METHOD_POST : HTTP_METHOD_GET;
    head.scheme = SPAN("http");
    head.authority = SPAN("api");
    head.path = SPAN("/");
    head.version = 20;
    head.content_length = -1;
    head.has_body = has_body;
    http_stream_send_head(sim->stream, &head, !has_body);
    sim->head_ended = !has_body;
    for (size_t i = 0; i < sim->plan.body_bytes; i++) {
        byte_queue_copy(&sim->body, "x", 1);
    }
    send_body(sim);
}

/* ---- HTTP/1 ---------------------------------------------------------------------------------- */

/* The length of the body that follows the head; -1 = chunked, -2 = until the end. */
static long body_length(const char *head, const char *head_end, bool no_body)
{
    static const char length_field[] = "content-length:";
    if (no_body) {
        return 0;
    }
    for (const char *line = head; line < head_end; line = strchr(line, '\n') + 1) {
        if (strncasecmp(line, length_field, sizeof(length_field) - 1) == 0) {
            return strtol(line + sizeof(length_field) - 1, NULL, 10);
        }
        if (strncasecmp(line, "transfer-encoding:", 18) == 0) {
            return -1;
        }
    }
    return -2;
}

/* Behind the body; NULL: not whole. */
static const char *body_end(const struct sim *sim, const char *body, long length)
{
    const char *end = sim->peer.received + sim->peer.received_length;
    if (length == -2) {
        return sim->peer.got_end ? end : NULL;
    }
    if (length >= 0) {
        return end - body >= length ? body + length : NULL;
    }
    for (;;) {
        char *after;
        long chunk = strtol(body, &after, 16);
        if (after == body || strncmp(after, "\r\n", 2) != 0) {
            return NULL;
        }
        body = after + 2;
        if (chunk == 0) {
            const char *last = strncmp(body, "\r\n", 2) == 0 ? body : strstr(body, "\r\n\r\n");
            return last == NULL ? NULL : last + (last == body ? 2 : 4);
        }
        if (end - body < chunk + 2) {
            return NULL;
        }
        body += chunk + 2;
    }
}

static void add_whole(struct sim_result *result, unsigned status)
{
    size_t length = strlen(result->statuses);
    snprintf(result->statuses + length, SIM_TEXT - length, "%s%u", length > 0 ? " " : "", status);
    result->whole++;
}

static void read_raw(struct sim *sim, struct sim_result *result)
{
    const char *at = sim->peer.received;
    const char *end = at + sim->peer.received_length;
    result->over = sim->peer.got_end || sim->peer.got_failure;
    while (at < end) {
        const char *head_end = strstr(at, "\r\n\r\n");
        if (head_end == NULL) {
            result->cut = true;
            return;
        }
        CHECK(strncmp(at, "HTTP/1.1 ", 9) == 0);
        long status = strtol(at + 9, NULL, 10);
        CHECK(status >= 100 && status <= 999);
        bool none = status < 200 || status == 204 || status == 304;
        const char *next = body_end(sim, head_end + 4, body_length(at, head_end, none));
        if (status >= 200 && next != NULL) {
            add_whole(result, (unsigned)status);
        }
        if (next == NULL) {
            result->cut = true;
            return;
        }
        at = next;
    }
}

/* ---- Both ------------------------------------------------------------------------------------ */

void sim_client_open(struct sim *sim)
{
    static const char get[] = "GET / HTTP/1.1\r\nhost: api\r\n\r\n";
    struct transport *client;
    struct transport *front;
    struct address to;
    const struct front_listener listener = {.side = FRONT_OUTBOUND};
    CHECK(address_parse(SPAN("10.1.0.1:80"), &to));
    pipe_transports(sim->scope.loop, &sim->plan.client, &sim->plan.front, &client, &front);
    client_conn_open(sim->front, &listener, front, &to, FAILURE_NONE);
    if (sim->plan.leg == SIM_H2_H2) {
        sim->http = http2_client_create(client, &sim->rig.server_limits, false, &conn_events, sim);
        return;
    }
    raw_peer_own(&sim->peer, client);
    sim->sent = true;
    raw_peer_send_text(&sim->peer, sim->plan.request != NULL ? sim->plan.request : get);
}

void sim_client_read(struct sim *sim, struct sim_result *result)
{
    if (sim->plan.leg != SIM_H2_H2) {
        read_raw(sim, result);
        return;
    }
    if (sim->ends > 0) {
        add_whole(result, sim->status);
    }
    result->cut = sim->heads > sim->ends;
    result->over = sim->http_over || sim->stream_reset;
}

bool sim_is_over(struct sim *sim)
{
    struct sim_result result = {.record_count = 0};
    sim_client_read(sim, &result);
    return sim->scope.live_requests == 0 && (result.over || (result.whole > 0 && !result.cut));
}

void sim_hang_up(struct sim *sim)
{
    if (sim->plan.leg == SIM_H2_H2) {
        http_conn_close(sim->http, FAILURE_NONE);
    } else {
        transport_abort(sim->peer.transport);
        sim->peer.transport = NULL;
        sim->peer.got_end = true;
    }
}

void sim_client_done(struct sim *sim)
{
    if (sim->plan.leg != SIM_H2_H2) {
        if (sim->sent) {
            raw_peer_done(&sim->peer);
        }
        return;
    }
    if (sim->stream != NULL) {
        http_stream_release(sim->stream);
        sim->stream = NULL;
    }
    if (sim->http != NULL) {
        http_conn_close(sim->http, FAILURE_NONE);
    }
}

void sim_begin(struct sim *sim)
{
    sim_client_open(sim);
}

void sim_go(struct sim *sim)
{
    do {
        loop_settle(sim->scope.loop);
        sim_client_go(sim);
        loop_settle(sim->scope.loop);
    } while (sim_upstreams_go(sim));
}
