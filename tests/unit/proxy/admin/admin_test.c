#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/http/http_client.h"
#include "proxy/admin/admin.h"
#include "proxy/observe/proxy_stats.h"

#include <jansson.h>

enum { QUESTIONS = 4 };

struct place {
    struct loop *loop;
    struct stats_registry *registry;
    struct admin *admin;
    struct admin_options options;
    bool ready;
    unsigned drained, quit, refreshed;
    struct admin_question *questions[QUESTIONS];
    size_t asked;
    bool answers_at_once;
    /* What the client heard. */
    bool done;
    uint16_t status;
    struct text body;
    struct text type;
};

static bool is_ready(void *owner, struct text *ret_why)
{
    struct place *place = owner;
    if (!place->ready) {
        text_add_text(ret_why, "no certificate yet");
    }
    return place->ready;
}

static void before_stats(void *owner)
{
    ((struct place *)owner)->refreshed++;
}

static void config_dump(void *owner, struct text *json)
{
    text_add_text(json, "{\"resources\":[]}");
}

static void certs(void *owner, struct text *json)
{
    text_add_text(json, "{\"state\":\"none\"}");
}

static void drain(void *owner)
{
    ((struct place *)owner)->drained++;
}

static void quit(void *owner)
{
    ((struct place *)owner)->quit++;
}

static void answer(struct place *place, size_t which, const char *json)
{
    struct text text = {0};
    text_add_text(&text, json != NULL ? json : "");
    struct admin_question *question = place->questions[which];
    place->questions[which] = NULL;
    admin_answer(question, json != NULL ? &text : NULL);
    text_done(&text);
}

static void ask_worker(void *owner, uint32_t index, struct admin_question *question)
{
    struct place *place = owner;
    assert_true(place->asked < QUESTIONS);
    place->questions[place->asked++] = question;
    if (place->answers_at_once) {
        answer(place, place->asked - 1, "[]");
    }
}

static const struct admin_process process = {is_ready, before_stats, config_dump, certs,
                                             drain,    quit,         ask_worker};

static void place_init(struct place *place)
{
    char reason[160] = "";
    *place = (struct place){.ready = true};
    log_set_level(LOG_LEVEL_OFF);
    place->loop = loop_create();
    place->registry = stats_registry_create(proxy_stats, PROXY_STAT_COUNT, 1, 0);
    place->options.workers = 2;
    place->options.version = "9.9";
    address_parse(SPAN("127.0.0.1:0"), &place->options.metrics_at);
    address_parse(SPAN("127.0.0.1:0"), &place->options.health_at);
    address_parse(SPAN("127.0.0.1:0"), &place->options.admin_at);
    place->admin = admin_create(place->loop, &place->options, place->registry, &process, place,
                                reason, sizeof(reason));
    assert_string_equal(reason, "");
    assert_non_null(place->admin);
}

static void admin_again(struct place *place)
{
    char reason[160];
    admin_destroy(place->admin);
    loop_turn(place->loop);
    place->admin = admin_create(place->loop, &place->options, place->registry, &process, place,
                                reason, sizeof(reason));
    assert_non_null(place->admin);
}

static void place_done(struct place *place)
{
    admin_destroy(place->admin);
    loop_turn(place->loop);
    loop_turn(place->loop);
    text_done(&place->body);
    text_done(&place->type);
    stats_registry_destroy(place->registry);
    loop_destroy(place->loop);
    log_set_level(LOG_LEVEL_OFF);
}

static void on_done(void *owner, const struct http_result *result)
{
    struct place *place = owner;
    place->done = true;
    if (result->failure == FAILURE_NONE) {
        place->status = result->head->status;
        text_add(&place->body, result->body);
        text_add(&place->type, headers_value(&result->head->headers, HEADER_CONTENT_TYPE));
    }
}

static bool is_done(void *owner)
{
    return ((struct place *)owner)->done;
}

