#include "tests/unit/test_main.h"

#include "lib/base/memory.h"
#include "tests/sim/sim.h"

/* Connections that are no requests: tunnels, and what the front learns from them. */

static struct tls_mesh mesh;

/* ---- HBONE ----------------------------------------------------------------------------------- */

struct caller_end {
    struct sim *sim;
    struct http_conn *conn;
    struct http_stream *stream;
    struct arena arena;
    uint16_t status;
    char reason[32];
    enum failure reset;
};

static void on_head(void *owner, struct http_head *head)
{
    struct caller_end *end = owner;
    end->status = head->status;
    struct span reason = headers_value(&head->headers, HEADER_X_REMORA_REASON);
    snprintf(end->reason, sizeof(end->reason), "%.*s", SPAN_ARG(reason));
}

static void on_body(void *owner, const struct piece *piece)
{
    struct caller_end *end = owner;
    http_stream_consume(end->stream, piece->length);
}

static void on_trailers(void *owner, struct headers *trailers)
{
}

static void on_end(void *owner)
{
}

static void on_room(void *owner)
{
}

static void on_reset(void *owner, enum failure failure)
{
    struct caller_end *end = owner;
    end->reset = failure;
}

static const struct http_stream_events stream_events = {on_head, on_body, on_trailers,
                                                        on_end,  on_room, on_reset};

static void on_closed(void *owner, struct http_conn *conn, enum failure failure)
{
    struct caller_end *end = owner;
    end->conn = NULL;
}

static const struct http_conn_events conn_events = {.on_closed = on_closed};

/* A verified peer that connects to HBONE's port of 10.0.0.2. */
static void call(struct caller_end *end, struct sim *sim)
{
    const struct front_listener listener = {.side = FRONT_HBONE};
    struct transport *near;
    struct transport *far;
    struct tls_transport_options options = {.config = mesh.client_config,
                                            .handshake_timeout_ms = 5000};
    *end = (struct caller_end){.sim = sim};
    pipe_transports(sim->scope.loop, NULL, NULL, &far, &near);
    client_conn_open(sim->front, &listener, near, &near->local, FAILURE_NONE);
    end->conn = http2_client_create(tls_transport_create(far, &options), &sim->rig.server_limits,
                                    false, &conn_events, end);
    loop_settle(sim->scope.loop);
}

static void ask(struct caller_end *end, const char *method, const char *authority)
{
    struct http_head head;
    assert_true(end->conn != NULL && http_conn_room(end->conn) > 0);
    end->stream = http_conn_open(end->conn);
    http_stream_attach(end->stream, &end->arena, &stream_events, end);
    http_head_init(&head, &end->arena);
    head.method = span_of(method);
    head.method_token = (uint8_t)http_method_of(head.method);
    head.authority = span_of(authority);
    if (head.method_token != HTTP_METHOD_CONNECT) {
        head.scheme = SPAN("https");
        head.path = SPAN("/");
    }
    head.version = 20;
    head.content_length = -1;
    head.has_body = true;
    http_stream_send_head(end->stream, &head, false);
    loop_settle(end->sim->scope.loop);
}

static void call_over(struct caller_end *end)
{
    http_stream_release(end->stream);
    if (end->conn != NULL) {
        http_conn_close(end->conn, FAILURE_NONE);
    }
    loop_settle(end->sim->scope.loop);
    arena_done(&end->arena);
}

static void a_tunnel_leads_to_this_pod_and_never_to_its_proxy(void **state)
{
    static const struct {
        const char *method, *authority;
        uint16_t status; /* 0 = a stream that is reset */
        const char *reason;
    } rows[] = {
        {"CONNECT", "10.0.0.2:8080", 200, ""},
        {"CONNECT", "10.0.0.3:8080", 421, "misdirected"},
        {"CONNECT", "127.0.0.1:8080", 421, "misdirected"},
        {"CONNECT", "10.0.0.2:15001", 0, ""},
        {"CONNECT", "127.0.0.1:15001", 0, ""},
        {"CONNECT", "api:8080", 400, "bad_request"},
        {"GET", "10.0.0.2:8080", 400, "bad_request"},
    };
    sim_mesh_init(&mesh);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim *sim = NEW(struct sim);
        const struct sim_plan plan = {.leg = SIM_H1_MESH, .upstream = SIM_HANGS};
        struct caller_end end;
        sim_open(sim, &plan, &mesh);
        sim->scope.server_tls = mesh.server_config;
        front_own_port(sim->front, 15001);
        call(&end, sim);
        ask(&end, rows[i].method, rows[i].authority);
        if (end.status != rows[i].status || strcmp(end.reason, rows[i].reason) != 0 ||
            end.reset != (rows[i].status == 0 ? FAILURE_UPSTREAM_RESET : FAILURE_NONE)) {
            fail_msg("%s %s: %u %s, %.*s", rows[i].method, rows[i].authority, end.status,
                     end.reason, SPAN_ARG(failure_word(end.reset)));
        }
        call_over(&end);
        sim_close(sim);
        mem_free(sim);
    }
    tls_mesh_done(&mesh);
}

