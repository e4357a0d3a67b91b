#include "tests/unit/test_main.h"

#include "lib/base/memory.h"
#include "proxy/config/snapshot.h"

static const struct xds_workload good = {
    .default_mode = XDS_MTLS_STRICT, .renew_from = 0.5, .renew_to = 0.7, .trust_domain = {"td", 2}};

static void a_port_has_its_own_line_or_that_of_all_others_or_the_default(void **state)
{
    const struct xds_inbound_port ports[] = {
        {.port = 9100,
         .mode = XDS_MTLS_PERMISSIVE,
         .protocol = XDS_PROTOCOL_HTTP1,
         .service = SPAN("metrics")},
        {.port = 0, .mode = XDS_MTLS_PLAINTEXT, .protocol = XDS_PROTOCOL_OPAQUE},
        {.port = 8080, .mode = XDS_MTLS_STRICT},
    };
    for (uint32_t count = 1; count <= 3; count += 2) {
        struct xds_workload facts = good;
        facts.ports = ports;
        facts.port_count = count;
        facts.default_mode = XDS_MTLS_STRICT;
        struct xds_error error = {{0}};
        struct workload_config *workload = workload_config_create(&facts, &error);
        struct xds_inbound_port line = workload_config_port(workload, 9100);
        assert_int_equal(line.mode, XDS_MTLS_PERMISSIVE);
        assert_true(span_equal_text(line.service, "metrics"));
        line = workload_config_port(workload, 8080);
        assert_int_equal(line.mode, XDS_MTLS_STRICT);
        line = workload_config_port(workload, 7000);
        assert_int_equal(line.mode, count == 3 ? XDS_MTLS_PLAINTEXT : XDS_MTLS_STRICT);
        assert_int_equal(line.protocol, count == 3 ? XDS_PROTOCOL_OPAQUE : XDS_PROTOCOL_AUTO);
        assert_int_equal(line.port, 7000);
        workload_config_unref(workload);
    }
}

static void a_workload_out_of_range_is_refused(void **state)
{
    const struct xds_inbound_port twice[] = {{.port = 80}, {.port = 81}, {.port = 80}};
    const struct xds_inbound_port bad_mode = {.port = 80, .mode = XDS_MTLS_PLAINTEXT + 1};
    const struct xds_inbound_port bad_protocol = {.port = 80, .protocol = XDS_PROTOCOL_OPAQUE + 1};
    struct xds_workload rows[11];
    for (size_t i = 0; i < 11; i++) {
        rows[i] = good;
    }
    rows[0].ports = twice;
    rows[0].port_count = 3;
    rows[1].ports = &bad_mode;
    rows[1].port_count = 1;
    rows[2].ports = &bad_protocol;
    rows[2].port_count = 1;
    rows[3].default_mode = XDS_MTLS_PLAINTEXT + 1;
    rows[4].access_log = XDS_ACCESS_LOG_ALL + 1;
    rows[5].renew_from = 0.8;
    rows[6].renew_to = 1;
    rows[7].renew_from = 0;
    rows[8].renew_from = rows[8].renew_to = 0.0 / 0.0;
    rows[9].tracing_per_million = 1000001;
    rows[10].renew_from = -1;
    for (size_t i = 0; i < 11; i++) {
        struct xds_error error = {{0}};
        if (workload_config_create(&rows[i], &error) != NULL || error.text[0] == '\0') {
            fail_msg("row %zu is taken", i);
        }
    }
}

static void all_ports_that_there_are_may_be_listed(void **state)
{
    struct xds_inbound_port *ports = mem_array(65536, sizeof(*ports));
    for (uint32_t i = 0; i < 65536; i++) {
        ports[i].port = (uint16_t)i;
    }
    struct xds_workload facts = good;
    facts.ports = ports;
    facts.port_count = 65536;
    struct xds_error error = {{0}};
    struct workload_config *workload = workload_config_create(&facts, &error);
    mem_free(ports);
    assert_non_null(workload);
    assert_int_equal(workload_config_port(workload, 65535).port, 65535);
    workload_config_unref(workload);
}

