#include "lib/xds/wire_parts.h"
#include "tests/unit/test_main.h"

/* Each rule that a route can break, one at a time: refused, with a text that names the field. */

static struct arena arena;
static void *new_message(const ProtobufCMessageDescriptor *type)
{
    return wire_new(&arena, type);
}

static char *text(const char *from)
{
    return arena_text(&arena, span_of(from));
}

#define ONE(type, item) one((item), sizeof(type *))
static void *one(void *item, size_t bytes)
{
    void **list = arena_zalloc(&arena, bytes);
    list[0] = item;
    return list;
}

static void assert_mentions(const struct xds_error *error, const char *wanted)
{
    if (strstr(error->text, wanted) == NULL) {
        fail_msg("\"%s\" does not mention \"%s\"", error->text, wanted);
    }
}

/* A route configuration of one route that is given to `change` first. */
static void route_refused(void (*change)(Rt__Route *route), const char *wanted)
{
    Rt__RouteConfiguration *message = new_message(&rt__route_configuration__descriptor);
    Rt__VirtualHost *host = new_message(&rt__virtual_host__descriptor);
    const struct xds_weighted_cluster cluster = {.name = SPAN("c"), .weight = 1};
    const struct xds_route plain = {.clusters = &cluster, .cluster_count = 1, .retry_limit = -1};
    Rt__Route *route = new_message(&rt__route__descriptor);
    route->match = route_match_write(&arena, &plain, false);
    route_action_write(&arena, route, &plain, false);
    change(route);
    static char *domains[] = {(char *)"*"};
    host->n_domains = 1;
    host->domains = domains;
    host->n_routes = 1;
    host->routes = ONE(Rt__Route, route);
    message->name = text("r");
    message->n_virtual_hosts = 1;
    message->virtual_hosts = ONE(Rt__VirtualHost, host);

    struct xds_route_config ret;
    struct xds_error error = {""};
    assert_false(xds_route_config_decode(wire_pack(&arena, &message->base), &arena, &ret, &error));
    assert_mentions(&error, wanted);
    assert_mentions(&error, "virtual_hosts[0].routes[0]");
}

static void no_match(Rt__Route *route)
{
    route->match = NULL;
}

static void no_path(Rt__Route *route)
{
    route->match->path_specifier_case = 0;
}

static void any_case(Rt__Route *route)
{
    route->match->case_sensitive = new_message(&pb__bool_value__descriptor);
}

static void unknown_condition(Rt__Route *route)
{
    ProtobufCMessageUnknownField *field = arena_zalloc(&arena, sizeof *field);
    field->tag = 9; /* runtime_fraction */
    field->wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    field->len = 1;
    field->data = arena_zalloc(&arena, 1);
    route->match->base.n_unknown_fields = 1;
    route->match->base.unknown_fields = field;
}

static void slash_prefix(Rt__Route *route)
{
    route->match->path_specifier_case = RT__ROUTE_MATCH__PATH_SPECIFIER_PATH_SEPARATED_PREFIX;
    route->match->path_separated_prefix = text("/a/");
}

static Rt__HeaderMatcher *add_header(Rt__Route *route)
{
    Rt__HeaderMatcher *matcher = new_message(&rt__header_matcher__descriptor);
    matcher->name = text("x");
    matcher->header_match_specifier_case = RT__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_STRING_MATCH;
    matcher->string_match = new_message(&mt__string_matcher__descriptor);
    matcher->string_match->match_pattern_case = MT__STRING_MATCHER__MATCH_PATTERN_EXACT;
    matcher->string_match->exact = text("v");
    route->match->n_headers = 1;
    route->match->headers = ONE(Rt__HeaderMatcher, matcher);
    return matcher;
}

static void header_of_any_case(Rt__Route *route)
{
    add_header(route)->string_match->ignore_case = true;
}

static void nameless_header(Rt__Route *route)
{
    add_header(route)->name = text("");
}

static void header_without_pattern(Rt__Route *route)
{
    add_header(route)->string_match->match_pattern_case = 0;
}

static void empty_regex(Rt__Route *route)
{
    Rt__HeaderMatcher *matcher = add_header(route);
    matcher->string_match->match_pattern_case = MT__STRING_MATCHER__MATCH_PATTERN_SAFE_REGEX;
    matcher->string_match->safe_regex = new_message(&mt__regex_matcher__descriptor);
}

static void no_action(Rt__Route *route)
{
    route->action_case = 0;
}

static void no_cluster(Rt__Route *route)
{
    route->route->cluster_specifier_case = 0;
}

static void cluster_by_header(Rt__Route *route)
{
    route->route->cluster_specifier_case = RT__ROUTE_ACTION__CLUSTER_SPECIFIER_CLUSTER_HEADER;
    route->route->cluster_header = text("x-to");
}

