#include "tests/unit/test_main.h"

#include "lib/base/memory.h"
#include "proxy/upstream/pool.h"
#include "tests/sim/sim.h"

/* Whole requests on each leg: what upstreams, clients, operators and clocks may do to them. */

#define LONG_POST "POST / HTTP/1.1\r\nhost: api\r\ncontent-length: 50\r\n\r\nhello"
#define SHORT_POST "POST / HTTP/1.1\r\nhost: api\r\ncontent-length: 5\r\n\r\nhello"

static struct tls_mesh mesh;
static const char *const leg_names[] = {"h1-h1", "h1-mesh", "h2-h2"};

static void run(const struct sim_plan *plan, const char *name, const char *wanted, int64_t most_ms)
{
    struct sim_result result;
    char line[SIM_LINE];
    sim_run(plan, &mesh, most_ms + SIM_STEP_MS, &result);
    sim_line(&result, line);
    if (strcmp(line, wanted) != 0 || result.took_ms > most_ms) {
        fail_msg("%s, %s: [%s] after %ld ms, not [%s] in %ld", leg_names[plan->leg], name, line,
                 (long)result.took_ms, wanted, (long)most_ms);
    }
}

static void idle_2_s(struct xds_cluster *facts)
{
    facts->stream_idle_ms = 2000;
}

/* ---- Upstreams ------------------------------------------------------------------------------- */

struct upstream_row {
    const char *name;
    struct sim_plan plan;
    const char *wanted;
    int64_t most_ms;
};

static const struct upstream_row upstream_rows[] = {
    {"well", {.upstream = SIM_ANSWERS}, "200 none | 200", 0},
    {"refuses", {.upstream = SIM_REFUSES}, "503 connect_refused | 503 x3", 500},
    {"each refuses",
     {.upstream = SIM_REFUSES, .endpoints = 3},
     "503 connect_refused | 503 x3",
     500},
    {"nobody answers a dial", {.upstream = SIM_HANGS}, "503 connect_timeout | 503 x3", 3500},
    {"no time to dial",
     {.upstream = SIM_HANGS, .timeout_ms = 500},
     "504 request_timeout | 504",
     500},
    {"silent", {.upstream = SIM_SILENT, .timeout_ms = 5000}, "504 request_timeout | 504", 5000},
    {"silent, only idle time ends it",
     {.upstream = SIM_SILENT, .change = idle_2_s},
     "504 stream_idle | 504",
     2000},
    {"silent to one attempt",
     {.upstream = SIM_SILENT, .per_try_ms = 500},
     "504 per_try_timeout | 504",
     500},
    {"silent to a large request",
     {.upstream = SIM_SILENT, .timeout_ms = 5000, .body_bytes = 500000},
     "504 request_timeout | 504",
     5000},
    {"the first connection fails",
     {.near = {.fault = PIPE_FAULT_END}, .first_only = true, .endpoints = 2},
     "200 none | 200 x2",
     100},
    {"the first connection fails, a body is sent again",
     {.near = {.fault = PIPE_FAULT_END},
      .first_only = true,
      .endpoints = 2,
      .request = SHORT_POST,
      .until = "hello",
      .body_bytes = 5},
     "200 none | 200 x2",
     100},
    {"answers before the request has ended",
     {.upstream = SIM_EARLY, .timeout_ms = 5000, .request = SHORT_POST, .body_bytes = 5},
     "200 none | 200",
     0},
    {"answers before the request has ended, which never does",
     {.upstream = SIM_EARLY,
      .timeout_ms = 5000,
      .request = LONG_POST,
      .body_bytes = 50,
      .client = {.stall = true, .stall_after = 100}},
     "200 none | 200",
     0},
    {"a byte at a time",
     {.client = {.accept_bytes = 1},
      .front = {.accept_bytes = 1},
      .near = {.accept_bytes = 1},
      .far = {.accept_bytes = 1}},
     "200 none | 200",
     100},
    {"a byte a read, and late",
     {.client = {.deliver_bytes = 1, .late = true},
      .front = {.deliver_bytes = 1, .late = true},
      .near = {.deliver_bytes = 1, .late = true},
      .far = {.deliver_bytes = 1, .late = true}},
     "200 none | 200",
     100},
};