static struct http_call *call_start(struct place *place, enum admin_server server,
                                    const char *method, const char *path,
                                    const struct headers *fields, const char *authority)
{
    struct http_call_options options = {
        .to = *admin_address(place->admin, server),
        .method = span_of(method),
        .authority = span_of(authority),
        .path = span_of(path),
        .fields = fields,
        .timeout_ms = 10000,
    };
    place->done = false;
    place->status = 0;
    text_clear(&place->body);
    text_clear(&place->type);
    return http_call_start(place->loop, &options, on_done, place);
}

static uint16_t ask(struct place *place, enum admin_server server, const char *method,
                    const char *path)
{
    call_start(place, server, method, path, NULL, "127.0.0.1");
    assert_true(loop_run_until(place->loop, is_done, place, 10000));
    return place->status;
}

static uint16_t ask_with(struct place *place, const char *method, const char *path,
                         const char *name, const char *value, const char *authority)
{
    struct arena arena = {0};
    struct headers fields;
    headers_init(&fields, &arena);
    if (name != NULL) {
        headers_add(&fields, span_of(name), span_of(value));
    }
    call_start(place, ADMIN_LOOPBACK, method, path, &fields, authority);
    assert_true(loop_run_until(place->loop, is_done, place, 10000));
    arena_done(&arena);
    return place->status;
}

static bool has_asked(void *owner)
{
    struct place *place = owner;
    return place->asked > 0 || place->done;
}

static void each_server_has_its_own_pages(void **state)
{
    (void)state;
    static const struct {
        enum admin_server server;
        const char *method, *path;
        uint16_t status;
        const char *part;
    } cases[] = {
        {ADMIN_METRICS, "GET", "/metrics", 200, ""},
        {ADMIN_METRICS, "GET", "/healthz", 200, "live"},
        {ADMIN_METRICS, "GET", "/config_dump", 404, ""},
        {ADMIN_METRICS, "GET", "/", 404, ""},
        {ADMIN_METRICS, "POST", "/drain", 404, ""},
        {ADMIN_HEALTH, "GET", "/healthz/ready", 200, "ready"},
        {ADMIN_HEALTH, "GET", "/ready", 200, "ready"},
        {ADMIN_HEALTH, "GET", "/healthz/live", 200, "live"},
        {ADMIN_HEALTH, "GET", "/live", 200, "live"},
        {ADMIN_HEALTH, "GET", "/certs", 404, ""},
        {ADMIN_HEALTH, "POST", "/quitquitquit", 404, ""},
        {ADMIN_LOOPBACK, "GET", "/", 200, "remora-proxy 9.9"},
        {ADMIN_LOOPBACK, "GET", "/", 200, "/quitquitquit"},
        {ADMIN_LOOPBACK, "GET", "/ready", 200, "ready"},
        {ADMIN_LOOPBACK, "GET", "/live", 200, "live"},
        {ADMIN_LOOPBACK, "GET", "/metrics", 200, ""},
        {ADMIN_LOOPBACK, "GET", "/stats?prefix=remora_tls", 200, ""},
        {ADMIN_LOOPBACK, "GET", "/config_dump", 200, "resources"},
        {ADMIN_LOOPBACK, "GET", "/certs", 200, "none"},
        {ADMIN_LOOPBACK, "GET", "/memory", 200, "resident_bytes"},
        {ADMIN_LOOPBACK, "GET", "/explain", 400, "url"},
        {ADMIN_LOOPBACK, "GET", "/explain?url=ftp://x/", 400, "http://"},
        {ADMIN_LOOPBACK, "GET", "/explain?to=api", 400, "port"},
        {ADMIN_LOOPBACK, "GET", "/nothing", 404, "/ lists them"},
        {ADMIN_LOOPBACK, "DELETE", "/certs", 405, ""},
        {ADMIN_LOOPBACK, "POST", "/certs", 405, "GET"},
        {ADMIN_LOOPBACK, "GET", "/drain", 405, "POST"},
        {ADMIN_LOOPBACK, "GET", "/quitquitquit", 405, "POST"},
        {ADMIN_LOOPBACK, "POST", "/quitquitquit", 403, "not allowed"},
    };
    struct place place;
    place_init(&place);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint16_t status = ask(&place, cases[i].server, cases[i].method, cases[i].path);
        if (status != cases[i].status || strstr(place.body.bytes, cases[i].part) == NULL) {
            fail_msg("%s %s: %u %s", cases[i].method, cases[i].path, status, place.body.bytes);
        }
    }
    assert_int_equal(place.quit, 0);
    assert_int_equal(place.drained, 0);
    assert_int_equal(place.refreshed, 3);
    place_done(&place);
}