static void what_a_proxy_has_before_anything_came_is_safe(void **state)
{
    struct snapshot *snapshot = snapshot_empty();
    assert_int_equal(snapshot->version, 0);
    assert_true(snapshot->workload->facts.egress_denied);
    assert_int_equal(workload_config_port(snapshot->workload, 80).mode, XDS_MTLS_STRICT);
    assert_int_equal(phone_book_size(snapshot->phone_book), 0);
    assert_null(snapshot_listener(snapshot, SPAN("api:80")));
    assert_null(snapshot_cluster(snapshot, SPAN("api")));
    assert_false(snapshot_is_absent(snapshot, SPAN("api")));
    assert_null(snapshot_listener(snapshot, SPAN_EMPTY));
    snapshot_unref(snapshot);
    snapshot_unref(NULL);
}

static struct cluster_config *cluster_named(const char *name)
{
    struct xds_cluster facts;
    struct xds_error error = {{0}};
    xds_cluster_init(&facts);
    facts.name = span_of(name);
    return cluster_config_create(&facts, NULL, &error);
}

static void a_snapshot_holds_its_parts_and_shares_them(void **state)
{
    struct xds_error error = {{0}};
    size_t conflicts = 0;
    const struct xds_listener listener_facts = {.name = SPAN("api:80")};
    struct listener_config *listener = listener_config_create(&listener_facts, NULL, &error);
    struct cluster_config *cluster = cluster_named("one");
    const struct span absent[] = {SPAN("gone:80")};
    const struct snapshot_parts parts = {
        .phone_book = phone_book_create(NULL, 0, &conflicts),
        .workload = workload_config_create(&good, &error),
        .listeners = &listener,
        .listener_count = 1,
        .clusters = &cluster,
        .cluster_count = 1,
        .absent = absent,
        .absent_count = 1,
    };
    struct snapshot *first = snapshot_create(1, &parts);
    struct snapshot *second = snapshot_create(2, &parts);
    assert_int_equal(atomic_load(&cluster->references.count), 3);
    assert_int_equal(atomic_load(&listener->references.count), 3);
    phone_book_unref(parts.phone_book);
    workload_config_unref(parts.workload);
    listener_config_unref(listener);
    cluster_config_unref(cluster);
    snapshot_unref(first);
    assert_ptr_equal(snapshot_listener(second, SPAN("api:80")), listener);
    assert_ptr_equal(snapshot_cluster(second, SPAN("one")), cluster);
    assert_true(snapshot_is_absent(second, SPAN("gone:80")));
    assert_int_equal(atomic_load(&cluster->references.count), 1);
    snapshot_unref(snapshot_ref(second));
    snapshot_unref(second);
}

static void routes_live_as_long_as_the_listener_that_has_them(void **state)
{
    struct xds_error error = {{0}};
    const struct xds_route_config facts = {.name = SPAN("r")};
    struct route_config *routes = route_config_create(&facts, &error);
    const struct xds_listener listener_facts = {.name = SPAN("api:80"), .route_name = SPAN("r")};
    struct listener_config *listener = listener_config_create(&listener_facts, routes, &error);
    route_config_unref(routes);
    assert_true(span_equal_text(route_config_name(listener->routes), "r"));
    listener_config_unref(listener);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_port_has_its_own_line_or_that_of_all_others_or_the_default),
        cmocka_unit_test(a_workload_out_of_range_is_refused),
        cmocka_unit_test(all_ports_that_there_are_may_be_listed),
        cmocka_unit_test(what_a_proxy_has_before_anything_came_is_safe),
        cmocka_unit_test(a_snapshot_holds_its_parts_and_shares_them),
        cmocka_unit_test(routes_live_as_long_as_the_listener_that_has_them),
    };
    return TEST_MAIN(cases, argc, argv);
}
