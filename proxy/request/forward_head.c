#include "proxy/request/forward_head.h"

#include "proxy/observe/trace_context.h"

enum { ATTEMPT_MOST = 255 };

bool grpc_timeout_read(struct span value, int64_t *ret_ms)
{
    static const struct {
        char unit;
        int64_t ns;
    } units[] = {{'H', 3600000000000LL}, {'M', 60000000000LL}, {'S', 1000000000LL},
                 {'m', 1000000LL},       {'u', 1000LL},        {'n', 1LL}};
    uint64_t number = 0;
    if (value.length < 2 || value.length > 9 ||
        !span_to_u64(span_cut(value, 0, value.length - 1), 99999999, &number)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (value.at[value.length - 1] == units[i].unit) {
            int64_t ms = (int64_t)number * units[i].ns / 1000000;
            *ret_ms = ms > 0 ? ms : 1;
            return true;
        }
    }
    return false;
}

static void raise_attempt(uint32_t *attempt, struct span value, uint32_t add)
{
    uint64_t number = 0;
    if (value.length > 0 && span_to_u64(value, ATTEMPT_MOST, &number) && number > 0) {
        uint32_t said = (uint32_t)number + add;
        said = said > ATTEMPT_MOST ? ATTEMPT_MOST : said;
        *attempt = said > *attempt ? said : *attempt;
    }
}

/* The member "remora=a:<n>" of a tracestate list. */
static struct span tracestate_attempt(struct span tracestate)
{
    struct span member;
    while (span_next(&tracestate, ',', &member)) {
        member = span_trim(member);
        if (span_starts_with(member, SPAN("remora=a:"))) {
            return span_cut(member, sizeof("remora=a:") - 1, member.length);
        }
    }
    return SPAN_EMPTY;
}

void request_wishes_read(const struct http_head *head, uint8_t direction, bool from_mesh,
                         struct request_wishes *ret)
{
    const struct headers *headers = &head->headers;
    *ret = (struct request_wishes){.attempt_in = 1};
    if (direction == RECORD_OUTBOUND || from_mesh) {
        raise_attempt(&ret->attempt_in, headers_value(headers, HEADER_X_REMORA_ATTEMPT_COUNT), 0);
    }
    raise_attempt(&ret->attempt_in, headers_value(headers, HEADER_X_ENVOY_ATTEMPT_COUNT), 0);
    raise_attempt(&ret->attempt_in, headers_value(headers, HEADER_GRPC_PREVIOUS_RPC_ATTEMPTS), 1);
    raise_attempt(&ret->attempt_in, tracestate_attempt(headers_value(headers, HEADER_TRACESTATE)),
                  0);
    if (direction == RECORD_OUTBOUND) {
        uint64_t ms = 0;
        if (span_to_u64(headers_value(headers, HEADER_X_REMORA_TIMEOUT), 86400000, &ms)) {
            ret->timeout_ms = (int64_t)ms;
        }
    }
    int64_t grpc_ms = 0;
    if (grpc_timeout_read(headers_value(headers, HEADER_GRPC_TIMEOUT), &grpc_ms)) {
        ret->grpc_timeout_ms = grpc_ms;
    }
    if (from_mesh) {
        ret->from_http1 = span_equal(headers_value(headers, HEADER_X_REMORA_HTTP), SPAN("1"));
        ret->source_workload = headers_value(headers, HEADER_X_REMORA_SOURCE);
    }
}

static struct http_head *copy_head(const struct http_head *head, struct arena *arena)
{
    struct http_head *copy = arena_dup(arena, head, sizeof(*head));
    headers_init(&copy->headers, arena);
    headers_append_all(&copy->headers, &head->headers);
    return copy;
}

static void strip_internal(struct headers *headers)
{
    HEADERS_EACH(headers, field)
    {
        if ((header_token_flags(field->token) & HEADER_FLAG_INTERNAL) != 0) {
            field->removed = true;
        }
    }
}

static void add_attempt(struct http_head *head, const struct forward_facts *facts,
                        struct arena *arena)
{
    uint32_t attempt = facts->wishes->attempt_in + facts->attempt - 1;
    if (attempt > ATTEMPT_MOST) {
        attempt = ATTEMPT_MOST;
    }
    if (attempt > 1) {
        headers_set_token(&head->headers, HEADER_X_REMORA_ATTEMPT_COUNT,
                          span_of(arena_printf(arena, "%u", attempt)));
    }
}