static void weights_of_nothing(Rt__Route *route)
{
    Rt__WeightedCluster *weighted = new_message(&rt__weighted_cluster__descriptor);
    Rt__WeightedCluster__ClusterWeight *cluster =
        new_message(&rt__weighted_cluster__cluster_weight__descriptor);
    cluster->name = text("c");
    weighted->n_clusters = 1;
    weighted->clusters = ONE(void, cluster);
    route->route->cluster_specifier_case = RT__ROUTE_ACTION__CLUSTER_SPECIFIER_WEIGHTED_CLUSTERS;
    route->route->weighted_clusters = weighted;
}

static void endless_timeout(Rt__Route *route)
{
    route->route->timeout->seconds = INT64_MAX;
}

static void split_path(Rt__Route *route)
{
    route->route->prefix_rewrite = text("/a HTTP/1.1\r\nhost: evil\r\n\r\n");
}

static void foreign_rewrite(Rt__Route *route)
{
    route->route->regex_rewrite = new_message(&mt__regex_match_and_substitute__descriptor);
    route->route->regex_rewrite->pattern = new_message(&mt__regex_matcher__descriptor);
    route->route->regex_rewrite->pattern->regex = text("^/(.*)/x$");
    route->route->regex_rewrite->substitution = text("/\\1");
}

static void high_priority(Rt__Route *route)
{
    route->route->priority = CORE__ROUTING_PRIORITY__HIGH;
}

static Core__HeaderValueOption *add_change(Rt__Route *route)
{
    Core__HeaderValueOption *option = new_message(&core__header_value_option__descriptor);
    option->header = new_message(&core__header_value__descriptor);
    option->header->key = text("x-a");
    option->header->value = text("v");
    route->n_request_headers_to_add = 1;
    route->request_headers_to_add = ONE(Core__HeaderValueOption, option);
    return option;
}

static void split_header(Rt__Route *route)
{
    add_change(route)->header->value = text("v\r\nx-evil: 1");
}

static void pseudo_header(Rt__Route *route)
{
    add_change(route)->header->key = text(":authority");
}

static void header_command(Rt__Route *route)
{
    add_change(route)->header->value = text("%DOWNSTREAM_REMOTE_ADDRESS%");
}

static void odd_append_action(Rt__Route *route)
{
    add_change(route)->append_action = (Core__HeaderValueOption__HeaderAppendAction)7;
}

static void odd_status(Rt__Route *route)
{
    route->action_case = RT__ROUTE__ACTION_DIRECT_RESPONSE;
    route->direct_response = new_message(&rt__direct_response_action__descriptor);
}

static void strip_query(Rt__Route *route)
{
    route->action_case = RT__ROUTE__ACTION_REDIRECT;
    route->redirect = new_message(&rt__redirect_action__descriptor);
    route->redirect->strip_query = true;
}

static void odd_redirect(Rt__Route *route)
{
    route->action_case = RT__ROUTE__ACTION_REDIRECT;
    route->redirect = new_message(&rt__redirect_action__descriptor);
    route->redirect->response_code = (Rt__RedirectAction__RedirectResponseCode)12;
}

static void bad_routes_are_refused(void **state)
{
    (void)state;
    static const struct {
        void (*change)(Rt__Route *route);
        const char *wanted;
    } cases[] = {
        {no_match, "match"},
        {no_path, "path"},
        {any_case, "case_sensitive"},
        {unknown_condition, "field 9"},
        {slash_prefix, "path_separated_prefix"},
        {header_of_any_case, "headers[0]: ignore_case"},
        {nameless_header, "headers[0]: name"},
        {header_without_pattern, "headers[0]"},
        {empty_regex, "regex"},
        {no_action, "action"},
        {no_cluster, "cluster"},
        {cluster_by_header, "cluster"},
        {weights_of_nothing, "weighted_clusters"},
        {endless_timeout, "timeout"},
        {split_path, "path rewrite"},
        {foreign_rewrite, "regex_rewrite"},
        {high_priority, "priority"},
        {split_header, "header.value"},
        {pseudo_header, "header.key"},
        {header_command, "command"},
        {odd_append_action, "append_action"},
        {odd_status, "status"},
        {strip_query, "strip_query"},
        {odd_redirect, "response_code"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        route_refused(cases[i].change, cases[i].wanted);
    }
}

static void the_same_domain_in_two_virtual_hosts_is_refused(void **state)
{
    (void)state;
    const struct span domain = SPAN("a.example");
    const struct xds_virtual_host hosts[] = {{SPAN("1"), &domain, 1, NULL, 0},
                                             {SPAN("2"), &domain, 1, NULL, 0}};
    const struct xds_route_config config = {SPAN("r"), hosts, 2};
    struct xds_route_config ret;
    struct xds_error error = {""};
    struct span bytes = xds_route_config_encode(&config, false, &arena);
    assert_false(xds_route_config_decode(bytes, &arena, &ret, &error));
    assert_mentions(&error, "a.example");
}

static int empty_arena(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_teardown(bad_routes_are_refused, empty_arena),
        cmocka_unit_test_teardown(the_same_domain_in_two_virtual_hosts_is_refused, empty_arena),
    };
    return TEST_MAIN(cases, argc, argv);
}
