#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "lib/http/http2_session.h"
#include "tests/fakes/pipe_transport.h"
#include "tests/unit/lib/http/http2_rig.h"

/* What goes into the HPACK table of a client of ours, seen by its size. */
struct table {
    struct loop *loop;
    struct http_limits limits;
    struct side client;
    struct side server;
};

static void table_open(struct table *table)
{
    struct transport *ends[2];
    *table = (struct table){.loop = loop_create_simulated(NS_PER_S)};
    http_limits_default(&table->limits);
    pipe_transports(table->loop, NULL, NULL, &ends[0], &ends[1]);
    table->client.conn =
        http2_client_create(ends[0], &table->limits, true, &side_events, &table->client);
    table->server.conn =
        http2_server_create(ends[1], &table->limits, true, &side_events, &table->server);
    loop_advance(table->loop, 0);
}

static void table_close(struct table *table)
{
    http_conn_close(table->client.conn, FAILURE_NONE);
    loop_advance(table->loop, NS_PER_S);
    if (!table->server.closed) {
        http_conn_close(table->server.conn, FAILURE_NONE);
    }
    loop_advance(table->loop, NS_PER_S);
    side_done(&table->client);
    side_done(&table->server);
    loop_turn(table->loop);
    loop_destroy(table->loop);
}

/* Sends a request with one field, and returns the size of the table afterwards. */
static size_t ask(struct table *table, enum header_token token, const char *value)
{
    struct exchange *request = side_open(&table->client);
    struct http_head head = {.method = SPAN("GET"),
                             .method_token = HTTP_METHOD_GET,
                             .scheme = SPAN("http"),
                             .authority = SPAN("api"),
                             .path = SPAN("/"),
                             .version = 20,
                             .content_length = -1};
    headers_init(&head.headers, &request->arena);
    headers_add_token(&head.headers, token, span_of(value));
    http_stream_send_head(request->stream, &head, true);
    loop_advance(table->loop, 0);
    struct exchange *served = table->server.exchanges[table->server.count - 1];
    assert_true(span_equal(headers_value(&served->heads[0]->headers, token), span_of(value)));
    struct http2_conn *conn = (struct http2_conn *)(void *)table->client.conn;
    return nghttp2_session_get_hd_deflate_dynamic_table_size(conn->session);
}

static void of_ids_only_the_name_is_kept(void **state)
{
    struct table table;
    table_open(&table);
    size_t first = ask(&table, HEADER_X_REQUEST_ID, "00000000-0000-4000-8000-000000000001");
    assert_true(first > 0);
    assert_int_equal(ask(&table, HEADER_X_REQUEST_ID, "00000000-0000-4000-8000-000000000002"),
                     first);
    assert_int_equal(ask(&table, HEADER_X_REQUEST_ID, "00000000-0000-4000-8000-000000000003"),
                     first);
    table_close(&table);
}

static void what_may_repeat_is_kept(void **state)
{
    struct table table;
    table_open(&table);
    size_t first = ask(&table, HEADER_USER_AGENT, "a");
    size_t second = ask(&table, HEADER_USER_AGENT, "b");
    assert_true(second > first);
    assert_int_equal(ask(&table, HEADER_USER_AGENT, "a"), second);
    table_close(&table);
}

static void a_secret_is_never_kept(void **state)
{
    struct table table;
    table_open(&table);
    size_t first = ask(&table, HEADER_ACCEPT, "text/plain");
    assert_int_equal(ask(&table, HEADER_AUTHORIZATION, "Bearer a-long-token-of-one-user"), first);
    assert_int_equal(ask(&table, HEADER_COOKIE, "session=a-long-cookie-of-one-user"), first);
    table_close(&table);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(of_ids_only_the_name_is_kept),
        cmocka_unit_test(what_may_repeat_is_kept),
        cmocka_unit_test(a_secret_is_never_kept),
    };
    return TEST_MAIN(cases, argc, argv);
}
