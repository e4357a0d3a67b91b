#include "tests/unit/test_main.h"

#include "tests/sim/sim.h"

/*
 * A connection that breaks or stalls at every byte. A row names the leg's side that misbehaves and
 * all outcomes in the order in which they appear as that byte moves from the first to behind the
 * last: no other outcome, and none of them out of order, may come at any byte. What must hold after
 * each run is checked by sim_close.
 *
 * What clients lose of an answer that was handed over whole is not in the record: its last bytes
 * leave after it is closed. A long answer, whose end was not yet handed over, says so.
 */
enum side { CLIENT, FRONT, NEAR, FAR };
enum break_kind { ENDS, RESETS, WRITE_FAILS, STALLS };

enum { PHASES = 4 };

struct row {
    enum side side;
    enum break_kind kind;
    const char *phases[PHASES];
};

static const char *const side_names[] = {"client", "front", "near", "far"};
static const char *const kind_names[] = {"ends", "resets", "write fails", "stalls"};
static struct tls_mesh mesh;

#define ANSWERED "200 none | 200"
#define CLIENT_GONE "0 downstream_closed | closed"
#define NEVER_ASKED " | closed x0"
#define TOO_SLOW " | 408 x0"
#define OUT_OF_TIME "504 request_timeout | 504"
#define OUT_OF_TIME_LATE "200 request_timeout | cut"
#define UNSENT "503 upstream_unsent | 503 x3"
#define LOST "503 upstream_closed | 503"
#define LOST_LATE "200 upstream_closed | cut"
#define NO_HANDSHAKE "503 tls_handshake | 503 x3"

/* Handed over, and lost behind us: nothing of it arrives, a part, or (with its last byte) all. */
#define TO_THE_CLIENT(kind)                                                                        \
    {                                                                                              \
        FRONT, kind,                                                                               \
        {                                                                                          \
            "200 none | closed", "200 none | cut", ANSWERED                                        \
        }                                                                                          \
    }

static void set_break(struct sim_plan *plan, const struct row *row, size_t at)
{
    struct pipe_options *const sides[] = {&plan->client, &plan->front, &plan->near, &plan->far};
    static const enum pipe_fault faults[] = {PIPE_FAULT_END, PIPE_FAULT_RESET, PIPE_FAULT_WRITE};
    struct pipe_options *side = sides[row->side];
    if (row->kind == STALLS) {
        side->stall = true;
        side->stall_after = at;
    } else {
        side->fault = faults[row->kind];
        side->fault_at = at;
    }
}

/* Bytes from `from` on, until the outcome has been the last of the row for a while. */
static void try_row(const struct sim_plan *base, const struct row *row, size_t most, size_t step)
{
    size_t phase = 0;
    char line[SIM_LINE] = "";
    for (size_t at = 0; at <= most; at += step) {
        struct sim_plan plan = *base;
        struct sim_result result;
        set_break(&plan, row, at);
        sim_run(&plan, &mesh, SIM_SHORT_MS, &result);
        sim_line(&result, line);
        while (phase < PHASES && row->phases[phase] != NULL &&
               strcmp(row->phases[phase], line) != 0) {
            /* A phase that no byte was in would be a case that cannot fail. */
            if (at == 0 || phase + 1 == PHASES || row->phases[phase + 1] == NULL ||
                strcmp(row->phases[phase + 1], line) != 0) {
                fail_msg("%s %s at byte %zu: %s", side_names[row->side], kind_names[row->kind], at,
                         line);
            }
            phase++;
        }
        if (result.took_ms >= SIM_SHORT_MS) {
            fail_msg("%s %s at byte %zu does not end", side_names[row->side], kind_names[row->kind],
                     at);
        }
    }
    if (phase + 1 < PHASES && row->phases[phase + 1] != NULL) {
        fail_msg("%s %s: never %s", side_names[row->side], kind_names[row->kind],
                 row->phases[phase + 1]);
    }
}

#define TRY(plan, rows, most, step)                                                                \
    for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++) {                                \
        try_row(plan, &(rows)[i], most, step);                                                     \
    }

/* In front of an HTTP/1 client it is the same whatever is behind. */
static const struct row get_http1_front[] = {
    {CLIENT, ENDS, {NEVER_ASKED, CLIENT_GONE, ANSWERED}},
    {CLIENT, RESETS, {NEVER_ASKED, CLIENT_GONE, ANSWERED}},
    {CLIENT, WRITE_FAILS, {NEVER_ASKED, TOO_SLOW, ANSWERED}},
    {CLIENT, STALLS, {NEVER_ASKED, TOO_SLOW, ANSWERED}},
    TO_THE_CLIENT(ENDS),
    TO_THE_CLIENT(RESETS),
    TO_THE_CLIENT(WRITE_FAILS),
    TO_THE_CLIENT(STALLS),
};

