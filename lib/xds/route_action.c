#include "lib/xds/wire_parts.h"

#include "lib/base/text.h"

#include <string.h>

/* Envoy's default where RouteAction.timeout is not said. */
enum { TIMEOUT_DEFAULT_MS = 15000 };

/* Status codes in retry_on are a list of their own in Envoy, switched on by this word. */
#define STATUS_WORD "retriable-status-codes"

/* The whole path: a regex_rewrite, as RouteAction has no field for it. */
#define WHOLE_PATH "^/.*$"

static const uint16_t redirect_statuses[] = {
    [RT__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE__MOVED_PERMANENTLY] = 301,
    [RT__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE__FOUND] = 302,
    [RT__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE__SEE_OTHER] = 303,
    [RT__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE__TEMPORARY_REDIRECT] = 307,
    [RT__REDIRECT_ACTION__REDIRECT_RESPONSE_CODE__PERMANENT_REDIRECT] = 308,
};
enum { REDIRECT_STATUSES = sizeof redirect_statuses / sizeof redirect_statuses[0] };

static Rt__WeightedCluster__ClusterWeight *weight_write(struct arena *scratch,
                                                        const struct xds_weighted_cluster *cluster)
{
    Rt__WeightedCluster__ClusterWeight *message =
        wire_new(scratch, &rt__weighted_cluster__cluster_weight__descriptor);
    message->name = backend_name_write(scratch, cluster->name);
    message->weight = wire_u32(scratch, cluster->weight);
    struct header_lists request = header_changes_write(scratch, &cluster->request);
    message->n_request_headers_to_add = request.n_add;
    message->request_headers_to_add = request.add;
    message->n_request_headers_to_remove = request.n_remove;
    message->request_headers_to_remove = request.remove;
    struct header_lists response = header_changes_write(scratch, &cluster->response);
    message->n_response_headers_to_add = response.n_add;
    message->response_headers_to_add = response.add;
    message->n_response_headers_to_remove = response.n_remove;
    message->response_headers_to_remove = response.remove;
    return message;
}

static void no_backend_write(Rt__RouteAction *action)
{
    action->cluster_specifier_case = RT__ROUTE_ACTION__CLUSTER_SPECIFIER_CLUSTER;
    action->cluster = (char *)XDS_NO_CLUSTER;
}

static void clusters_write(struct arena *scratch, Rt__RouteAction *action,
                           const struct xds_route *route, bool for_grpc)
{
    uint64_t weights = 0;
    for (uint32_t i = 0; i < route->cluster_count; i++) {
        weights += route->clusters[i].weight;
    }
    const struct xds_weighted_cluster *only = route->cluster_count == 1 ? route->clusters : NULL;
    if (weights == 0) {
        no_backend_write(action); /* a sum of 0 would be refused by all */
        return;
    }
    if (only != NULL && only->request.count == 0 && only->response.count == 0) {
        action->cluster_specifier_case = RT__ROUTE_ACTION__CLUSTER_SPECIFIER_CLUSTER;
        action->cluster = backend_name_write(scratch, only->name);
        return;
    }
    Rt__WeightedCluster *weighted = wire_new(scratch, &rt__weighted_cluster__descriptor);
    weighted->n_clusters = route->cluster_count;
    weighted->clusters =
        ARENA_ARRAY(scratch, Rt__WeightedCluster__ClusterWeight *, route->cluster_count);
    for (uint32_t i = 0; i < route->cluster_count; i++) {
        weighted->clusters[i] = weight_write(scratch, &route->clusters[i]);
    }
    if (for_grpc && weights <= UINT32_MAX) {
        /* Deprecated and optional, yet gRPC's C-core up to 1.51 takes 100 where it is not said. */
        weighted->total_weight = wire_u32(scratch, (uint32_t)weights);
    }
    action->cluster_specifier_case = RT__ROUTE_ACTION__CLUSTER_SPECIFIER_WEIGHTED_CLUSTERS;
    action->weighted_clusters = weighted;
}