static void readiness_says_why_not(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    place.ready = false;
    assert_int_equal(ask(&place, ADMIN_HEALTH, "GET", "/healthz/ready"), 503);
    assert_string_equal(place.body.bytes, "no certificate yet\n");
    assert_int_equal(ask(&place, ADMIN_HEALTH, "GET", "/healthz/live"), 200);
    place_done(&place);
}

static void changes_are_made_by_post(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    assert_int_equal(ask(&place, ADMIN_LOOPBACK, "POST", "/drain"), 200);
    assert_int_equal(place.drained, 1);
    assert_int_equal(ask(&place, ADMIN_LOOPBACK, "POST", "/log_level?level=error"), 200);
    assert_int_equal(log_get_level(), LOG_LEVEL_ERROR);
    assert_int_equal(ask(&place, ADMIN_LOOPBACK, "POST", "/log_level?level=loud"), 400);
    assert_int_equal(ask(&place, ADMIN_LOOPBACK, "POST", "/log_level"), 400);
    assert_int_equal(ask(&place, ADMIN_LOOPBACK, "GET", "/log_level?level=debug"), 200);
    assert_string_equal(place.body.bytes, "error\n");
    assert_int_equal(log_get_level(), LOG_LEVEL_ERROR);
    place.options.quit_allowed = true;
    admin_again(&place);
    assert_int_equal(ask(&place, ADMIN_LOOPBACK, "POST", "/quitquitquit"), 200);
    assert_int_equal(place.quit, 1);
    place_done(&place);
}

static void changes_need_the_token_where_there_is_one(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        uint16_t status;
    } cases[] = {{NULL, 401},
                 {"secret", 401},
                 {"Bearer secre", 401},
                 {"Bearer secreT", 401},
                 {"Bearer secret2", 401},
                 {"Bearer secret", 200}};
    struct place place;
    place_init(&place);
    place.options.token = SPAN("secret");
    admin_again(&place);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *name = cases[i].value != NULL ? "authorization" : NULL;
        assert_int_equal(ask_with(&place, "POST", "/drain", name, cases[i].value, "127.0.0.1"),
                         cases[i].status);
        assert_int_equal(place.drained, cases[i].status == 200);
    }
    assert_int_equal(ask(&place, ADMIN_LOOPBACK, "GET", "/certs"), 200);
    place_done(&place);
}

static void pages_of_a_browser_are_kept_out(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *authority;
        uint16_t status;
    } cases[] = {
        {NULL, NULL, "127.0.0.1", 200},
        {NULL, NULL, "localhost:15000", 200},
        {NULL, NULL, "[::1]:15000", 200},
        {NULL, NULL, "evil.example", 403},
        {NULL, NULL, "127.0.0.1.evil.example:15000", 403},
        {"origin", "http://evil.example", "127.0.0.1", 403},
        {"sec-fetch-site", "cross-site", "127.0.0.1", 403},
        {"sec-fetch-site", "none", "127.0.0.1", 200},
    };
    struct place place;
    place_init(&place);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint16_t status =
            ask_with(&place, "GET", "/certs", cases[i].name, cases[i].value, cases[i].authority);
        assert_int_equal(status, cases[i].status);
    }
    place_done(&place);
}