static const struct row post_http1_front[] = {
    {CLIENT, ENDS, {NEVER_ASKED, CLIENT_GONE, ANSWERED}},
    {CLIENT, RESETS, {NEVER_ASKED, CLIENT_GONE, ANSWERED}},
    {CLIENT, WRITE_FAILS, {NEVER_ASKED, TOO_SLOW, OUT_OF_TIME, ANSWERED}},
    {CLIENT, STALLS, {NEVER_ASKED, TOO_SLOW, OUT_OF_TIME, ANSWERED}},
    TO_THE_CLIENT(ENDS),
    TO_THE_CLIENT(RESETS),
    TO_THE_CLIENT(STALLS),
};

static const struct row plain_back[] = {
    {NEAR, ENDS, {UNSENT, LOST, ANSWERED}},
    {NEAR, RESETS, {UNSENT, LOST, ANSWERED}},
    {NEAR, WRITE_FAILS, {UNSENT, LOST, ANSWERED}},
    {NEAR, STALLS, {OUT_OF_TIME, ANSWERED}},
    {FAR, STALLS, {OUT_OF_TIME, OUT_OF_TIME_LATE, ANSWERED}},
};

static const struct row http1_far[] = {
    {FAR, ENDS, {LOST, LOST_LATE, ANSWERED}},
    {FAR, RESETS, {LOST, LOST_LATE, ANSWERED}},
    {FAR, WRITE_FAILS, {OUT_OF_TIME, OUT_OF_TIME_LATE, ANSWERED}},
};

/* A server of HTTP/2 writes first: where that fails nothing was sent to it. */
static const struct row http2_far[] = {
    {FAR, ENDS, {UNSENT, LOST, LOST_LATE, ANSWERED}},
    {FAR, RESETS, {UNSENT, LOST, LOST_LATE, ANSWERED}},
    {FAR, WRITE_FAILS, {UNSENT, LOST, LOST_LATE, ANSWERED}},
};

/* Records of TLS come whole or not at all, so there is no cut answer. */
static const struct row mesh_back[] = {
    {NEAR, ENDS, {NO_HANDSHAKE, LOST, ANSWERED}},  {NEAR, RESETS, {NO_HANDSHAKE, LOST, ANSWERED}},
    {NEAR, STALLS, {OUT_OF_TIME, ANSWERED}},       {FAR, ENDS, {NO_HANDSHAKE, LOST, ANSWERED}},
    {FAR, RESETS, {NO_HANDSHAKE, LOST, ANSWERED}}, {FAR, STALLS, {OUT_OF_TIME, ANSWERED}},
};

static const struct row get_http2_front[] = {
    {CLIENT, ENDS, {NEVER_ASKED, CLIENT_GONE, ANSWERED}},
    {CLIENT, RESETS, {NEVER_ASKED, CLIENT_GONE, ANSWERED}},
    {CLIENT, WRITE_FAILS, {NEVER_ASKED, ANSWERED}},
    {CLIENT, STALLS, {NEVER_ASKED, ANSWERED}},
    {FRONT, ENDS, {NEVER_ASKED, "200 none | closed", "200 none | cut", ANSWERED}},
    {FRONT, RESETS, {NEVER_ASKED, "200 none | closed", "200 none | cut", ANSWERED}},
    {FRONT, WRITE_FAILS, {NEVER_ASKED, "200 none | closed", "200 none | cut", ANSWERED}},
    TO_THE_CLIENT(STALLS),
};

static const struct row post_http2_front[] = {
    {CLIENT, ENDS, {NEVER_ASKED, CLIENT_GONE, ANSWERED}},
    {CLIENT, RESETS, {NEVER_ASKED, CLIENT_GONE, ANSWERED}},
    {CLIENT, WRITE_FAILS, {NEVER_ASKED, CLIENT_GONE, ANSWERED}},
    {CLIENT, STALLS, {NEVER_ASKED, OUT_OF_TIME, ANSWERED}},
};

enum { PLAIN_BYTES = 200, MESH_BYTES = 4500, MESH_STEP = 61 };

static struct sim_plan get_of(enum sim_leg leg)
{
    return (struct sim_plan){.leg = leg, .timeout_ms = 5000};
}

static struct sim_plan post_of(enum sim_leg leg)
{
    struct sim_plan plan = get_of(leg);
    plan.request = "POST / HTTP/1.1\r\nhost: api\r\ncontent-length: 5\r\n\r\nhello";
    plan.until = "hello";
    plan.body_bytes = 5;
    return plan;
}

