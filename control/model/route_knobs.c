#include "control/model/knobs.h"
#include "control/model/route_parts.h"

#include "lib/base/text.h"

/* Manifest words of retries.on and what Envoy calls them; statuses go through as numbers. */
static const struct {
    const char *word, *envoy;
} retry_words[] = {
    {"never-processed", "connect-failure,refused-stream"},
    {"reset-before-response", "reset"},
    {"per-try-timeout", "per-try-timeout"},
    {"grpc-cancelled", "cancelled"},
    {"grpc-deadline-exceeded", "deadline-exceeded"},
    {"grpc-internal", "internal"},
    {"grpc-resource-exhausted", "resource-exhausted"},
    {"grpc-unavailable", "unavailable"},
};

static void add_word(struct text *words, struct span word)
{
    struct span envoy = word;
    for (size_t i = 0; i < sizeof(retry_words) / sizeof(retry_words[0]); i++) {
        if (span_equal_text(word, retry_words[i].word)) {
            envoy = span_of(retry_words[i].envoy);
        }
    }
    text_printf(words, "%s%.*s", words->length > 0 ? "," : "", SPAN_ARG(envoy));
}

static void put_words(struct text *words, struct arena *arena, struct xds_route *into)
{
    into->retry_on = arena_span(arena, text_span(words));
    text_done(words);
}

static void put(const struct traffic_policy_spec *knobs, struct arena *arena,
                struct xds_route *into)
{
    struct text words = {0};
    into->timeout_ms = knobs->timeouts.request_ms != FIELD_UNSET ? knobs->timeouts.request_ms : 0;
    into->per_try_timeout_ms =
        knobs->timeouts.per_try_ms != FIELD_UNSET ? knobs->timeouts.per_try_ms : 0;
    into->retry_limit = knobs->retries.limit != FIELD_UNSET ? (int32_t)knobs->retries.limit : -1;
    for (uint32_t i = 0; i < knobs->retries.on.count; i++) {
        add_word(&words, knobs->retries.on.at[i]);
    }
    put_words(&words, arena, into);
}

/* HTTPRouteRule.retry: connection errors are retried beside the codes that are listed. */
static void put_retry(const struct route_retry *retry, struct arena *arena, struct xds_route *into)
{
    struct text words = {0};
    if (retry->attempts != FIELD_UNSET) {
        into->retry_limit = (int32_t)retry->attempts;
    }
    if (retry->codes.count == 0) {
        return;
    }
    add_word(&words, SPAN("never-processed"));
    add_word(&words, SPAN("reset-before-response"));
    for (uint32_t i = 0; i < retry->codes.count; i++) {
        text_printf(&words, ",%lld", (long long)retry->codes.at[i]);
    }
    put_words(&words, arena, into);
}

void route_knobs_implicit(const struct compile *compile, const struct service_port *port,
                          struct arena *arena, struct xds_route *into)
{
    struct traffic_policy_spec knobs;
    knobs_of_service(compile->world, compile->service, port, &knobs);
    put(&knobs, arena, into);
}

void route_knobs(const struct compile *compile, const struct entry *route,
                 const struct route_rule *rule, const struct service_port *port,
                 struct arena *arena, struct xds_route *into)
{
    struct traffic_policy_spec knobs;
    knobs_of_service(compile->world, compile->service, port, &knobs);
    knobs_of_rule(compile->world, route, rule->name, &knobs);
    put(&knobs, arena, into);
    if (rule->timeouts.request_ms != FIELD_UNSET) {
        into->timeout_ms = rule->timeouts.request_ms;
    }
    if (rule->timeouts.backend_request_ms != FIELD_UNSET) {
        into->per_try_timeout_ms = rule->timeouts.backend_request_ms;
    }
    if (rule->retry != NULL) {
        put_retry(rule->retry, arena, into);
    }
}