static Rt__RetryPolicy *retry_write(struct arena *scratch, const struct xds_route *route,
                                    bool for_grpc)
{
    /* gRPC clients refuse num_retries 0. */
    if ((route->retry_limit < 0 && route->retry_on.length == 0 && route->per_try_timeout_ms == 0) ||
        (for_grpc && route->retry_limit == 0)) {
        return NULL;
    }
    Rt__RetryPolicy *retry = wire_new(scratch, &rt__retry_policy__descriptor);
    struct text words = {0};
    struct span rest = route->retry_on;
    struct span word;
    uint64_t status;
    retry->retriable_status_codes = ARENA_ARRAY(scratch, uint32_t, rest.length / 2 + 1);
    while (rest.length > 0 && span_next(&rest, ',', &word)) {
        word = span_trim(word);
        if (span_to_u64(word, 599, &status)) {
            retry->retriable_status_codes[retry->n_retriable_status_codes++] = (uint32_t)status;
        } else if (word.length > 0) {
            text_printf(&words, "%s%.*s", words.length > 0 ? "," : "", SPAN_ARG(word));
        }
    }
    if (retry->n_retriable_status_codes > 0) {
        text_printf(&words, "%s%s", words.length > 0 ? "," : "", STATUS_WORD);
    }
    retry->retry_on = wire_string(scratch, text_span(&words));
    text_done(&words);
    if (route->retry_limit >= 0) {
        retry->num_retries = wire_u32(scratch, (uint32_t)route->retry_limit);
    }
    if (route->per_try_timeout_ms > 0) {
        retry->per_try_timeout = wire_duration(scratch, route->per_try_timeout_ms);
    }
    return retry;
}

static char *regex_escaped(struct arena *scratch, struct span text, const char *special)
{
    char *escaped = arena_alloc(scratch, text.length * 2 + 1);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (strchr(special, text.at[i]) != NULL) {
            escaped[length++] = '\\';
        }
        escaped[length++] = text.at[i];
    }
    escaped[length] = '\0';
    return escaped;
}

/* A prefix that is taken off: the slash behind it must not be doubled. */
static char *strip_pattern(struct arena *scratch, const struct xds_route *route)
{
    struct span prefix = route->path_kind == XDS_PATH_ANY ? SPAN_EMPTY : route->path;
    return arena_printf(scratch, "^%s(/?)(.*)", regex_escaped(scratch, prefix, "\\.+*?()|[]{}^$"));
}

static void rewrite_write(struct arena *scratch, Rt__RouteAction *action,
                          const struct xds_route *route)
{
    struct span to = route->rewrite_path;
    if (route->rewrite == XDS_REWRITE_NONE) {
        return;
    }
    while (route->rewrite == XDS_REWRITE_PREFIX && to.length > 0 && to.at[to.length - 1] == '/') {
        to.length--;
    }
    if (route->rewrite == XDS_REWRITE_PREFIX && to.length > 0) {
        action->prefix_rewrite = wire_string(scratch, to);
        return;
    }
    action->regex_rewrite = wire_new(scratch, &mt__regex_match_and_substitute__descriptor);
    action->regex_rewrite->pattern = wire_new(scratch, &mt__regex_matcher__descriptor);
    if (route->rewrite == XDS_REWRITE_FULL) {
        action->regex_rewrite->pattern->regex = (char *)WHOLE_PATH;
        action->regex_rewrite->substitution = regex_escaped(scratch, to, "\\");
    } else {
        action->regex_rewrite->pattern->regex = strip_pattern(scratch, route);
        action->regex_rewrite->substitution = (char *)"/\\2";
    }
}