static void upstreams_do_as_they_like(void **state)
{
    sim_mesh_init(&mesh);
    for (unsigned leg = 0; leg < SIM_LEGS; leg++) {
        for (size_t i = 0; i < sizeof(upstream_rows) / sizeof(upstream_rows[0]); i++) {
            const struct upstream_row *row = &upstream_rows[i];
            struct sim_plan plan = row->plan;
            plan.leg = (enum sim_leg)leg;
            run(&plan, row->name, row->wanted, row->most_ms);
        }
    }
    tls_mesh_done(&mesh);
}

/* A pooled session stays: only HTTP/1 needs a connection for each try. */
static void each_try_has_its_own_time(void **state)
{
    static const char *const wanted[] = {"504 per_try_timeout | 504 x3",
                                         "504 per_try_timeout | 504", "504 per_try_timeout | 504"};
    sim_mesh_init(&mesh);
    for (unsigned leg = 0; leg < SIM_LEGS; leg++) {
        const struct sim_plan plan = {.leg = (enum sim_leg)leg,
                                      .upstream = SIM_SILENT,
                                      .per_try_ms = 500,
                                      .retry_on = "per-try-timeout,reset-before-response"};
        run(&plan, "three tries", wanted[leg], 2000);
    }
    tls_mesh_done(&mesh);
}

