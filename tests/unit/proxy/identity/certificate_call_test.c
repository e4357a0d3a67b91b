#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/grpc/grpc_server.h"
#include "lib/http/http_server.h"
#include "lib/xds/xds_certificate.h"
#include "proxy/identity/certificate_call.h"
#include "tests/unit/proxy/identity/fake_authority.h"

#include <stdlib.h>
#include <unistd.h>

/* A control plane that speaks gRPC on loopback, as a proxy sees it. */
enum answer { SIGNS, TWO_PARTS, REFUSES, SAYS_NOTHING, SAYS_NONSENSE };

struct place {
    struct loop *loop;
    struct fake_authority authority;
    struct http_server *server;
    struct grpc_method method;
    struct grpc_peer peer;
    struct grpc_channel *channel;
    struct workload_identity *identity;
    struct certificate_call *call;
    enum answer answer;
    struct text token;
    int64_t lifetime_s;
    unsigned calls, told;
    char token_file[64];
};

static void *on_call(void *service, struct grpc_served *served, const struct http_head *head,
                     const struct grpc_peer *peer)
{
    struct place *place = service;
    place->calls++;
    text_clear(&place->token);
    text_add(&place->token, grpc_bearer(head));
    return place;
}

static void send_chain(struct place *place, struct grpc_served *served)
{
    struct arena arena = {0};
    struct text pem = {0};
    fake_authority_sign(&place->authority, &pem);
    struct span parts[] = {text_span(&pem), text_span(&place->authority.root_pem)};
    struct xds_certificate_response response = {parts, place->answer == TWO_PARTS ? 2 : 1};
    grpc_served_send(served, xds_certificate_response_encode(&response, &arena));
    text_done(&pem);
    arena_done(&arena);
}

static void on_message(void *owner, struct grpc_served *served, struct span message)
{
    struct place *place = owner;
    struct arena arena = {0};
    struct xds_certificate_request request = {0};
    struct xds_error error;
    assert_true(xds_certificate_request_decode(message, &arena, &request, &error));
    text_clear(&place->authority.csr_pem);
    text_add(&place->authority.csr_pem, request.csr_pem);
    place->lifetime_s = request.lifetime_s;
    arena_done(&arena);
    if (place->answer == REFUSES) {
        grpc_served_finish(served, GRPC_PERMISSION_DENIED, SPAN("the token is used up"));
        return;
    }
    if (place->answer == SAYS_NONSENSE) {
        grpc_served_send(served, SPAN("\xff\xff\xff\xff"));
    } else if (place->answer != SAYS_NOTHING) {
        send_chain(place, served);
    }
    grpc_served_finish(served, GRPC_OK, SPAN_EMPTY);
}

static void on_half_close(void *owner, struct grpc_served *served)
{
}

static void on_served_gone(void *owner, struct grpc_served *served)
{
}

static void on_stream(void *owner, struct http_stream *stream, const struct http_server_peer *peer)
{
    struct place *place = owner;
    grpc_serve(place->loop, stream, &place->method, 1, &place->peer);
}

static const struct http_server_events server_events = {.on_stream = on_stream};

static void on_tls(void *owner, struct tls_config *client, struct tls_config *server,
                   bool new_roots)
{
    ((struct place *)owner)->told++;
}

static const struct workload_identity_events identity_events = {on_tls};

static void open_server(struct place *place)
{
    int error = 0;
    struct http_server_options options = {0};
    assert_true(address_parse(SPAN("127.0.0.1:0"), &options.at));
    place->method = (struct grpc_method){.path = XDS_PATH_CERTIFICATE,
                                         .on_call = on_call,
                                         .on_message = on_message,
                                         .on_half_close = on_half_close,
                                         .on_gone = on_served_gone,
                                         .service = place};
    place->server = http_server_open(place->loop, &options, &server_events, place, &error);
    assert_non_null(place->server);
}

