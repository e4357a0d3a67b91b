#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/http/http_client.h"
#include "lib/http/http_server.h"
#include "tests/fakes/pipe_transport.h"

struct place {
    struct loop *loop;
    struct http_server *server;
    struct http_exchange *waiting; /* asked for /later */
    size_t gone;
    /* What the client heard. */
    bool done;
    enum failure failure;
    uint16_t status;
    struct text body;
    struct text type;
};

static void on_request(void *owner, struct http_exchange *exchange,
                       const struct http_request *request)
{
    struct place *place = owner;
    struct span path = request->head->path;
    if (span_equal(path, SPAN("/later"))) {
        place->waiting = exchange;
    } else if (span_equal(path, SPAN("/large"))) {
        struct text page = {0};
        for (int i = 0; i < 100000; i++) {
            text_printf(&page, "%d\n", i);
        }
        http_exchange_reply(exchange, 200, "text/plain", text_span(&page));
        text_done(&page);
    } else if (span_equal(path, SPAN("/echo"))) {
        http_exchange_reply(exchange, 200, "text/plain", request->body);
    } else {
        http_exchange_reply(exchange, 404, NULL, SPAN_EMPTY);
    }
}

static void on_gone(void *owner, struct http_exchange *exchange)
{
    struct place *place = owner;
    assert_ptr_equal(exchange, place->waiting);
    place->waiting = NULL;
    place->gone++;
}

static const struct http_server_events events = {.on_request = on_request, .on_gone = on_gone};

static void on_done(void *owner, const struct http_result *result)
{
    struct place *place = owner;
    assert_false(place->done);
    place->done = true;
    place->failure = result->failure;
    if (result->failure == FAILURE_NONE) {
        place->status = result->head->status;
        text_add(&place->body, result->body);
        text_add(&place->type, headers_value(&result->head->headers, HEADER_CONTENT_TYPE));
    }
}

static void place_open(struct place *place)
{
    *place = (struct place){0};
    place->loop = loop_create_simulated(NS_PER_S);
    struct http_server_options options = {.body_limit = 1000, .connections = 2};
    int error;
    place->server = http_server_open(place->loop, &options, &events, place, &error);
    assert_non_null(place->server);
}

static void place_done(struct place *place)
{
    http_server_close(place->server);
    loop_advance(place->loop, 10 * NS_PER_S);
    text_done(&place->body);
    text_done(&place->type);
    loop_destroy(place->loop);
}

static struct http_call *call(struct place *place, enum http_codec codec, const char *method,
                              const char *path, struct span body)
{
    struct transport *client;
    struct transport *served;
    pipe_transports(place->loop, NULL, NULL, &client, &served);
    place->done = false;
    text_clear(&place->body);
    text_clear(&place->type);
    http_server_adopt(place->server, served);
    struct http_call_options options = {
        .codec = codec,
        .method = span_of(method),
        .authority = SPAN("admin.test"),
        .path = span_of(path),
        .body = body,
        .timeout_ms = 5000,
    };
    return http_call_over(client, &options, on_done, place);
}

static void both_codecs_are_found_and_served(void **state)
{
    struct place place;
    place_open(&place);
    for (enum http_codec codec = HTTP_CODEC_1; codec <= HTTP_CODEC_2; codec++) {
        call(&place, codec, "POST", "/echo", SPAN("hello"));
        loop_advance(place.loop, NS_PER_MS);
        assert_true(place.done);
        assert_int_equal(place.failure, FAILURE_NONE);
        assert_int_equal(place.status, 200);
        assert_string_equal(place.body.bytes, "hello");
        assert_string_equal(place.type.bytes, "text/plain");
        loop_advance(place.loop, NS_PER_MS);
        assert_int_equal(http_server_connections(place.server), 0);
    }
    place_done(&place);
}

static void a_page_larger_than_a_window_comes_whole(void **state)
{
    struct place place;
    place_open(&place);
    for (enum http_codec codec = HTTP_CODEC_1; codec <= HTTP_CODEC_2; codec++) {
        call(&place, codec, "GET", "/large", SPAN_EMPTY);
        for (int i = 0; i < 1000 && !place.done; i++) {
            loop_advance(place.loop, NS_PER_MS / 10);
        }
        assert_true(place.done);
        assert_int_equal(place.status, 200);
        assert_int_equal(place.body.length, 588890);
    }
    place_done(&place);
}

static void a_head_request_gets_no_body(void **state)
{
    struct place place;
    place_open(&place);
    for (enum http_codec codec = HTTP_CODEC_1; codec <= HTTP_CODEC_2; codec++) {
        call(&place, codec, "HEAD", "/large", SPAN_EMPTY);
        loop_advance(place.loop, NS_PER_MS);
        assert_true(place.done);
        assert_int_equal(place.status, 200);
        assert_int_equal(place.body.length, 0);
    }
    place_done(&place);
}

static void a_body_beyond_the_limit_is_refused(void **state)
{
    static char large[2000];
    struct place place;
    place_open(&place);
    for (enum http_codec codec = HTTP_CODEC_1; codec <= HTTP_CODEC_2; codec++) {
        call(&place, codec, "POST", "/echo", span_make(large, sizeof(large)));
        loop_advance(place.loop, NS_PER_MS);
        assert_true(place.done);
        assert_int_equal(place.status, 413);
        loop_advance(place.loop, 10 * NS_PER_S);
    }
    place_done(&place);
}