static void what_an_upstream_may_say(void **state)
{
    static const struct {
        const char *response;
        const char *wanted;
    } rows[] = {
        {"garbage\r\n\r\n", "502 upstream_protocol | 502"},
        {"\r\n\r\n\r\n", "502 upstream_protocol | 502"},
        {"\x16\x03\x01\x02", "502 upstream_protocol | 502"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "502 upstream_protocol | 502"},
        {"HTTP/2 200 OK\r\n\r\n", "502 upstream_protocol | 502"},
        {"HTTP/1.1 99 Low\r\n\r\n", "502 upstream_protocol | 502"},
        {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
         "502 upstream_protocol | 502"},
        {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
         "502 upstream_protocol | 502"},
        {"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
         "502 upstream_protocol | 502"},
        {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
         "200 upstream_protocol | cut"},
        {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloEXTRA", "200 none | 200"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
         "200 none | 200"},
        {"HTTP/1.1 103 Early\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
         "200 none | 200"},
        {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-t: 1\r\n\r\n",
         "200 none | 200"},
        {"HTTP/1.1 204 None\r\n\r\n", "204 none | 204"},
        {"HTTP/1.1 304 Same\r\ncontent-length: 10\r\n\r\n", "304 none | 304"},
        {"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", "503 none | 503"},
        {"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", "200 none | 200"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct sim_plan plan = {.response = rows[i].response, .timeout_ms = 5000};
        run(&plan, rows[i].response, rows[i].wanted, 0);
    }
}

static void a_head_of_an_upstream_beyond_the_limits_is_refused(void **state)
{
    static char response[140000];
    size_t length = (size_t)sprintf(response, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 127; i++) {
        length += (size_t)sprintf(response + length, "x-%d: %01000d\r\n", i, 0);
    }
    sprintf(response + length, "content-length: 0\r\n\r\n");
    const struct sim_plan plan = {.response = response, .timeout_ms = 5000};
    run(&plan, "head", "502 upstream_headers_too_large | 502", 0);
}

static void pipelined_requests_are_answered_in_order_each_once(void **state)
{
    static char requests[4096];
    char wanted[256] = "";
    char statuses[128] = "";
    size_t length = 0;
    for (int i = 0; i < 8; i++) {
        length += (size_t)sprintf(requests + length, "GET /%d HTTP/1.1\r\nhost: api\r\n\r\n", i);
        strcat(wanted, i > 0 ? ", 200 none" : "200 none");
        strcat(statuses, i > 0 ? " 200" : "200");
    }
    strcat(strcat(wanted, " | "), statuses);
    for (unsigned leg = SIM_H1_H1; leg <= SIM_H1_MESH; leg++) {
        sim_mesh_init(&mesh);
        const struct sim_plan plan = {.leg = (enum sim_leg)leg, .request = requests};
        run(&plan, "eight", wanted, 0);
        tls_mesh_done(&mesh);
    }
}

/* ---- Answers before the end of the request --------------------------------------------------- */

/*
 * The upstream has sent its whole answer before the request had ended, and is gone (RFC 9110 9.3.1,
 * RFC 9113 8.1): the client, slower than both, must still get all of it.
 */
static void a_whole_answer_arrives_though_its_upstream_is_gone(void **state)
{
    static char response[120000];
    size_t head = (size_t)sprintf(response, "HTTP/1.1 413 Large\r\ncontent-length: 110000\r\n\r\n");
    memset(response + head, 'x', 110000);
    static const enum pipe_fault faults[] = {PIPE_FAULT_NONE, PIPE_FAULT_END, PIPE_FAULT_RESET};
    static const size_t stalls[] = {0, 10, 1000, 49000};
    for (size_t i = 0; i < 12; i++) {
        struct sim *sim = NEW(struct sim);
        struct sim_plan plan = {.upstream = SIM_EARLY,
                                .timeout_ms = 5000,
                                .request = LONG_POST,
                                .response = response,
                                .front = {.stall = true, .stall_after = stalls[i / 3]}};
        struct sim_result result;
        char line[SIM_LINE];
        plan.far.fault = faults[i % 3];
        plan.far.fault_at = head + 110000;
        sim_open(sim, &plan, NULL);
        sim_begin(sim);
        sim_wait_ms(sim, 1000);
        struct link *first = list_first(&sim->front->conns);
        if (first != NULL) {
            struct client_conn *conn = CONTAINER_OF(first, struct client_conn, link);
            pipe_resume(conn->http->transport);
        }
        sim_end(sim, 3000, &result);
        sim_line(&result, line);
        if (strcmp(line, "413 none | 413") != 0) {
            fail_msg("stall after %zu, fault %d: %s", stalls[i / 3], faults[i % 3], line);
        }
        sim_close(sim);
        mem_free(sim);
    }
}

/* ---- Clients that go ------------------------------------------------------------------------- */

struct abort_row {
    const char *name;
    struct sim_plan plan;
    int64_t wait_ms;
    const char *wanted;
    int64_t noticed_ms;       /* after so long; 0 = at once */
    const char *wanted_http2; /* NULL = the same */
};

static void a_client_may_reset_in_every_state(void **state)
{
    static const struct abort_row rows[] = {
        /*
         * Nothing is read of a client before it is known where it goes: CONFIG_WAIT_MS at most. The
         * request is then found in front of its end; but a server of HTTP/2 writes first, and
         * learns so that nobody is there.
         */
        {"waits for an address",
         {.known = SIM_KNOWS_NOTHING},
         100,
         "0 downstream_closed | closed",
         CONFIG_WAIT_MS,
         " | closed x0"},
        {"waits for configuration",
         {.known = SIM_KNOWS_ADDRESSES},
         100,
         "0 downstream_closed | closed x0",
         0,
         NULL},
        {"connecting", {.upstream = SIM_HANGS}, 100, "0 downstream_closed | closed", 0, NULL},
        {"sent", {.upstream = SIM_SILENT}, 100, "0 downstream_closed | closed", 0, NULL},
        {"sending",
         {.upstream = SIM_SILENT, .body_bytes = 500000},
         100,
         "0 downstream_closed | closed",
         0,
         NULL},
        {"backing off", {.upstream = SIM_REFUSES}, 0, "0 downstream_closed | closed", 0, NULL},
    };
    sim_mesh_init(&mesh);
    for (unsigned leg = 0; leg < SIM_LEGS; leg++) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            struct sim *sim = NEW(struct sim);
            struct sim_plan plan = rows[i].plan;
            struct sim_result result;
            char line[SIM_LINE];
            plan.leg = (enum sim_leg)leg;
            sim_open(sim, &plan, &mesh);
            sim_begin(sim);
            sim_wait_ms(sim, rows[i].wait_ms);
            assert_int_equal(sim->scope.live_connections, 1);
            sim_hang_up(sim);
            sim_wait_ms(sim, rows[i].noticed_ms);
            sim_end(sim, 0, &result);
            sim_line(&result, line);
            bool other = leg == SIM_H2_H2 && rows[i].wanted_http2 != NULL;
            if (strcmp(line, other ? rows[i].wanted_http2 : rows[i].wanted) != 0) {
                fail_msg("%s, %s: %s", leg_names[leg], rows[i].name, line);
            }
            if (sim->scope.live_requests + sim->scope.live_connections > 0) {
                fail_msg("%s, %s: %u and %u live on", leg_names[leg], rows[i].name,
                         sim->scope.live_requests, sim->scope.live_connections);
            }
            sim_close(sim);
            mem_free(sim);
        }
    }
    tls_mesh_done(&mesh);
}