static Rt__RouteAction *forward_write(struct arena *scratch, const struct xds_route *route,
                                      bool for_grpc)
{
    Rt__RouteAction *action = wire_new(scratch, &rt__route_action__descriptor);
    clusters_write(scratch, action, route, for_grpc);
    rewrite_write(scratch, action, route);
    if (route->rewrite_host.length > 0) {
        action->host_rewrite_specifier_case =
            RT__ROUTE_ACTION__HOST_REWRITE_SPECIFIER_HOST_REWRITE_LITERAL;
        action->host_rewrite_literal = wire_string(scratch, route->rewrite_host);
    }
    /* gRPC clients read only max_stream_duration. */
    action->timeout = wire_duration(scratch, route->timeout_ms);
    if (for_grpc && route->timeout_ms > 0) {
        action->max_stream_duration =
            wire_new(scratch, &rt__route_action__max_stream_duration__descriptor);
        action->max_stream_duration->max_stream_duration =
            wire_duration(scratch, route->timeout_ms);
    }
    action->retry_policy = retry_write(scratch, route, for_grpc);
    return action;
}

static Rt__RedirectAction *redirect_write(struct arena *scratch, const struct xds_route *route)
{
    Rt__RedirectAction *redirect = wire_new(scratch, &rt__redirect_action__descriptor);
    if (route->redirect_scheme.length > 0) {
        redirect->scheme_rewrite_specifier_case =
            RT__REDIRECT_ACTION__SCHEME_REWRITE_SPECIFIER_SCHEME_REDIRECT;
        redirect->scheme_redirect = wire_string(scratch, route->redirect_scheme);
    }
    redirect->host_redirect = wire_string(scratch, route->redirect_host);
    redirect->port_redirect = route->redirect_port;
    if (route->rewrite == XDS_REWRITE_FULL) {
        redirect->path_rewrite_specifier_case =
            RT__REDIRECT_ACTION__PATH_REWRITE_SPECIFIER_PATH_REDIRECT;
        redirect->path_redirect = wire_string(scratch, route->rewrite_path);
    } else if (route->rewrite == XDS_REWRITE_PREFIX) {
        redirect->path_rewrite_specifier_case =
            RT__REDIRECT_ACTION__PATH_REWRITE_SPECIFIER_PREFIX_REWRITE;
        redirect->prefix_rewrite = wire_string(scratch, route->rewrite_path);
    }
    for (int code = 0; code < REDIRECT_STATUSES; code++) {
        if (redirect_statuses[code] == route->status) {
            redirect->response_code = (Rt__RedirectAction__RedirectResponseCode)code;
        }
    }
    return redirect;
}

static Rt__DirectResponseAction *direct_write(struct arena *scratch, const struct xds_route *route)
{
    Rt__DirectResponseAction *direct = wire_new(scratch, &rt__direct_response_action__descriptor);
    direct->status = route->status;
    if (route->body.length > 0) {
        direct->body = wire_new(scratch, &core__data_source__descriptor);
        direct->body->specifier_case = CORE__DATA_SOURCE__SPECIFIER_INLINE_BYTES;
        direct->body->inline_bytes = wire_binary(scratch, route->body);
    }
    return direct;
}

void route_action_write(struct arena *scratch, Rt__Route *message, const struct xds_route *route,
                        bool for_grpc)
{
    if (route->action == XDS_ACTION_FORWARD) {
        message->action_case = RT__ROUTE__ACTION_ROUTE;
        message->route = forward_write(scratch, route, for_grpc);
    } else if (for_grpc) {
        /* Some gRPC clients refuse the whole configuration for a redirect; such calls fail here. */
        message->action_case = RT__ROUTE__ACTION_ROUTE;
        message->route = wire_new(scratch, &rt__route_action__descriptor);
        no_backend_write(message->route);
    } else if (route->action == XDS_ACTION_REDIRECT) {
        message->action_case = RT__ROUTE__ACTION_REDIRECT;
        message->redirect = redirect_write(scratch, route);
    } else {
        message->action_case = RT__ROUTE__ACTION_DIRECT_RESPONSE;
        message->direct_response = direct_write(scratch, route);
    }
}