static void place_init(struct place *place, enum answer answer)
{
    char target[ADDRESS_TEXT_BYTES];
    const char *reason = NULL;
    *place = (struct place){.answer = answer};
    log_set_level(LOG_LEVEL_OFF);
    place->loop = loop_create();
    fake_authority_init(&place->authority, place->loop);
    open_server(place);
    snprintf(place->token_file, sizeof(place->token_file), "/dev/shm/remora-token-XXXXXX");
    int fd = mkstemp(place->token_file);
    assert_int_equal(write(fd, "secret\n", 7), 7);
    close(fd);
    address_format(http_server_address(place->server), target);
    struct grpc_channel_options channel = {.target = span_of(target)};
    place->channel = grpc_channel_create(place->loop, &channel);
    assert_non_null(place->channel);
    struct workload_identity_options options = {.trust_domain = SPAN("td.test"),
                                                .namespace_name = SPAN("shop"),
                                                .service_account = SPAN("web"),
                                                .token_file = span_of(place->token_file),
                                                .source_trusted = true};
    place->identity =
        workload_identity_create(place->loop, &options, &identity_events, place, &reason);
    workload_identity_set_window(place->identity, (struct rotation_window){0.5, 0.7}, 1800);
    place->call = certificate_call_create(place->channel, place->identity);
    workload_identity_start(place->identity);
}

static void place_done(struct place *place)
{
    certificate_call_destroy(place->call);
    workload_identity_destroy(place->identity);
    grpc_channel_destroy(place->channel);
    http_server_close(place->server);
    loop_turn(place->loop);
    loop_turn(place->loop);
    fake_authority_done(&place->authority);
    text_done(&place->token);
    loop_destroy(place->loop);
    unlink(place->token_file);
}

static struct workload_identity_state state_of(const struct place *place)
{
    struct workload_identity_state state;
    workload_identity_state(place->identity, &state);
    return state;
}

static bool has_result(void *owner)
{
    struct workload_identity_state state = state_of(owner);
    return state.issued > 0 || state.failed > 0;
}

static void a_channel_that_comes_up_brings_the_certificate(void **state)
{
    (void)state;
    for (enum answer answer = SIGNS; answer <= TWO_PARTS; answer++) {
        struct place place;
        place_init(&place, answer);
        assert_true(loop_run_until(place.loop, has_result, &place, 10000));
        struct workload_identity_state now = state_of(&place);
        assert_string_equal(now.last_error, "");
        assert_int_equal(now.issued, 1);
        assert_true(now.valid);
        assert_string_equal(place.token.bytes, "secret");
        assert_int_equal(place.lifetime_s, 1800);
        assert_int_equal(place.told, 1);
        assert_int_equal(now.roots, answer == TWO_PARTS ? 1 : 0);
        place_done(&place);
    }
}

static void refusals_and_broken_answers_are_named(void **state)
{
    (void)state;
    static const struct {
        enum answer answer;
        const char *part;
    } cases[] = {{REFUSES, "the token is used up"}, {SAYS_NOTHING, "empty"}, {SAYS_NONSENSE, ""}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct place place;
        place_init(&place, cases[i].answer);
        assert_true(loop_run_until(place.loop, has_result, &place, 10000));
        struct workload_identity_state now = state_of(&place);
        assert_int_equal(now.failed, 1);
        assert_int_equal(now.issued, 0);
        assert_true(now.last_error[0] != '\0');
        if (strstr(now.last_error, cases[i].part) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", now.last_error, cases[i].part);
        }
        place_done(&place);
    }
}

static bool was_called(void *owner)
{
    return ((struct place *)owner)->calls > 0;
}

static void a_call_under_way_may_be_given_up(void **state)
{
    (void)state;
    struct place place;
    place_init(&place, SIGNS);
    assert_true(loop_run_until(place.loop, was_called, &place, 10000));
    certificate_call_destroy(place.call);
    place.call = NULL;
    for (int i = 0; i < 20; i++) {
        loop_turn(place.loop);
    }
    assert_false(state_of(&place).asking);
    place_done(&place);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_channel_that_comes_up_brings_the_certificate),
        cmocka_unit_test(refusals_and_broken_answers_are_named),
        cmocka_unit_test(a_call_under_way_may_be_given_up),
    };
    return TEST_MAIN(cases, argc, argv);
}