static void an_answer_may_come_later(void **state)
{
    struct place place;
    place_open(&place);
    for (enum http_codec codec = HTTP_CODEC_1; codec <= HTTP_CODEC_2; codec++) {
        call(&place, codec, "GET", "/later", SPAN_EMPTY);
        loop_advance(place.loop, NS_PER_S);
        assert_false(place.done);
        http_exchange_reply(place.waiting, 200, "text/plain", SPAN("now"));
        loop_advance(place.loop, NS_PER_MS);
        assert_true(place.done);
        assert_string_equal(place.body.bytes, "now");
    }
    place_done(&place);
}

static void a_client_that_leaves_is_told(void **state)
{
    struct place place;
    place_open(&place);
    for (enum http_codec codec = HTTP_CODEC_1; codec <= HTTP_CODEC_2; codec++) {
        struct http_call *asked = call(&place, codec, "GET", "/later", SPAN_EMPTY);
        loop_advance(place.loop, NS_PER_MS);
        assert_non_null(place.waiting);
        http_call_cancel(asked);
        loop_advance(place.loop, NS_PER_MS);
        assert_false(place.done);
        assert_null(place.waiting);
    }
    assert_int_equal(place.gone, 2);
    place_done(&place);
}

static void a_call_ends_at_its_deadline(void **state)
{
    struct place place;
    place_open(&place);
    for (enum http_codec codec = HTTP_CODEC_1; codec <= HTTP_CODEC_2; codec++) {
        call(&place, codec, "GET", "/later", SPAN_EMPTY);
        loop_advance(place.loop, 4900 * NS_PER_MS);
        assert_false(place.done);
        loop_advance(place.loop, 200 * NS_PER_MS);
        assert_true(place.done);
        assert_int_equal(place.failure, FAILURE_REQUEST_TIMEOUT);
    }
    place_done(&place);
}

static void connections_beyond_the_limit_are_closed(void **state)
{
    struct place place;
    place_open(&place);
    struct transport *clients[3];
    struct transport *served;
    for (int i = 0; i < 3; i++) {
        pipe_transports(place.loop, NULL, NULL, &clients[i], &served);
        http_server_adopt(place.server, served);
    }
    assert_int_equal(http_server_connections(place.server), 2);
    assert_int_equal(pipe_other_end(clients[2]), PIPE_ABORTED);
    /* And those that say nothing go after a while. */
    loop_advance(place.loop, 11 * NS_PER_S);
    assert_int_equal(http_server_connections(place.server), 0);
    for (int i = 0; i < 3; i++) {
        transport_abort(clients[i]);
    }
    loop_advance(place.loop, NS_PER_MS);
    place_done(&place);
}

static void a_closed_server_calls_nobody(void **state)
{
    struct place place;
    place_open(&place);
    call(&place, HTTP_CODEC_2, "GET", "/later", SPAN_EMPTY);
    loop_advance(place.loop, NS_PER_MS);
    http_server_close(place.server);
    place.server = NULL;
    loop_advance(place.loop, NS_PER_S);
    assert_int_equal(place.gone, 0);
    assert_true(place.done);
    assert_int_not_equal(place.failure, FAILURE_NONE);
    place_done(&place);
}

static bool is_done(void *owner)
{
    return ((struct place *)owner)->done;
}

static void a_real_socket_is_served(void **state)
{
    struct place place = {.loop = loop_create()};
    struct http_server_options options = {0};
    int error;
    assert_true(address_parse(SPAN("127.0.0.1:0"), &options.at));
    place.server = http_server_open(place.loop, &options, &events, &place, &error);
    assert_non_null(place.server);
    for (enum http_codec codec = HTTP_CODEC_1; codec <= HTTP_CODEC_2; codec++) {
        place.done = false;
        struct http_call_options call_options = {
            .to = *http_server_address(place.server),
            .codec = codec,
            .authority = SPAN("a.test"),
            .path = SPAN("/none"),
            .timeout_ms = 5000,
        };
        http_call_start(place.loop, &call_options, on_done, &place);
        assert_true(loop_run_until(place.loop, is_done, &place, 10000));
        assert_int_equal(place.failure, FAILURE_NONE);
        assert_int_equal(place.status, 404);
    }
    http_server_close(place.server);
    for (int i = 0; i < 20; i++) {
        loop_turn(place.loop);
    }
    text_done(&place.body);
    text_done(&place.type);
    loop_destroy(place.loop);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(both_codecs_are_found_and_served),
        cmocka_unit_test(a_page_larger_than_a_window_comes_whole),
        cmocka_unit_test(a_head_request_gets_no_body),
        cmocka_unit_test(a_body_beyond_the_limit_is_refused),
        cmocka_unit_test(an_answer_may_come_later),
        cmocka_unit_test(a_client_that_leaves_is_told),
        cmocka_unit_test(a_call_ends_at_its_deadline),
        cmocka_unit_test(connections_beyond_the_limit_are_closed),
        cmocka_unit_test(a_closed_server_calls_nobody),
        cmocka_unit_test(a_real_socket_is_served),
    };
    return TEST_MAIN(cases, argc, argv);
}
