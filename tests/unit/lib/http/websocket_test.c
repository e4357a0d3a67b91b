#include "lib/http/websocket.h"
#include "tests/unit/lib/http/http1_rig.h"
#include "tests/unit/test_main.h"

#include <string.h>

/* RFC 6455 1.3 */
static void the_answer_to_a_key_is_that_of_the_standard(void **state)
{
    (void)state;
    char text[WEBSOCKET_TEXT_BYTES];
    struct span accept = websocket_accept(SPAN("dGhlIHNhbXBsZSBub25jZQ=="), text);
    assert_true(span_equal_text(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_int_equal(accept.length, WEBSOCKET_ACCEPT_BYTES);
}

static void each_key_is_another(void **state)
{
    (void)state;
    char one[WEBSOCKET_TEXT_BYTES];
    char two[WEBSOCKET_TEXT_BYTES];
    assert_int_equal(websocket_key(one).length, WEBSOCKET_KEY_BYTES);
    websocket_key(two);
    assert_string_not_equal(one, two);
}

/* A request as HTTP/2 brings it, written to an HTTP/1 server. */
static struct exchange *ask(struct http1_rig *rig, uint8_t version, const char *protocol,
                            const char *key)
{
    http1_rig_client_init(rig);
    struct exchange *exchange = side_open(&rig->side);
    struct http_head head;
    http1_rig_make_head(&head, exchange, "GET");
    head.version = version;
    head.upgrade = span_of(protocol);
    if (key != NULL) {
        headers_add(&head.headers, SPAN("sec-websocket-key"), span_of(key));
    }
    http_stream_send_head(exchange->stream, &head, false);
    loop_settle(rig->loop);
    return exchange;
}

/* The key of what the server got, or "". */
static void sent_key(const struct http1_rig *rig, char *ret)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    const char *at = memmem(rig->peer.received, rig->peer.received_length, name, sizeof(name) - 1);
    ret[0] = '\0';
    if (at != NULL) {
        memcpy(ret, at + sizeof(name) - 1, WEBSOCKET_KEY_BYTES);
        ret[WEBSOCKET_KEY_BYTES] = '\0';
    }
}

static void answer(struct http1_rig *rig, struct span fields)
{
    char text[512];
    snprintf(text, sizeof(text),
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "%.*s\r\n",
             SPAN_ARG(fields));
    http1_rig_send(rig, text);
}

/* RFC 8441 5: HTTP/2 has neither key nor answer, HTTP/1 has both. */
static void a_websocket_from_http2_gets_a_key_and_its_answer_stays_here(void **state)
{
    (void)state;
    struct http1_rig rig;
    struct exchange *exchange = ask(&rig, 20, "websocket", NULL);
    char key[WEBSOCKET_TEXT_BYTES];
    char accept[WEBSOCKET_TEXT_BYTES];
    char fields[128];
    sent_key(&rig, key);
    assert_int_equal(strlen(key), WEBSOCKET_KEY_BYTES);
    websocket_accept(span_of(key), accept);
    snprintf(fields, sizeof(fields), "Sec-WebSocket-Accept: %s\r\nX-Other: kept\r\n", accept);
    answer(&rig, span_of(fields));
    assert_int_equal(exchange->head_count, 1);
    const struct headers *headers = &exchange->heads[0]->headers;
    assert_int_equal(exchange->heads[0]->status, 101);
    assert_null(headers_find_name(headers, WEBSOCKET_ACCEPT));
    assert_non_null(headers_find_name(headers, SPAN("x-other")));
    http1_rig_done(&rig);
}

static void a_server_that_does_not_know_the_key_is_refused(void **state)
{
    static const char *const answers[] = {
        "",
        "Sec-WebSocket-Accept: \r\n",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
        /* The right one beside another one. */
        "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
        "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Accept: %s\r\n",
        "Sec-WebSocket-Accept: %s, %s\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct http1_rig rig;
        struct exchange *exchange = ask(&rig, 20, "WebSocket", NULL);
        char key[WEBSOCKET_TEXT_BYTES];
        char accept[WEBSOCKET_TEXT_BYTES];
        struct text fields = {0};
        sent_key(&rig, key);
        websocket_accept(span_of(key), accept);
        for (const char *at = answers[i]; *at != '\0'; at++) {
            bool is_accept = at[0] == '%' && at[1] == 's';
            text_add(&fields, is_accept ? span_of(accept) : span_make(at, 1));
            at += is_accept;
        }
        answer(&rig, text_span(&fields));
        assert_int_equal(exchange->head_count, 0);
        assert_true(exchange->reset);
        assert_int_equal(exchange->failure, FAILURE_UPSTREAM_PROTOCOL);
        assert_true(rig.side.closed);
        text_done(&fields);
        http1_rig_done(&rig);
    }
}

/* Refuse, do not repair: what was wrong in HTTP/1 stays wrong; and a key that is there is its
 * owner's, who checks the answer. */
static void no_other_request_gets_a_key(void **state)
{
    static const struct {
        uint8_t version;
        const char *protocol, *key;
    } cases[] = {
        {11, "websocket", NULL},
        {11, "websocket", "dGhlIHNhbXBsZSBub25jZQ=="},
        {20, "websocket", "dGhlIHNhbXBsZSBub25jZQ=="},
        {20, "connect-ip", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_rig rig;
        struct exchange *exchange = ask(&rig, cases[i].version, cases[i].protocol, cases[i].key);
        char key[WEBSOCKET_TEXT_BYTES];
        sent_key(&rig, key);
        assert_string_equal(key, "");
        http1_rig_send(&rig, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\nSec-WebSocket-Accept: whatever\r\n\r\n");
        assert_int_equal(exchange->head_count, 1);
        assert_non_null(headers_find_name(&exchange->heads[0]->headers, WEBSOCKET_ACCEPT));
        http1_rig_done(&rig);
    }
}

static void accept_with(struct http1_rig *rig, uint8_t version, const char *accept)
{
    struct exchange *exchange = http1_rig_last(rig);
    struct http_head head;
    http_head_init(&head, &exchange->arena);
    head.status = 101;
    head.version = version;
    if (accept != NULL) {
        headers_add(&head.headers, SPAN("sec-websocket-accept"), span_of(accept));
    }
    http_stream_send_head(exchange->stream, &head, false);
    loop_settle(rig->loop);
}

#define START "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define SWITCHES "HTTP/1.1 101 Switching Protocols\r\n"
#define SWITCHED "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

static void a_client_of_http1_gets_the_answer_that_http2_has_not(void **state)
{
    static const struct {
        const char *request;
        uint8_t version;
        const char *accept, *response;
    } cases[] = {
        {START KEY "\r\n", 20, NULL,
         SWITCHES "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" SWITCHED},
        {START KEY "\r\n", 20, "theirs", SWITCHES "sec-websocket-accept: theirs\r\n" SWITCHED},
        {START KEY "\r\n", 11, NULL, SWITCHES SWITCHED},
        {START "\r\n", 20, NULL, SWITCHES SWITCHED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http1_rig rig;
        http1_rig_server_init(&rig);
        http1_rig_send(&rig, cases[i].request);
        accept_with(&rig, cases[i].version, cases[i].accept);
        http1_rig_expect(&rig, cases[i].response);
        http1_rig_done(&rig);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_answer_to_a_key_is_that_of_the_standard),
        cmocka_unit_test(each_key_is_another),
        cmocka_unit_test(a_websocket_from_http2_gets_a_key_and_its_answer_stays_here),
        cmocka_unit_test(a_server_that_does_not_know_the_key_is_refused),
        cmocka_unit_test(no_other_request_gets_a_key),
        cmocka_unit_test(a_client_of_http1_gets_the_answer_that_http2_has_not),
    };
    return TEST_MAIN(cases, argc, argv);
}