static void a_get_of_http1_cut_at_every_byte(void **state)
{
    struct sim_plan plan = get_of(SIM_H1_H1);
    TRY(&plan, get_http1_front, PLAIN_BYTES, 1);
    TRY(&plan, plain_back, PLAIN_BYTES, 1);
    TRY(&plan, http1_far, PLAIN_BYTES, 1);
}

static void a_post_of_http1_cut_at_every_byte(void **state)
{
    struct sim_plan plan = post_of(SIM_H1_H1);
    TRY(&plan, post_http1_front, PLAIN_BYTES, 1);
    TRY(&plan, plain_back, PLAIN_BYTES, 1);
    TRY(&plan, http1_far, PLAIN_BYTES, 1);
}

static void a_chunked_post_cut_at_every_byte(void **state)
{
    struct sim_plan plan = get_of(SIM_H1_H1);
    plan.request = "POST / HTTP/1.1\r\nhost: api\r\ntransfer-encoding: chunked\r\n\r\n"
                   "5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n";
    plan.until = "x-sum: 1\r\n\r\n";
    plan.response = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
                    "5\r\nworld\r\n0\r\nx-end: 1\r\n\r\n";
    TRY(&plan, post_http1_front, PLAIN_BYTES, 1);
    TRY(&plan, plain_back, PLAIN_BYTES, 1);
    TRY(&plan, http1_far, PLAIN_BYTES, 1);
}

static void a_get_of_http1_to_a_sidecar_cut_at_its_bytes(void **state)
{
    struct sim_plan plan = get_of(SIM_H1_MESH);
    sim_mesh_init(&mesh);
    TRY(&plan, get_http1_front, PLAIN_BYTES, 1);
    TRY(&plan, mesh_back, MESH_BYTES, MESH_STEP);
    tls_mesh_done(&mesh);
}

static void a_post_of_http1_to_a_sidecar_cut_at_its_bytes(void **state)
{
    struct sim_plan plan = post_of(SIM_H1_MESH);
    sim_mesh_init(&mesh);
    TRY(&plan, post_http1_front, PLAIN_BYTES, 1);
    TRY(&plan, mesh_back, MESH_BYTES, MESH_STEP);
    tls_mesh_done(&mesh);
}

static void a_get_of_http2_cut_at_every_byte(void **state)
{
    struct sim_plan plan = get_of(SIM_H2_H2);
    TRY(&plan, get_http2_front, PLAIN_BYTES, 1);
    TRY(&plan, plain_back, PLAIN_BYTES, 1);
    TRY(&plan, http2_far, PLAIN_BYTES, 1);
}

static void a_post_of_http2_cut_at_every_byte(void **state)
{
    struct sim_plan plan = post_of(SIM_H2_H2);
    TRY(&plan, post_http2_front, PLAIN_BYTES, 1);
    TRY(&plan, plain_back, PLAIN_BYTES, 1);
    TRY(&plan, http2_far, PLAIN_BYTES, 1);
}

static void a_long_answer_that_is_cut_is_said_so(void **state)
{
    static char response[300100];
    size_t head = (size_t)sprintf(response, "HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n");
    memset(response + head, 'x', 300000);
    struct sim_plan plan = get_of(SIM_H1_H1);
    plan.response = response;
    static const struct row rows[] = {
        {FRONT, ENDS, {"200 downstream_closed | cut"}},
        {FRONT, RESETS, {"200 downstream_closed | cut"}},
        {FRONT, STALLS, {"200 request_timeout | cut"}},
        {FAR, ENDS, {"200 upstream_closed | cut"}},
        {FAR, STALLS, {"200 request_timeout | cut"}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sim_plan cut = plan;
        struct sim_result result;
        char line[SIM_LINE];
        set_break(&cut, &rows[i], 100000);
        sim_run(&cut, NULL, SIM_SHORT_MS, &result);
        sim_line(&result, line);
        assert_string_equal(line, rows[i].phases[0]);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_get_of_http1_cut_at_every_byte),
        cmocka_unit_test(a_post_of_http1_cut_at_every_byte),
        cmocka_unit_test(a_chunked_post_cut_at_every_byte),
        cmocka_unit_test(a_get_of_http1_to_a_sidecar_cut_at_its_bytes),
        cmocka_unit_test(a_post_of_http1_to_a_sidecar_cut_at_its_bytes),
        cmocka_unit_test(a_get_of_http2_cut_at_every_byte),
        cmocka_unit_test(a_post_of_http2_cut_at_every_byte),
        cmocka_unit_test(a_long_answer_that_is_cut_is_said_so),
    };
    return TEST_MAIN(cases, argc, argv);
}