static bool weight_read(struct wire_reader *reader,
                        const Rt__WeightedCluster__ClusterWeight *message,
                        struct xds_weighted_cluster *ret)
{
    if (message->name[0] == '\0' || message->cluster_header[0] != '\0') {
        return wire_fail(reader, "name: empty, or cluster_header is set");
    }
    if (message->host_rewrite_specifier_case !=
        RT__WEIGHTED_CLUSTER__CLUSTER_WEIGHT__HOST_REWRITE_SPECIFIER__NOT_SET) {
        return wire_fail(reader, "host_rewrite_literal: not supported here");
    }
    ret->name = backend_name_read(reader, message->name);
    ret->weight = message->weight == NULL ? 0 : message->weight->value;
    struct header_lists request = {
        message->n_request_headers_to_add, message->request_headers_to_add,
        message->n_request_headers_to_remove, message->request_headers_to_remove};
    struct header_lists response = {
        message->n_response_headers_to_add, message->response_headers_to_add,
        message->n_response_headers_to_remove, message->response_headers_to_remove};
    return header_changes_read(reader, "request_headers", request, &ret->request) &&
           header_changes_read(reader, "response_headers", response, &ret->response);
}

static bool weighted_read(struct wire_reader *reader, const Rt__WeightedCluster *message,
                          struct xds_route *ret)
{
    struct xds_weighted_cluster *clusters =
        ARENA_ARRAY(reader->arena, struct xds_weighted_cluster, message->n_clusters);
    uint64_t weights = 0;
    for (size_t i = 0; i < message->n_clusters; i++) {
        size_t path = wire_enter(reader, "weighted_clusters", (long)i);
        if (!weight_read(reader, message->clusters[i], &clusters[i])) {
            return false;
        }
        weights += clusters[i].weight;
        wire_leave(reader, path);
    }
    if (weights == 0 || weights > UINT32_MAX) {
        return wire_fail(reader, "weighted_clusters: sum of weights not in 1 to 2^32-1");
    }
    if (message->total_weight != NULL && message->total_weight->value != weights) {
        return wire_fail(reader, "weighted_clusters.total_weight: not the sum of the weights");
    }
    ret->clusters = clusters;
    ret->cluster_count = wire_count(message->n_clusters);
    return true;
}

static bool clusters_read(struct wire_reader *reader, const Rt__RouteAction *action,
                          struct xds_route *ret)
{
    if (action->cluster_specifier_case == RT__ROUTE_ACTION__CLUSTER_SPECIFIER_WEIGHTED_CLUSTERS) {
        return weighted_read(reader, action->weighted_clusters, ret);
    }
    if (action->cluster_specifier_case != RT__ROUTE_ACTION__CLUSTER_SPECIFIER_CLUSTER ||
        action->cluster[0] == '\0') {
        return wire_fail(reader, "cluster: missing, or chosen in a way that is not supported");
    }
    struct xds_weighted_cluster *cluster = ARENA_NEW(reader->arena, struct xds_weighted_cluster);
    cluster->name = backend_name_read(reader, action->cluster);
    cluster->weight = 1;
    ret->clusters = cluster;
    ret->cluster_count = 1;
    return true;
}

static bool retry_words_read(struct wire_reader *reader, const Rt__RetryPolicy *retry,
                             struct span *ret)
{
    struct text words = {0};
    struct span rest = span_of(retry->retry_on);
    struct span word;
    while (rest.length > 0 && span_next(&rest, ',', &word)) {
        word = span_trim(word);
        if (word.length > 0 && !span_equal_text(word, STATUS_WORD)) {
            text_printf(&words, "%s%.*s", words.length > 0 ? "," : "", SPAN_ARG(word));
        }
    }
    bool good = true;
    for (size_t i = 0; good && i < retry->n_retriable_status_codes; i++) {
        uint32_t status = retry->retriable_status_codes[i];
        good = wire_in_range(reader, "retriable_status_codes", status, 100, 599);
        text_printf(&words, "%s%u", words.length > 0 ? "," : "", status);
    }
    *ret = words.length == 0 ? SPAN_EMPTY : arena_span(reader->arena, text_span(&words));
    text_done(&words);
    return good;
}

