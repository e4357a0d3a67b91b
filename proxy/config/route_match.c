#include "proxy/config/route_prepared.h"

static enum pattern_result yes_if(bool matches)
{
    return matches ? PATTERN_YES : PATTERN_NO;
}

static enum pattern_result text_matches(const struct prepared_field *field, struct span text)
{
    struct span wanted = field->facts->value;
    switch ((enum xds_match_kind)field->facts->kind) {
    case XDS_MATCH_EXACT:
        return yes_if(span_equal(text, wanted));
    case XDS_MATCH_PREFIX:
        return yes_if(span_starts_with(text, wanted));
    case XDS_MATCH_SUFFIX:
        return yes_if(span_ends_with(text, wanted));
    case XDS_MATCH_CONTAINS:
        return yes_if(span_find(text, wanted) < text.length || wanted.length == 0);
    case XDS_MATCH_REGEX:
        return pattern_match(field->pattern, text);
    case XDS_MATCH_PRESENT:
        return PATTERN_YES;
    }
    return PATTERN_UNKNOWN;
}

static bool same_name(const struct prepared_field *field, const struct header *header)
{
    if (field->token != HEADER_UNKNOWN || header->token != HEADER_UNKNOWN) {
        return header->token == field->token;
    }
    return span_equal_nocase(header->name, field->facts->name);
}

/* Any of several fields of that name may match: they are alternatives of one list. */
static enum pattern_result fields_match(const struct prepared_field *field,
                                        const struct http_head *head)
{
    enum pattern_result result = PATTERN_NO;
    HEADERS_EACH(&head->headers, header)
    {
        if (same_name(field, header)) {
            enum pattern_result one = text_matches(field, header->value);
            if (one != PATTERN_NO) {
                result = one;
            }
            if (one == PATTERN_YES) {
                break;
            }
        }
    }
    return result;
}

/* What cannot be evaluated matches nothing, inverted or not. */
static bool header_matches(const struct prepared_field *field, const struct http_head *head)
{
    struct span name = field->facts->name;
    enum pattern_result result;
    if (span_equal(name, SPAN(":method"))) {
        result = text_matches(field, head->method);
    } else if (field->token == HEADER_HOST || span_equal(name, SPAN(":authority"))) {
        result = text_matches(field, head->authority);
    } else {
        result = fields_match(field, head);
    }
    return result == (field->facts->invert ? PATTERN_NO : PATTERN_YES);
}

/* The first parameter of that name counts (Gateway API HTTPQueryParamMatch). */
static bool query_matches(const struct prepared_field *field, struct span query)
{
    struct span pair;
    enum pattern_result result = PATTERN_NO;
    while (span_next(&query, '&', &pair)) {
        size_t equals = span_find_byte(pair, '=');
        if (span_equal(span_cut(pair, 0, equals), field->facts->name)) {
            result = text_matches(field, span_cut(pair, equals + 1, pair.length));
            break;
        }
    }
    return result == (field->facts->invert ? PATTERN_NO : PATTERN_YES);
}

/* "/a" and "/a/" match "/a", "/a/" and "/a/b", never "/ab". */
static bool segments_match(struct span path, struct span prefix)
{
    while (prefix.length > 0 && prefix.at[prefix.length - 1] == '/') {
        prefix.length--;
    }
    return span_starts_with(path, prefix) &&
           (path.length == prefix.length || path.at[prefix.length] == '/');
}

static bool path_matches(const struct prepared_route *route, struct span path)
{
    const struct xds_route *facts = route->route.facts;
    switch ((enum xds_path_kind)facts->path_kind) {
    case XDS_PATH_ANY:
        return true;
    case XDS_PATH_EXACT:
        return span_equal(path, facts->path);
    case XDS_PATH_PREFIX:
        return span_starts_with(path, facts->path);
    case XDS_PATH_SEGMENTS:
        return segments_match(path, facts->path);
    case XDS_PATH_REGEX:
        return pattern_match(route->path, path) == PATTERN_YES;
    }
    return false;
}

static bool route_matches(const struct prepared_route *route, const struct http_head *head,
                          struct span path, struct span query)
{
    if (!path_matches(route, path)) {
        return false;
    }
    for (uint32_t i = 0; i < route->route.facts->header_count; i++) {
        if (!header_matches(&route->headers[i], head)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < route->route.facts->query_count; i++) {
        if (!query_matches(&route->queries[i], query)) {
            return false;
        }
    }
    return true;
}

/* 0 = no match, else the more specific the larger: exact, "*suffix", "prefix*", "*". */
static size_t domain_rank(struct span domain, struct span host)
{
    enum { EXACT = 3, SUFFIX = 2, PREFIX = 1, KIND = 1024 };
    if (span_equal(domain, SPAN("*"))) {
        return 1;
    }
    if (span_equal_nocase(domain, host)) {
        return EXACT * KIND;
    }
    if (domain.length > 1 && domain.at[0] == '*') {
        struct span suffix = span_cut(domain, 1, domain.length);
        bool fits =
            host.length > suffix.length &&
            span_equal_nocase(span_cut(host, host.length - suffix.length, host.length), suffix);
        return fits ? SUFFIX * KIND + domain.length : 0;
    }
    if (domain.length > 1 && domain.at[domain.length - 1] == '*') {
        struct span prefix = span_cut(domain, 0, domain.length - 1);
        bool fits = host.length > prefix.length &&
                    span_equal_nocase(span_cut(host, 0, prefix.length), prefix);
        return fits ? PREFIX * KIND + domain.length : 0;
    }
    return 0;
}

static const struct prepared_host *find_host(const struct route_config *config,
                                             const struct http_head *head)
{
    const struct prepared_host *found = NULL;
    size_t best = 0;
    for (uint32_t h = 0; h < config->facts->host_count; h++) {
        const struct xds_virtual_host *host = config->hosts[h].facts;
        for (uint32_t d = 0; d < host->domain_count; d++) {
            size_t rank = domain_rank(host->domains[d], head->authority);
            if (rank > best) {
                best = rank;
                found = &config->hosts[h];
            }
        }
    }
    return found;
}

const struct route *route_match(const struct route_config *config, const struct http_head *head)
{
    const struct prepared_host *host = find_host(config, head);
    if (host == NULL) {
        return NULL;
    }
    size_t question = span_find_byte(head->path, '?');
    struct span path = span_cut(head->path, 0, question);
    struct span query = span_cut(head->path, question + 1, head->path.length);
    for (uint32_t r = 0; r < host->facts->route_count; r++) {
        if (route_matches(&host->routes[r], head, path, query)) {
            return &host->routes[r].route;
        }
    }
    return NULL;
}

const struct xds_weighted_cluster *route_pick_cluster(const struct route *route, double draw)
{
    uint64_t at = (uint64_t)(draw * (double)route->weight);
    for (uint32_t i = 0; i < route->facts->cluster_count; i++) {
        if (at < route->facts->clusters[i].weight) {
            return &route->facts->clusters[i];
        }
        at -= route->facts->clusters[i].weight;
    }
    return NULL;
}
