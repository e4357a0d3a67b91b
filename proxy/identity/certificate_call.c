#include "proxy/identity/certificate_call.h"

#include "lib/base/memory.h"
#include "lib/xds/xds_certificate.h"

struct certificate_call {
    struct grpc_channel *channel;
    struct grpc_channel_watch watch;
    struct workload_identity *identity;
    struct certificate_source source;
    struct grpc_call *call; /* NULL = nothing is asked */
    struct arena arena;     /* of the answer */
    struct xds_certificate_response response;
    struct xds_error error;
    bool answered; /* a message came */
    bool readable;
    void (*on_answer)(void *owner, const struct certificate_answer *answer);
    void *answer_owner;
};

static void on_message(void *owner, struct span message)
{
    struct certificate_call *call = owner;
    if (call->answered) {
        return;
    }
    call->answered = true;
    call->readable =
        xds_certificate_response_decode(message, &call->arena, &call->response, &call->error);
}

static void on_done(void *owner, enum grpc_code code, struct span message)
{
    struct certificate_call *call = owner;
    struct certificate_answer answer = {.code = code};
    call->call = NULL;
    if (code != GRPC_OK) {
        answer.message = span_of(
            arena_printf(&call->arena, "%s: %.*s", grpc_code_name(code), SPAN_ARG(message)));
    } else if (!call->readable) {
        answer.code = GRPC_INTERNAL;
        answer.message = call->answered ? span_of(call->error.text) : SPAN("an empty answer");
    } else {
        answer.chain_pem = call->response.chain_pem;
        answer.chain_count = call->response.chain_count;
        grpc_channel_healthy(call->channel);
    }
    struct arena arena = call->arena; /* on_answer may ask again */
    call->arena = (struct arena){0};
    call->on_answer(call->answer_owner, &answer);
    arena_done(&arena);
}

static const struct grpc_call_events call_events = {.on_message = on_message, .on_done = on_done};

static bool certificate_request_send(struct certificate_call *call,
                                     const struct certificate_question *question)
{
    struct http_conn *conn = grpc_channel_conn(call->channel);
    if (conn == NULL) {
        return false;
    }
    struct arena arena = {0};
    struct grpc_metadata bearer = {.name = SPAN("authorization")};
    if (question->token.length > 0) {
        bearer.value = span_of(arena_printf(&arena, "Bearer %.*s", SPAN_ARG(question->token)));
    }
    struct grpc_call_options options = {
        .authority = grpc_channel_authority(call->channel),
        .path = SPAN(XDS_PATH_CERTIFICATE),
        .metadata = &bearer,
        .metadata_count = question->token.length > 0 ? 1 : 0,
        .timeout_ms = CERTIFICATE_TIMEOUT_MS,
        .message_limit = (size_t)1 << 20,
    };
    struct xds_certificate_request request = {.csr_pem = question->csr_pem,
                                              .lifetime_s = question->lifetime_s};
    call->call = grpc_call_start(conn, &options, &call_events, call);
    if (call->call != NULL) {
        grpc_call_send(call->call, xds_certificate_request_encode(&request, &arena));
        grpc_call_end(call->call);
    }
    arena_done(&arena);
    return call->call != NULL;
}

static bool send_question(void *owner, const struct certificate_question *question,
                          void (*on_answer)(void *answer_owner,
                                            const struct certificate_answer *answer),
                          void *answer_owner)
{
    struct certificate_call *call = owner;
    call->answered = false;
    call->readable = false;
    call->on_answer = on_answer;
    call->answer_owner = answer_owner;
    return certificate_request_send(call, question);
}

static void cancel_question(void *owner)
{
    struct certificate_call *call = owner;
    if (call->call != NULL) {
        grpc_call_cancel(call->call);
        call->call = NULL;
    }
    arena_done(&call->arena);
}

static void on_up(struct grpc_channel_watch *watch, struct http_conn *conn)
{
    (void)conn;
    struct certificate_call *call = CONTAINER_OF(watch, struct certificate_call, watch);
    workload_identity_ask_now(call->identity);
}

static void on_down(struct grpc_channel_watch *watch)
{
    (void)watch; /* a call under way ends by itself */
}

struct certificate_call *certificate_call_create(struct grpc_channel *channel,
                                                 struct workload_identity *identity)
{
    struct certificate_call *call = NEW(struct certificate_call);
    call->channel = channel;
    call->identity = identity;
    call->source = (struct certificate_source){send_question, cancel_question, call};
    call->watch.on_up = on_up;
    call->watch.on_down = on_down;
    workload_identity_set_source(identity, &call->source);
    grpc_channel_watch(channel, &call->watch);
    return call;
}

void certificate_call_destroy(struct certificate_call *call)
{
    if (call == NULL) {
        return;
    }
    workload_identity_set_source(call->identity, NULL);
    grpc_channel_unwatch(call->channel, &call->watch);
    mem_free(call);
}