static bool retry_read(struct wire_reader *reader, const Rt__RetryPolicy *retry,
                       struct xds_route *ret)
{
    ret->retry_limit = -1;
    if (retry == NULL) {
        return true;
    }
    size_t path = wire_enter(reader, "retry_policy", -1);
    wire_limit(retry->num_retries, &ret->retry_limit);
    if (!retry_words_read(reader, retry, &ret->retry_on) ||
        !wire_ms(reader, "per_try_timeout", retry->per_try_timeout, &ret->per_try_timeout_ms)) {
        return false;
    }
    wire_leave(reader, path);
    return true;
}

/* What stands behind a regex_rewrite of ours; one of another shape is refused. */
static bool regex_rewrite_read(struct wire_reader *reader, const Mt__RegexMatchAndSubstitute *regex,
                               struct xds_route *ret)
{
    const char *pattern = regex->pattern == NULL ? "" : regex->pattern->regex;
    const char *to = regex->substitution;
    if (strcmp(to, "/\\2") == 0 && strcmp(pattern, strip_pattern(&reader->scratch, ret)) == 0) {
        ret->rewrite = XDS_REWRITE_PREFIX;
        ret->rewrite_path = SPAN("/");
        return true;
    }
    if (strcmp(pattern, WHOLE_PATH) != 0 && strcmp(pattern, "/.*") != 0) {
        return wire_fail(reader, "regex_rewrite: \"%s\" is not supported", pattern);
    }
    char *plain = arena_alloc(reader->arena, strlen(to) + 1);
    size_t length = 0;
    for (; *to != '\0'; to++) {
        if (*to == '\\' && *++to != '\\') {
            return wire_fail(reader, "regex_rewrite: groups are not supported");
        }
        plain[length++] = *to;
    }
    ret->rewrite = XDS_REWRITE_FULL;
    ret->rewrite_path = span_make(plain, length);
    return true;
}

static bool forward_read(struct wire_reader *reader, const Rt__RouteAction *action,
                         struct xds_route *ret)
{
    if (action->host_rewrite_specifier_case ==
        RT__ROUTE_ACTION__HOST_REWRITE_SPECIFIER_HOST_REWRITE_LITERAL) {
        ret->rewrite_host = wire_text(reader, action->host_rewrite_literal);
    } else if (action->host_rewrite_specifier_case !=
               RT__ROUTE_ACTION__HOST_REWRITE_SPECIFIER__NOT_SET) {
        return wire_fail(reader, "host_rewrite: only a literal is supported");
    }
    if (action->priority != CORE__ROUTING_PRIORITY__DEFAULT) {
        return wire_fail(reader, "priority: %d is not supported", (int)action->priority);
    }
    if (action->prefix_rewrite[0] != '\0') {
        ret->rewrite = XDS_REWRITE_PREFIX;
        ret->rewrite_path = wire_text(reader, action->prefix_rewrite);
    } else if (action->regex_rewrite != NULL &&
               !regex_rewrite_read(reader, action->regex_rewrite, ret)) {
        return false;
    }
    ret->timeout_ms = TIMEOUT_DEFAULT_MS;
    if (action->max_stream_duration != NULL &&
        !wire_ms(reader, "max_stream_duration", action->max_stream_duration->max_stream_duration,
                 &ret->timeout_ms)) {
        return false;
    }
    return wire_ms(reader, "timeout", action->timeout, &ret->timeout_ms) &&
           clusters_read(reader, action, ret) && retry_read(reader, action->retry_policy, ret);
}