static void a_client_may_reset_in_the_middle_of_the_answer(void **state)
{
    static const enum sim_leg legs[] = {SIM_H1_H1, SIM_H2_H2};
    static const size_t answered[] = {42, 80};
    for (size_t i = 0; i < 2; i++) {
        struct sim *sim = NEW(struct sim);
        const struct sim_plan plan = {.leg = legs[i],
                                      .far = {.stall = true, .stall_after = answered[i]}};
        struct sim_result result;
        char line[SIM_LINE];
        sim_open(sim, &plan, NULL);
        sim_begin(sim);
        sim_wait_ms(sim, 100);
        assert_int_equal(sim->scope.live_requests, 1);
        sim_hang_up(sim);
        sim_end(sim, 0, &result);
        sim_line(&result, line);
        assert_string_equal(line, "200 downstream_closed | cut");
        sim_close(sim);
        mem_free(sim);
    }
}

/* ---- Operators ------------------------------------------------------------------------------- */

enum event { ENDPOINT_LEAVES, DRAIN, CONNECTIONS_CUT };

/* The request is at its upstream, which answers when told; the event comes first. */
static void in_flight(enum sim_leg leg, enum event event, const char *wanted)
{
    struct sim *sim = NEW(struct sim);
    const struct sim_plan plan = {.leg = leg, .upstream = SIM_SILENT, .timeout_ms = 5000};
    struct sim_result result;
    char line[SIM_LINE];
    sim_open(sim, &plan, &mesh);
    sim_begin(sim);
    sim_go(sim);
    assert_int_equal(sim->scope.live_requests, 1);
    assert_int_equal(sim->cluster->requests, 1);
    if (event == ENDPOINT_LEAVES) {
        sim_apply(sim, 0);
        sim_wait_ms(sim, 1000);
        assert_int_equal(sim->cluster->rotation_count, 0);
    } else if (event == DRAIN) {
        front_drain_outbound(sim->front);
        sim_wait_ms(sim, 1000);
    } else {
        pool_close_all(pool_of(sim->cluster->endpoints[0]), FAILURE_UPSTREAM_CLOSED);
    }
    sim->plan.upstream = SIM_ANSWERS;
    sim_end(sim, 3000, &result);
    sim_line(&result, line);
    if (strcmp(line, wanted) != 0) {
        fail_msg("%s, event %d: %s", leg_names[leg], event, line);
    }
    sim_close(sim);
    mem_free(sim);
}