/* ---- Servers that speak first ---------------------------------------------------------------- */

/* A client of an address outside the mesh, which says this; the server is bytes by hand. */
static struct sim *call_outside(const char *says)
{
    struct sim *sim = NEW(struct sim);
    const struct sim_plan plan = {
        .known = SIM_KNOWS_NOTHING, .upstream = SIM_SILENT, .request = says};
    sim_open(sim, &plan, NULL);
    sim->scope.control_away = true; /* nobody is asked whose address it is */
    sim_begin(sim);
    sim_wait_ms(sim, 100);
    return sim;
}

static bool is_learned(struct sim *sim)
{
    struct address to;
    address_parse(SPAN("10.1.0.1:80"), &to);
    return server_first_known(&sim->front->learned, &to, loop_now_ns(sim->scope.loop));
}

static void only_a_server_that_says_something_is_learned_to_speak_first(void **state)
{
    static const struct {
        const char *says;
        bool resets, learned;
        const char *heard;
    } rows[] = {
        {"220 ready\r\n", false, true, "220 ready\r\n"},
        {"x", false, true, "x"},
        {"", false, false, ""}, /* an idle time that was over, a program that stops */
        {"", true, false, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim *sim = call_outside("");
        assert_true(sim->taken[0]);
        raw_peer_send_text(&sim->upstreams[0], rows[i].says);
        if (rows[i].resets) {
            transport_abort(sim->upstreams[0].transport);
            sim->upstreams[0].transport = NULL;
        } else if (rows[i].says[0] == '\0') {
            raw_peer_end(&sim->upstreams[0]);
        }
        sim_wait_ms(sim, 100);
        assert_string_equal(sim->peer.received, rows[i].heard);
        if (is_learned(sim) != rows[i].learned) {
            fail_msg("row %zu", i);
        }
        sim_close(sim);
        mem_free(sim);
    }
}

static struct sim *call_learned(const char *says, bool learn, struct sim *sim)
{
    struct address to;
    const struct sim_plan plan = {
        .known = SIM_KNOWS_NOTHING, .upstream = SIM_SILENT, .request = says};
    address_parse(SPAN("10.1.0.1:80"), &to);
    if (sim == NULL) {
        sim = NEW(struct sim);
        sim_open(sim, &plan, NULL);
        sim->scope.control_away = true;
    } else {
        raw_peer_done(&sim->peer);
        sim->plan.request = says;
    }
    if (learn) {
        server_first_learn(&sim->front->learned, &to, loop_now_ns(sim->scope.loop));
    }
    sim_begin(sim);
    sim_go(sim);
    return sim;
}

static void a_learned_server_is_dialled_at_once_and_heard(void **state)
{
    struct sim *sim = call_learned("", true, NULL);
    assert_true(sim->taken[0]); /* no time has passed */
    raw_peer_send_text(&sim->upstreams[0], "220 ready\r\n");
    sim_go(sim);
    assert_string_equal(sim->peer.received, "220 ready\r\n");
    raw_peer_send_text(&sim->peer, "HELO a\r\n");
    sim_go(sim);
    assert_string_equal(sim->upstreams[0].received, "HELO a\r\n");
    assert_true(is_learned(sim));
    sim_close(sim);
    mem_free(sim);
}

static void the_end_of_a_silent_client_is_passed_on_to_a_learned_server(void **state)
{
    struct sim *sim = call_learned("", true, NULL);
    raw_peer_end(&sim->peer);
    sim_go(sim);
    assert_true(sim->upstreams[0].got_end);
    raw_peer_send_text(&sim->upstreams[0], "220 ready\r\n");
    sim_go(sim);
    assert_string_equal(sim->peer.received, "220 ready\r\n");
    sim_close(sim);
    mem_free(sim);
}

/* What the client says reaches the server as it is; two of HTTP or TLS in a row are a mistake. */
static void a_destination_is_forgotten_when_its_clients_speak_first(void **state)
{
    static const char get[] = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    static const struct {
        const char *first, *second;
        bool learned;
    } rows[] = {
        {get, get, false},
        {get, "\x16\x03\x01\x02\x03", false},
        {get, "HELO a\r\n", true},
        {"HELO a\r\n", "HELO b\r\n", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim *sim = call_learned(rows[i].first, true, NULL);
        assert_string_equal(sim->upstreams[0].received, rows[i].first);
        assert_true(is_learned(sim));
        call_learned(rows[i].second, false, sim);
        assert_string_equal(sim->upstreams[1].received, rows[i].second);
        if (is_learned(sim) != rows[i].learned) {
            fail_msg("row %zu", i);
        }
        sim_close(sim);
        mem_free(sim);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_tunnel_leads_to_this_pod_and_never_to_its_proxy),
        cmocka_unit_test(only_a_server_that_says_something_is_learned_to_speak_first),
        cmocka_unit_test(a_learned_server_is_dialled_at_once_and_heard),
        cmocka_unit_test(the_end_of_a_silent_client_is_passed_on_to_a_learned_server),
        cmocka_unit_test(a_destination_is_forgotten_when_its_clients_speak_first),
    };
    return TEST_MAIN(cases, argc, argv);
}
