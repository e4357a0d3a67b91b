#include "lib/base/memory.h"
#include "proxy/discovery/load_source.h"
#include "tests/unit/test_main.h"

#define CLUSTER "outbound|8080||api.shop.svc.cluster.local"

struct workload_version {
    const char *workload, *version;
};

static struct cluster_config *make_cluster(const struct workload_version *of, uint32_t count)
{
    struct xds_error error;
    struct xds_cluster facts;
    struct xds_endpoint endpoints[4] = {0};
    xds_cluster_init(&facts);
    facts.name = SPAN(CLUSTER);
    facts.type = XDS_CLUSTER_EDS;
    facts.service = SPAN("api");
    facts.namespace_name = SPAN("shop");
    for (uint32_t i = 0; i < count; i++) {
        endpoints[i].weight = 1;
        endpoints[i].workload = span_of(of[i].workload);
        endpoints[i].version = span_of(of[i].version);
        address_parse(SPAN("10.0.0.1:8080"), &endpoints[i].address);
        endpoints[i].address.bytes[3] = (uint8_t)(i + 1);
    }
    const struct xds_locality locality = {
        .weight = 1, .endpoints = endpoints, .endpoint_count = count};
    const struct xds_endpoints all = {
        .cluster = SPAN(CLUSTER), .localities = &locality, .locality_count = 1};
    struct cluster_config *made = cluster_config_create(&facts, &all, &error);
    assert_non_null(made);
    return made;
}

static struct workload_config *make_workload(void)
{
    struct xds_error error;
    static const struct xds_inbound_port ports[] = {
        {.port = 8080, .mode = XDS_MTLS_STRICT, .service = {"web", 3}},
        {.port = 9090, .mode = XDS_MTLS_STRICT},
    };
    const struct xds_workload facts = {
        .namespace_name = SPAN("front"),
        .ports = ports,
        .port_count = 2,
        .renew_from = 0.5,
        .renew_to = 0.7,
        .certificate_lifetime_s = 86400,
    };
    struct workload_config *made = workload_config_create(&facts, &error);
    assert_non_null(made);
    return made;
}

static void use(struct load_source *source, uint64_t number, const struct workload_version *of,
                uint32_t count)
{
    size_t conflicts = 0;
    struct cluster_config *cluster = make_cluster(of, count);
    struct workload_config *workload = make_workload();
    struct phone_book *book = phone_book_create(NULL, 0, &conflicts);
    const struct snapshot_parts parts = {
        .phone_book = book, .workload = workload, .clusters = &cluster, .cluster_count = 1};
    struct snapshot *snapshot = snapshot_create(number, &parts);
    load_source_snapshot(source, snapshot);
    snapshot_unref(snapshot);
    phone_book_unref(book);
    cluster_config_unref(cluster);
    workload_config_unref(workload);
}

static void assert_version(struct load_source *source, const char *workload, const char *version)
{
    struct span got =
        load_source_names.version_of(source, SPAN("shop"), SPAN("api"), span_of(workload));
    assert_true(span_equal_text(got, version));
}

static void clusters_are_told_by_their_service(void **state)
{
    static const struct {
        const char *cluster;
        bool known, inbound;
        const char *service, *namespace_name;
    } cases[] = {
        {CLUSTER, true, false, "api", "shop"},
        {"inbound|10.0.0.7:8080", true, true, "web", "front"},
        {"inbound|[fd00::7]:8080", true, true, "web", "front"},
        {"inbound|10.0.0.7:9090", false, false, NULL, NULL},
        {"inbound|10.0.0.7:1", false, false, NULL, NULL},
        {"inbound|", false, false, NULL, NULL},
        {"inbound|10.0.0.7:65536", false, false, NULL, NULL},
        {"passthrough|10.0.0.7:8080", false, false, NULL, NULL},
        {"", false, false, NULL, NULL},
    };
    struct load_source source = {0};
    const struct workload_version one = {"api-v1-1", "v1"};
    (void)state;
    use(&source, 1, &one, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool inbound = false;
        struct span service = SPAN_EMPTY;
        struct span namespace_name = SPAN_EMPTY;
        bool known = load_source_names.service_of(&source, span_of(cases[i].cluster), &inbound,
                                                  &service, &namespace_name);
        if (known != cases[i].known || inbound != cases[i].inbound ||
            !span_equal(service, span_of(cases[i].service)) ||
            !span_equal(namespace_name, span_of(cases[i].namespace_name))) {
            fail_msg("%s: %.*s/%.*s", cases[i].cluster, SPAN_ARG(namespace_name),
                     SPAN_ARG(service));
        }
    }
    load_source_done(&source);
}