static void what_is_in_flight_ends_well_when_endpoints_leave_and_proxies_drain(void **state)
{
    sim_mesh_init(&mesh);
    for (unsigned leg = 0; leg < SIM_LEGS; leg++) {
        in_flight((enum sim_leg)leg, ENDPOINT_LEAVES, "200 none | 200");
        in_flight((enum sim_leg)leg, DRAIN, "200 none | 200");
        in_flight((enum sim_leg)leg, CONNECTIONS_CUT, "503 upstream_closed | 503");
    }
    tls_mesh_done(&mesh);
}

static void a_proxy_that_ends_leaves_nothing_behind(void **state)
{
    static const enum sim_upstream upstreams[] = {SIM_HANGS, SIM_SILENT, SIM_REFUSES, SIM_ANSWERS};
    sim_mesh_init(&mesh);
    for (unsigned leg = 0; leg < SIM_LEGS; leg++) {
        for (size_t i = 0; i < 4; i++) {
            struct sim *sim = NEW(struct sim);
            const struct sim_plan plan = {.leg = (enum sim_leg)leg, .upstream = upstreams[i]};
            sim_open(sim, &plan, &mesh);
            sim_begin(sim);
            sim_go(sim);
            LIST_EACH(&sim->front->conns, link)
            {
                client_conn_cut(CONTAINER_OF(link, struct client_conn, link));
            }
            loop_settle(sim->scope.loop);
            assert_int_equal(sim->scope.live_requests, 0);
            assert_int_equal(sim->scope.live_connections, 0);
            sim_close(sim);
            mem_free(sim);
        }
    }
    tls_mesh_done(&mesh);
}

/* ---- Configuration --------------------------------------------------------------------------- */

static void late_configuration_is_waited_for(void **state)
{
    static const struct {
        enum sim_known known;
        int64_t after_ms; /* 0 = never */
        const char *wanted;
        int64_t most_ms;
    } rows[] = {
        {SIM_KNOWS_NOTHING, 1000, "200 none | 200", 1000},
        {SIM_KNOWS_ADDRESSES, 1000, "200 none | 200", 1000},
        {SIM_KNOWS_ADDRESSES, 0, "503 config_timeout | 503 x0", 5000},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim *sim = NEW(struct sim);
        const struct sim_plan plan = {.known = rows[i].known};
        struct sim_result result;
        char line[SIM_LINE];
        sim_open(sim, &plan, NULL);
        sim_begin(sim);
        if (rows[i].after_ms > 0) {
            sim_wait_ms(sim, rows[i].after_ms);
            sim_apply(sim, 1);
        }
        sim_end(sim, 6000, &result);
        sim_line(&result, line);
        if (strcmp(line, rows[i].wanted) != 0 || result.took_ms > rows[i].most_ms) {
            fail_msg("row %zu: [%s] after %ld ms", i, line, (long)result.took_ms);
        }
        sim_close(sim);
        mem_free(sim);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(upstreams_do_as_they_like),
        cmocka_unit_test(each_try_has_its_own_time),
        cmocka_unit_test(what_an_upstream_may_say),
        cmocka_unit_test(a_head_of_an_upstream_beyond_the_limits_is_refused),
        cmocka_unit_test(pipelined_requests_are_answered_in_order_each_once),
        cmocka_unit_test(a_whole_answer_arrives_though_its_upstream_is_gone),
        cmocka_unit_test(a_client_may_reset_in_every_state),
        cmocka_unit_test(a_client_may_reset_in_the_middle_of_the_answer),
        cmocka_unit_test(what_is_in_flight_ends_well_when_endpoints_leave_and_proxies_drain),
        cmocka_unit_test(a_proxy_that_ends_leaves_nothing_behind),
        cmocka_unit_test(late_configuration_is_waited_for),
    };
    return TEST_MAIN(cases, argc, argv);
}