/* The gRPC deadline that the next hop sees is never later than ours. */
static void shorten_grpc_timeout(struct http_head *head, const struct forward_facts *facts,
                                 struct arena *arena)
{
    if (facts->time_left_ms > 0 && http_head_is_grpc(head) && facts->time_left_ms < 99999999) {
        headers_set_token(&head->headers, HEADER_GRPC_TIMEOUT,
                          span_of(arena_printf(arena, "%lldm", (long long)facts->time_left_ms)));
    }
}

/* HTTP/1.0 may come without Host; it goes on as HTTP/1.1 or 2, which must name one (RFC 9112 3.2).
 */
static void fill_authority(struct http_head *head, const struct address *original_dst,
                           struct arena *arena)
{
    if (head->authority.length == 0 && original_dst != NULL && original_dst->port != 0) {
        char text[ADDRESS_TEXT_BYTES];
        address_format(original_dst, text);
        head->authority = arena_span(arena, span_of(text));
    }
}

static void add_outbound(struct http_head *head, const struct forward_facts *facts,
                         struct arena *arena)
{
    if (facts->to_mesh) {
        if (facts->own_workload.length > 0) {
            headers_add_token(&head->headers, HEADER_X_REMORA_SOURCE, facts->own_workload);
        }
        if (head->version != 20) {
            headers_add_token(&head->headers, HEADER_X_REMORA_HTTP, SPAN("1"));
        }
    }
    fill_authority(head, facts->original_dst, arena);
    if (facts->route != NULL) {
        head->path = route_rewrite_path(facts->route, head->path, arena);
        if (facts->route->facts->rewrite_host.length > 0) {
            head->authority = facts->route->facts->rewrite_host;
        }
        route_change_headers(&facts->route->facts->request, &head->headers);
    }
    if (facts->cluster != NULL) {
        route_change_headers(&facts->cluster->request, &head->headers);
    }
}

static void add_inbound(struct http_head *head, const struct forward_facts *facts,
                        struct arena *arena)
{
    struct headers *headers = &head->headers;
    if (facts->peer_identity.length > 0) {
        struct span certificate = facts->own_identity.length > 0
                                      ? ARENA_JOIN(arena, SPAN("By="), facts->own_identity,
                                                   SPAN(";URI="), facts->peer_identity)
                                      : ARENA_JOIN(arena, SPAN("URI="), facts->peer_identity);
        headers_add_token(headers, HEADER_X_FORWARDED_CLIENT_CERT, certificate);
    }
    if (headers_find(headers, HEADER_X_FORWARDED_PROTO) == NULL) {
        headers_add_token(headers, HEADER_X_FORWARDED_PROTO,
                          facts->https ? SPAN("https") : SPAN("http"));
    }
    if (headers_find(headers, HEADER_X_FORWARDED_FOR) == NULL && facts->downstream->family != 0) {
        char text[ADDRESS_TEXT_BYTES];
        address_format_ip(facts->downstream, text);
        headers_add_token(headers, HEADER_X_FORWARDED_FOR, arena_span(arena, span_of(text)));
    }
}

struct http_head *forward_request(const struct http_head *head, const struct forward_facts *facts,
                                  struct arena *arena)
{
    struct http_head *copy = copy_head(head, arena);
    strip_internal(&copy->headers);
    add_attempt(copy, facts, arena);
    shorten_grpc_timeout(copy, facts, arena);
    if (facts->trace->present) {
        trace_write(facts->trace, &copy->headers, arena);
    }
    if (facts->request_id.length > 0) {
        headers_add_token(&copy->headers, HEADER_X_REQUEST_ID, facts->request_id);
    }
    if (facts->direction == RECORD_OUTBOUND) {
        add_outbound(copy, facts, arena);
    } else {
        add_inbound(copy, facts, arena);
    }
    return copy;
}

struct http_head *forward_response(const struct http_head *head, const struct route *route,
                                   const struct xds_weighted_cluster *cluster, bool from_mesh,
                                   struct arena *arena)
{
    struct http_head *copy = copy_head(head, arena);
    struct span reason = headers_value(&head->headers, HEADER_X_REMORA_REASON);
    struct span retry = headers_value(&head->headers, HEADER_X_REMORA_RETRY);
    strip_internal(&copy->headers);
    if (from_mesh && reason.length > 0) {
        headers_add_token(&copy->headers, HEADER_X_REMORA_REASON, reason);
    }
    if (from_mesh && retry.length > 0) {
        headers_add_token(&copy->headers, HEADER_X_REMORA_RETRY, retry);
    }
    if (route != NULL) {
        route_change_headers(&route->facts->response, &copy->headers);
    }
    if (cluster != NULL) {
        route_change_headers(&cluster->response, &copy->headers);
    }
    return copy;
}