static void workers_answer_later_and_together(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    call_start(&place, ADMIN_LOOPBACK, "GET", "/clusters", NULL, "127.0.0.1");
    assert_true(loop_run_until(place.loop, has_asked, &place, 10000));
    assert_int_equal(place.asked, 2);
    answer(&place, 1, "[\"second\"]");
    loop_turn(place.loop);
    assert_false(place.done);
    answer(&place, 0, "[\"first\"]");
    assert_true(loop_run_until(place.loop, is_done, &place, 10000));
    assert_int_equal(place.status, 200);
    assert_string_equal(place.body.bytes, "{\"workers\":[[\"first\"],[\"second\"]]}\n");
    assert_string_equal(place.type.bytes, "application/json");
    place_done(&place);
}

static void workers_may_answer_at_once_or_be_gone(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    place.answers_at_once = true;
    assert_int_equal(ask(&place, ADMIN_LOOPBACK, "GET", "/recorder"), 200);
    assert_string_equal(place.body.bytes, "{\"workers\":[[],[]]}\n");
    place.answers_at_once = false;
    place.asked = 0;
    call_start(&place, ADMIN_LOOPBACK, "GET", "/explain?to=api.shop:80", NULL, "127.0.0.1");
    assert_true(loop_run_until(place.loop, has_asked, &place, 10000));
    assert_int_equal(place.asked, 1);
    answer(&place, 0, NULL);
    assert_true(loop_run_until(place.loop, is_done, &place, 10000));
    assert_int_equal(place.status, 503);
    place_done(&place);
}

static void a_worker_that_hangs_ends_the_wait_but_not_the_question(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    assert_int_equal(ask(&place, ADMIN_LOOPBACK, "GET", "/clusters"), 504);
    assert_int_equal(place.asked, 2);
    answer(&place, 0, "[]");
    answer(&place, 1, "[]");
    place_done(&place);
}

static bool time_passed(void *owner)
{
    return false;
}

static void a_client_or_server_that_leaves_first_does_no_harm(void **state)
{
    (void)state;
    for (int server_leaves = 0; server_leaves < 2; server_leaves++) {
        struct place place;
        place_init(&place);
        struct http_call *call =
            call_start(&place, ADMIN_LOOPBACK, "GET", "/clusters", NULL, "127.0.0.1");
        assert_true(loop_run_until(place.loop, has_asked, &place, 10000));
        if (server_leaves) {
            admin_destroy(place.admin);
            place.admin = NULL;
            assert_true(loop_run_until(place.loop, is_done, &place, 10000));
        } else {
            http_call_cancel(call);
            (void)loop_run_until(place.loop, time_passed, &place, 50);
        }
        answer(&place, 0, "[]");
        answer(&place, 1, "[]");
        place_done(&place);
    }
}

static void admin_is_only_for_loopback(void **state)
{
    (void)state;
    struct place place;
    char reason[160] = "";
    place_init(&place);
    address_parse(SPAN("0.0.0.0:0"), &place.options.admin_at);
    assert_null(admin_create(place.loop, &place.options, place.registry, &process, &place, reason,
                             sizeof(reason)));
    assert_non_null(strstr(reason, "loopback"));
    place.options.admin_at = (struct address){0};
    place.options.metrics_at = *admin_address(place.admin, ADMIN_METRICS);
    assert_null(admin_create(place.loop, &place.options, place.registry, &process, &place, reason,
                             sizeof(reason)));
    assert_non_null(strstr(reason, "cannot listen"));
    place_done(&place);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(each_server_has_its_own_pages),
        cmocka_unit_test(readiness_says_why_not),
        cmocka_unit_test(changes_are_made_by_post),
        cmocka_unit_test(changes_need_the_token_where_there_is_one),
        cmocka_unit_test(pages_of_a_browser_are_kept_out),
        cmocka_unit_test(workers_answer_later_and_together),
        cmocka_unit_test(workers_may_answer_at_once_or_be_gone),
        cmocka_unit_test(a_worker_that_hangs_ends_the_wait_but_not_the_question),
        cmocka_unit_test(a_client_or_server_that_leaves_first_does_no_harm),
        cmocka_unit_test(admin_is_only_for_loopback),
    };
    return TEST_MAIN(cases, argc, argv);
}
