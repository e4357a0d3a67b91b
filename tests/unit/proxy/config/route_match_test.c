#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "proxy/config/route_config.h"
#include "tests/unit/proxy/config/head.h"

static const struct span any_domain[] = {{"*", 1}};

static struct route_config *config_of(const struct xds_route *routes, uint32_t count)
{
    const struct xds_virtual_host host = {
        .domains = any_domain, .domain_count = 1, .routes = routes, .route_count = count};
    const struct xds_route_config facts = {
        .name = SPAN("outbound|80||api"), .hosts = &host, .host_count = 1};
    struct xds_error error = {{0}};
    struct route_config *config = route_config_create(&facts, &error);
    if (config == NULL) {
        fail_msg("refused: %s", error.text);
    }
    return config;
}

static bool matches(const struct xds_route *route, const char *line, const char *const *fields)
{
    struct arena arena = {0};
    struct http_head head;
    head_make(&head, &arena, line, fields);
    struct route_config *config = config_of(route, 1);
    bool found = route_match(config, &head) != NULL;
    route_config_unref(config);
    arena_done(&arena);
    return found;
}

static void a_path_matches_by_its_kind(void **state)
{
    static const struct {
        uint8_t kind;
        const char *path;
        const char *target;
        bool wanted;
    } rows[] = {
        {XDS_PATH_ANY, "", "/", true},
        {XDS_PATH_ANY, "", "/a/b?c", true},
        {XDS_PATH_ANY, "", "*", true},
        {XDS_PATH_EXACT, "/v1", "/v1", true},
        {XDS_PATH_EXACT, "/v1", "/v1?x=/y", true},
        {XDS_PATH_EXACT, "/v1", "/v1/", false},
        {XDS_PATH_EXACT, "/v1", "/V1", false},
        {XDS_PATH_EXACT, "/v1", "/v", false},
        {XDS_PATH_EXACT, "/v1", "/v1%20", false},
        {XDS_PATH_PREFIX, "/v1", "/v1example", true},
        {XDS_PATH_PREFIX, "/v1", "/v", false},
        {XDS_PATH_PREFIX, "/v1", "/x?/v1", false},
        {XDS_PATH_SEGMENTS, "/v2", "/v2", true},
        {XDS_PATH_SEGMENTS, "/v2", "/v2/", true},
        {XDS_PATH_SEGMENTS, "/v2", "/v2/a", true},
        {XDS_PATH_SEGMENTS, "/v2", "/v2?a", true},
        {XDS_PATH_SEGMENTS, "/v2", "/v2example", false},
        {XDS_PATH_SEGMENTS, "/v2", "/", false},
        {XDS_PATH_SEGMENTS, "/v2/", "/v2", true},
        {XDS_PATH_SEGMENTS, "/v2/", "/v2/a", true},
        {XDS_PATH_SEGMENTS, "/v2/", "/v2a", false},
        {XDS_PATH_SEGMENTS, "/", "/anything", true},
        {XDS_PATH_SEGMENTS, "/", "/", true},
        {XDS_PATH_REGEX, "/v[0-9]+/.*", "/v12/x", true},
        {XDS_PATH_REGEX, "/v[0-9]+", "/v12/x", false},
        {XDS_PATH_REGEX, "/v[0-9]+", "/v12?y", true},
        {XDS_PATH_REGEX, "v1", "/v1", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct xds_route route = {.path_kind = rows[i].kind, .path = span_of(rows[i].path)};
        char line[64];
        snprintf(line, sizeof(line), "GET %s", rows[i].target);
        if (matches(&route, line, NULL) != rows[i].wanted) {
            fail_msg("%d %s and %s", rows[i].kind, rows[i].path, rows[i].target);
        }
    }
}

static void a_header_matches_by_its_kind(void **state)
{
    static const struct {
        const char *name;
        uint8_t kind;
        bool invert;
        const char *value;
        const char *fields[3];
        bool wanted;
    } rows[] = {
        {"version", XDS_MATCH_EXACT, false, "one", {"version: one"}, true},
        {"version", XDS_MATCH_EXACT, false, "one", {"Version: one"}, true},
        {"version", XDS_MATCH_EXACT, false, "one", {"version: One"}, false},
        {"version", XDS_MATCH_EXACT, false, "one", {"version: ones"}, false},
        {"version", XDS_MATCH_EXACT, false, "one", {NULL}, false},
        {"version", XDS_MATCH_EXACT, false, "one", {"version: two", "version: one"}, true},
        {"version", XDS_MATCH_EXACT, true, "one", {"version: two"}, true},
        {"version", XDS_MATCH_EXACT, true, "one", {"version: one"}, false},
        {"version", XDS_MATCH_EXACT, true, "one", {NULL}, true},
        {"user-agent", XDS_MATCH_PREFIX, false, "curl/", {"User-Agent: curl/8"}, true},
        {"user-agent", XDS_MATCH_PREFIX, false, "curl/", {"user-agent: wget"}, false},
        {"x", XDS_MATCH_SUFFIX, false, "z", {"x: abz"}, true},
        {"x", XDS_MATCH_SUFFIX, false, "z", {"x: abz "}, true},
        {"x", XDS_MATCH_SUFFIX, false, "z", {"x: za"}, false},
        {"x", XDS_MATCH_CONTAINS, false, "bc", {"x: abcd"}, true},
        {"x", XDS_MATCH_CONTAINS, false, "", {"x:"}, true},
        {"x", XDS_MATCH_CONTAINS, false, "bc", {"x: cb"}, false},
        {"x", XDS_MATCH_REGEX, false, "a+", {"x: aaa"}, true},
        {"x", XDS_MATCH_REGEX, false, "a+", {"x: aab"}, false},
        {"x", XDS_MATCH_REGEX, true, "a+", {"x: aab"}, true},
        {"x", XDS_MATCH_PRESENT, false, "", {"x:"}, true},
        {"x", XDS_MATCH_PRESENT, false, "", {"y: x"}, false},
        {"x", XDS_MATCH_PRESENT, true, "", {"y: x"}, true},
        {"x", XDS_MATCH_PRESENT, true, "", {"x: y"}, false},
        {":method", XDS_MATCH_EXACT, false, "GET", {NULL}, true},
        {":method", XDS_MATCH_EXACT, false, "POST", {NULL}, false},
        {":authority", XDS_MATCH_EXACT, false, "api:80", {NULL}, true},
        {"host", XDS_MATCH_PREFIX, false, "api", {NULL}, true},
        {":path", XDS_MATCH_EXACT, false, "/", {NULL}, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct xds_field_match match = {.name = span_of(rows[i].name),
                                              .kind = rows[i].kind,
                                              .invert = rows[i].invert,
                                              .value = span_of(rows[i].value)};
        const struct xds_route route = {.headers = &match, .header_count = 1};
        if (matches(&route, "GET http://api:80/", rows[i].fields) != rows[i].wanted) {
            fail_msg("row %zu: %s %s", i, rows[i].name, rows[i].value);
        }
    }
}

static void what_cannot_be_evaluated_matches_nothing_inverted_or_not(void **state)
{
    static char field[10400] = "x: ";
    memset(field + 3, 'a', 10300);
    const char *const fields[] = {field, NULL};
    for (int invert = 0; invert < 2; invert++) {
        const struct xds_field_match match = {
            .name = SPAN("x"), .kind = XDS_MATCH_REGEX, .invert = invert, .value = SPAN("b*")};
        const struct xds_route route = {.headers = &match, .header_count = 1};
        assert_false(matches(&route, "GET /", fields));
    }
}

static void a_query_parameter_matches_by_its_first_value(void **state)
{
    static const struct {
        const char *name;
        uint8_t kind;
        const char *value;
        const char *target;
        bool wanted;
    } rows[] = {
        {"animal", XDS_MATCH_EXACT, "whale", "/?animal=whale", true},
        {"animal", XDS_MATCH_EXACT, "whale", "/?color=blue&animal=whale", true},
        {"animal", XDS_MATCH_EXACT, "whale", "/?animal=dog&animal=whale", false},
        {"animal", XDS_MATCH_EXACT, "whale", "/?animal=whale&animal=dog", true},
        {"animal", XDS_MATCH_EXACT, "whale", "/?Animal=whale", false},
        {"animal", XDS_MATCH_EXACT, "whale", "/?animals=whale", false},
        {"animal", XDS_MATCH_EXACT, "whale", "/animal=whale", false},
        {"animal", XDS_MATCH_EXACT, "whale", "/", false},
        {"animal", XDS_MATCH_EXACT, "whale", "/?", false},
        {"animal", XDS_MATCH_EXACT, "", "/?animal", true},
        {"animal", XDS_MATCH_EXACT, "", "/?animal=", true},
        {"animal", XDS_MATCH_EXACT, "a=b", "/?animal=a=b", true},
        {"animal", XDS_MATCH_PRESENT, "", "/?x&animal=1", true},
        {"animal", XDS_MATCH_REGEX, "w.*", "/?animal=whale", true},
        {"animal", XDS_MATCH_REGEX, "w", "/?animal=whale", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct xds_field_match match = {
            .name = span_of(rows[i].name), .kind = rows[i].kind, .value = span_of(rows[i].value)};
        const struct xds_route route = {.queries = &match, .query_count = 1};
        char line[64];
        snprintf(line, sizeof(line), "GET %s", rows[i].target);
        if (matches(&route, line, NULL) != rows[i].wanted) {
            fail_msg("row %zu: %s", i, rows[i].target);
        }
    }
}

static void all_conditions_of_a_route_must_hold_and_the_first_route_wins(void **state)
{
    const struct xds_field_match post = {
        .name = SPAN(":method"), .kind = XDS_MATCH_EXACT, .value = SPAN("POST")};
    const struct xds_field_match both[] = {
        post, {.name = SPAN("v"), .kind = XDS_MATCH_EXACT, .value = SPAN("2")}};
    const struct xds_field_match query = {
        .name = SPAN("q"), .kind = XDS_MATCH_EXACT, .value = SPAN("1")};
    const struct xds_route routes[] = {
        {.name = SPAN("a"),
         .path_kind = XDS_PATH_EXACT,
         .path = SPAN("/x"),
         .headers = both,
         .header_count = 2},
        {.name = SPAN("b"),
         .path_kind = XDS_PATH_EXACT,
         .path = SPAN("/x"),
         .headers = &post,
         .header_count = 1,
         .queries = &query,
         .query_count = 1},
        {.name = SPAN("c"), .path_kind = XDS_PATH_EXACT, .path = SPAN("/x")},
        {.name = SPAN("d"), .path_kind = XDS_PATH_EXACT, .path = SPAN("/x")},
    };
    static const struct {
        const char *line;
        const char *fields[2];
        const char *wanted; /* NULL = none */
    } rows[] = {
        {"POST /x", {"v: 2"}, "a"},   {"POST /x?q=1", {"v: 2"}, "a"}, {"POST /x?q=1", {NULL}, "b"},
        {"POST /x?q=2", {NULL}, "c"}, {"GET /x", {"v: 2"}, "c"},      {"GET /y", {NULL}, NULL},
    };
    struct route_config *config = config_of(routes, 4);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = {0};
        struct http_head head;
        head_make(&head, &arena, rows[i].line, rows[i].fields);
        const struct route *route = route_match(config, &head);
        if (rows[i].wanted == NULL) {
            assert_null(route);
        } else {
            assert_non_null(route);
            assert_true(span_equal_text(route->facts->name, rows[i].wanted));
        }
        arena_done(&arena);
    }
    route_config_unref(config);
}

static void the_most_specific_domain_wins(void **state)
{
    static const struct {
        const char *authority;
        const char *wanted;
    } rows[] = {
        {"api.shop", "exact"},  {"API.Shop", "exact"},
        {"x.shop", "suffix"},   {"y.x.shop", "suffix"},
        {"a.x.shop", "longer"}, {"api.other", "prefix"},
        {"api.", "any"},        {"other", "any"},
        {".shop", "any"},       {"", "any"},
    };
    const struct span domains[][1] = {
        {SPAN("*")}, {SPAN("api.*")}, {SPAN("*.shop")}, {SPAN("a.*.shop")}, {SPAN("api.shop")}};
    const struct xds_route routes[] = {{.name = SPAN("any")},
                                       {.name = SPAN("prefix")},
                                       {.name = SPAN("suffix")},
                                       {.name = SPAN("longer")},
                                       {.name = SPAN("exact")}};
    const struct span longer[] = {SPAN("a.x.shop")};
    struct xds_virtual_host hosts[5];
    for (size_t i = 0; i < 5; i++) {
        hosts[i] = (struct xds_virtual_host){.domains = i == 3 ? longer : domains[i],
                                             .domain_count = 1,
                                             .routes = &routes[i],
                                             .route_count = 1};
    }
    const struct xds_route_config facts = {.name = SPAN("r"), .hosts = hosts, .host_count = 5};
    struct xds_error error = {{0}};
    struct route_config *config = route_config_create(&facts, &error);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = {0};
        struct http_head head;
        head_make(&head, &arena, "GET /", NULL);
        head.authority = span_of(rows[i].authority);
        const struct route *route = route_match(config, &head);
        assert_non_null(route);
        if (!span_equal_text(route->facts->name, rows[i].wanted)) {
            fail_msg("%s: %.*s", rows[i].authority, SPAN_ARG(route->facts->name));
        }
        arena_done(&arena);
    }
    route_config_unref(config);
}

static void no_domain_means_no_route(void **state)
{
    const struct span domain[] = {SPAN("api.shop")};
    const struct xds_route route = {.name = SPAN("r")};
    const struct xds_virtual_host host = {
        .domains = domain, .domain_count = 1, .routes = &route, .route_count = 1};
    const struct xds_route_config facts = {.name = SPAN("r"), .hosts = &host, .host_count = 1};
    const struct xds_route_config empty = {.name = SPAN("r")};
    struct xds_error error = {{0}};
    struct arena arena = {0};
    struct http_head head;
    head_make(&head, &arena, "GET http://other/", NULL);
    struct route_config *config = route_config_create(&facts, &error);
    assert_null(route_match(config, &head));
    route_config_unref(config);
    config = route_config_create(&empty, &error);
    assert_null(route_match(config, &head));
    route_config_unref(config);
    arena_done(&arena);
}

static void traffic_is_split_by_weight(void **state)
{
    const struct xds_weighted_cluster clusters[] = {{.name = SPAN("v1"), .weight = 70},
                                                    {.name = SPAN("v2"), .weight = 30},
                                                    {.name = SPAN("v3"), .weight = 0}};
    const struct xds_route facts = {.clusters = clusters, .cluster_count = 3};
    struct route_config *config = config_of(&facts, 1);
    struct arena arena = {0};
    struct http_head head;
    head_make(&head, &arena, "GET /", NULL);
    const struct route *route = route_match(config, &head);
    unsigned first = 0;
    random_seed(7);
    for (int i = 0; i < 100000; i++) {
        const struct xds_weighted_cluster *cluster = route_pick_cluster(route, random_unit());
        assert_false(span_equal_text(cluster->name, "v3"));
        first += span_equal_text(cluster->name, "v1");
    }
    assert_in_range(first, 69400, 70600);
    static const struct {
        double draw;
        const char *wanted;
    } edges[] = {{0, "v1"}, {0.6999999, "v1"}, {0.7, "v2"}, {0.9999999999999999, "v2"}};
    for (size_t i = 0; i < 4; i++) {
        const struct xds_weighted_cluster *cluster = route_pick_cluster(route, edges[i].draw);
        assert_true(span_equal_text(cluster->name, edges[i].wanted));
    }
    arena_done(&arena);
    route_config_unref(config);
}

static void weights_of_nothing_pick_nothing(void **state)
{
    const struct xds_weighted_cluster none = {.name = SPAN("v1"), .weight = 0};
    const struct xds_route facts[] = {{.clusters = &none, .cluster_count = 1}, {.name = SPAN("e")}};
    for (uint32_t i = 0; i < 2; i++) {
        struct route_config *config = config_of(&facts[i], 1);
        struct arena arena = {0};
        struct http_head head;
        head_make(&head, &arena, "GET /", NULL);
        const struct route *route = route_match(config, &head);
        assert_null(route_pick_cluster(route, 0));
        assert_null(route_pick_cluster(route, 0.99));
        arena_done(&arena);
        route_config_unref(config);
    }
}

static void the_largest_weights_do_not_overflow(void **state)
{
    const struct xds_weighted_cluster clusters[] = {{.name = SPAN("a"), .weight = UINT32_MAX},
                                                    {.name = SPAN("b"), .weight = UINT32_MAX}};
    const struct xds_route facts = {.clusters = clusters, .cluster_count = 2};
    struct route_config *config = config_of(&facts, 1);
    struct arena arena = {0};
    struct http_head head;
    head_make(&head, &arena, "GET /", NULL);
    const struct route *route = route_match(config, &head);
    assert_true(span_equal_text(route_pick_cluster(route, 0.499)->name, "a"));
    assert_true(span_equal_text(route_pick_cluster(route, 0.501)->name, "b"));
    assert_true(span_equal_text(route_pick_cluster(route, 0x1.fffffffffffffp-1)->name, "b"));
    arena_done(&arena);
    route_config_unref(config);
}

static void a_route_that_cannot_work_is_refused_with_its_reason(void **state)
{
    const struct xds_field_match bad_regex = {
        .name = SPAN("x"), .kind = XDS_MATCH_REGEX, .value = SPAN("(")};
    const struct {
        struct xds_route route;
        const char *wanted;
    } rows[] = {
        {{.path_kind = XDS_PATH_REGEX, .path = SPAN("[")}, "regular expression \"[\""},
        {{.headers = &bad_regex, .header_count = 1}, "regular expression \"(\""},
        {{.queries = &bad_regex, .query_count = 1}, "regular expression \"(\""},
        {{.name = SPAN("r"), .action = XDS_ACTION_REDIRECT, .status = 200},
         "route r: a redirect's"},
        {{.action = XDS_ACTION_DIRECT, .status = 101}, "a direct answer's"},
        {{.action = XDS_ACTION_DIRECT, .status = 600}, "a direct answer's"},
        {{.timeout_ms = -1}, "a timeout"},
        {{.per_try_timeout_ms = INT64_MAX}, "a timeout"},
        {{.path_kind = XDS_PATH_REGEX, .path = SPAN("/a"), .rewrite = XDS_REWRITE_PREFIX},
         "has no prefix"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* Good ones around it, so that a half-built configuration is given back too. */
        const struct xds_route routes[] = {
            {.path_kind = XDS_PATH_REGEX, .path = SPAN("a")}, rows[i].route, {.name = SPAN("c")}};
        const struct xds_virtual_host host = {
            .domains = any_domain, .domain_count = 1, .routes = routes, .route_count = 3};
        const struct xds_route_config facts = {.name = SPAN("r"), .hosts = &host, .host_count = 1};
        struct xds_error error = {{0}};
        assert_null(route_config_create(&facts, &error));
        if (strstr(error.text, rows[i].wanted) == NULL) {
            fail_msg("row %zu: %s", i, error.text);
        }
    }
}

static void nothing_of_the_facts_is_needed_after_creation(void **state)
{
    char *text = mem_strdup("/from-outside");
    struct xds_header_change *change = NEW(struct xds_header_change);
    *change = (struct xds_header_change){.name = span_of(text), .value = span_of(text)};
    struct xds_weighted_cluster *cluster = NEW(struct xds_weighted_cluster);
    *cluster = (struct xds_weighted_cluster){
        .name = span_of(text), .weight = 1, .request = {change, 1}, .response = {change, 1}};
    struct xds_field_match *match = NEW(struct xds_field_match);
    *match =
        (struct xds_field_match){.name = span_of(text), .value = span_of(text), .invert = true};
    struct xds_route *route = NEW(struct xds_route);
    *route = (struct xds_route){.name = span_of(text),
                                .path_kind = XDS_PATH_EXACT,
                                .path = span_of(text),
                                .headers = match,
                                .header_count = 1,
                                .request = {change, 1},
                                .response = {change, 1},
                                .clusters = cluster,
                                .cluster_count = 1,
                                .rewrite_host = span_of(text),
                                .body = span_of(text)};
    struct route_config *config = config_of(route, 1);
    mem_free(text);
    mem_free(change);
    mem_free(cluster);
    mem_free(match);
    mem_free(route);
    struct arena arena = {0};
    struct http_head head;
    head_make(&head, &arena, "GET /from-outside", NULL);
    const struct route *found = route_match(config, &head);
    assert_non_null(found);
    const struct xds_weighted_cluster *picked = route_pick_cluster(found, 0.5);
    assert_true(span_equal_text(picked->response.items[0].value, "/from-outside"));
    assert_true(span_equal_text(found->facts->request.items[0].name, "/from-outside"));
    assert_true(span_equal_text(found->facts->body, "/from-outside"));
    arena_done(&arena);
    route_config_unref(config);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_path_matches_by_its_kind),
        cmocka_unit_test(a_header_matches_by_its_kind),
        cmocka_unit_test(what_cannot_be_evaluated_matches_nothing_inverted_or_not),
        cmocka_unit_test(a_query_parameter_matches_by_its_first_value),
        cmocka_unit_test(all_conditions_of_a_route_must_hold_and_the_first_route_wins),
        cmocka_unit_test(the_most_specific_domain_wins),
        cmocka_unit_test(no_domain_means_no_route),
        cmocka_unit_test(traffic_is_split_by_weight),
        cmocka_unit_test(weights_of_nothing_pick_nothing),
        cmocka_unit_test(the_largest_weights_do_not_overflow),
        cmocka_unit_test(a_route_that_cannot_work_is_refused_with_its_reason),
        cmocka_unit_test(nothing_of_the_facts_is_needed_after_creation),
    };
    return TEST_MAIN(cases, argc, argv);
}