static void an_explicit_application_is_known_by_the_port_that_callers_know(void **state)
{
    struct load_alias aliases[3] = {{.called = 9090}, {.called = 8080}, {.called = 15006}};
    struct load_source source = {.aliases = aliases, .alias_count = 3};
    const struct workload_version one = {"api-v1-1", "v1"};
    bool inbound = false;
    struct span service = SPAN_EMPTY;
    struct span namespace_name = SPAN_EMPTY;
    (void)state;
    assert_true(address_parse(SPAN("127.0.0.1:7000"), &aliases[0].application));
    assert_true(address_parse(SPAN("127.0.0.1:7001"), &aliases[1].application));
    assert_true(address_parse(SPAN("127.0.0.1:8080"), &aliases[2].application));
    use(&source, 1, &one, 1);
    /* The manifests may also know the application's own port. */
    assert_true(load_source_names.service_of(&source, SPAN("inbound|127.0.0.1:8080"), &inbound,
                                             &service, &namespace_name));
    assert_true(load_source_names.service_of(&source, SPAN("inbound|127.0.0.1:7001"), &inbound,
                                             &service, &namespace_name));
    assert_true(inbound);
    assert_true(span_equal(service, SPAN("web")));
    assert_false(load_source_names.service_of(&source, SPAN("inbound|127.0.0.1:7000"), &inbound,
                                              &service, &namespace_name));
    assert_false(load_source_names.service_of(&source, SPAN("inbound|127.0.0.1:7002"), &inbound,
                                              &service, &namespace_name));
    load_source_done(&source);
}

static void versions_follow_the_snapshot_in_force(void **state)
{
    struct load_source source = {0};
    const struct workload_version before[] = {{"api-1", "v1"}, {"api-2", "v2"}, {"api-3", ""}};
    const struct workload_version after[] = {{"api-1", "v3"}};
    (void)state;
    use(&source, 1, before, 3);
    assert_version(&source, "api-1", "v1");
    assert_version(&source, "api-2", "v2");
    assert_version(&source, "api-3", "");
    assert_version(&source, "api-4", "");
    use(&source, 2, after, 1);
    assert_version(&source, "api-1", "v3");
    assert_version(&source, "api-2", "");
    load_source_done(&source);
}

static void a_workload_of_several_versions_has_none(void **state)
{
    struct load_source source = {0};
    const struct workload_version both[] = {{"api", "v1"}, {"api", "v2"}, {"api", "v1"}};
    (void)state;
    use(&source, 1, both, 3);
    assert_version(&source, "api", "");
    load_source_done(&source);
}

static void before_the_first_snapshot_nothing_is_known(void **state)
{
    struct load_source source = {0};
    bool inbound = false;
    struct span service = SPAN_EMPTY;
    struct span namespace_name = SPAN_EMPTY;
    (void)state;
    assert_false(
        load_source_names.service_of(&source, SPAN(CLUSTER), &inbound, &service, &namespace_name));
    assert_version(&source, "api", "");
    load_source_done(&source);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(clusters_are_told_by_their_service),
        cmocka_unit_test(an_explicit_application_is_known_by_the_port_that_callers_know),
        cmocka_unit_test(versions_follow_the_snapshot_in_force),
        cmocka_unit_test(a_workload_of_several_versions_has_none),
        cmocka_unit_test(before_the_first_snapshot_nothing_is_known),
    };
    return TEST_MAIN(cases, argc, argv);
}