static bool redirect_read(struct wire_reader *reader, const Rt__RedirectAction *redirect,
                          struct xds_route *ret)
{
    if (redirect->scheme_rewrite_specifier_case ==
        RT__REDIRECT_ACTION__SCHEME_REWRITE_SPECIFIER_SCHEME_REDIRECT) {
        ret->redirect_scheme = wire_text(reader, redirect->scheme_redirect);
    } else if (redirect->scheme_rewrite_specifier_case ==
                   RT__REDIRECT_ACTION__SCHEME_REWRITE_SPECIFIER_HTTPS_REDIRECT &&
               redirect->https_redirect) {
        ret->redirect_scheme = SPAN("https");
    }
    ret->redirect_host = wire_text(reader, redirect->host_redirect);
    if (redirect->strip_query) {
        return wire_fail(reader, "strip_query: not supported");
    }
    if (redirect->path_rewrite_specifier_case ==
        RT__REDIRECT_ACTION__PATH_REWRITE_SPECIFIER_REGEX_REWRITE) {
        return wire_fail(reader, "regex_rewrite: not supported");
    }
    if (redirect->path_rewrite_specifier_case ==
        RT__REDIRECT_ACTION__PATH_REWRITE_SPECIFIER_PATH_REDIRECT) {
        ret->rewrite = XDS_REWRITE_FULL;
        ret->rewrite_path = wire_text(reader, redirect->path_redirect);
    } else if (redirect->path_rewrite_specifier_case ==
               RT__REDIRECT_ACTION__PATH_REWRITE_SPECIFIER_PREFIX_REWRITE) {
        ret->rewrite = XDS_REWRITE_PREFIX;
        ret->rewrite_path = wire_text(reader, redirect->prefix_rewrite);
    }
    if (!wire_in_range(reader, "response_code", redirect->response_code, 0,
                       REDIRECT_STATUSES - 1) ||
        !wire_in_range(reader, "port_redirect", redirect->port_redirect, 0, UINT16_MAX)) {
        return false;
    }
    ret->status = redirect_statuses[redirect->response_code];
    ret->redirect_port = (uint16_t)redirect->port_redirect;
    return true;
}

static bool direct_read(struct wire_reader *reader, const Rt__DirectResponseAction *direct,
                        struct xds_route *ret)
{
    const Core__DataSource *body = direct->body;
    if (!wire_in_range(reader, "status", direct->status, 200, 599)) {
        return false;
    }
    ret->status = (uint16_t)direct->status;
    if (body == NULL) {
        return true;
    }
    if (body->specifier_case == CORE__DATA_SOURCE__SPECIFIER_INLINE_STRING) {
        ret->body = wire_text(reader, body->inline_string);
        return true;
    }
    if (body->specifier_case == CORE__DATA_SOURCE__SPECIFIER_INLINE_BYTES) {
        ret->body = wire_bytes(reader, body->inline_bytes);
        return true;
    }
    return wire_fail(reader, "body: only an inline body is supported");
}

/* These texts go into a head: what could break it apart stops here. */
static bool targets_check(struct wire_reader *reader, const struct xds_route *route)
{
    if (route->rewrite == XDS_REWRITE_FULL &&
        (route->rewrite_path.length == 0 || route->rewrite_path.at[0] != '/')) {
        return wire_fail(reader, "path rewrite: does not begin with a slash");
    }
    return wire_clean(reader, "path rewrite", route->rewrite_path) &&
           wire_clean(reader, "host_rewrite_literal", route->rewrite_host) &&
           wire_clean(reader, "host_redirect", route->redirect_host) &&
           wire_clean(reader, "scheme_redirect", route->redirect_scheme);
}

bool route_action_read(struct wire_reader *reader, const Rt__Route *message, struct xds_route *ret)
{
    switch (message->action_case) {
    case RT__ROUTE__ACTION_ROUTE:
        ret->action = XDS_ACTION_FORWARD;
        return forward_read(reader, message->route, ret) && targets_check(reader, ret);
    case RT__ROUTE__ACTION_REDIRECT:
        ret->action = XDS_ACTION_REDIRECT;
        return redirect_read(reader, message->redirect, ret) && targets_check(reader, ret);
    case RT__ROUTE__ACTION_DIRECT_RESPONSE:
        ret->action = XDS_ACTION_DIRECT;
        return direct_read(reader, message->direct_response, ret);
    default:
        return wire_fail(reader, "action: missing, or of a kind that is not supported");
    }
}
