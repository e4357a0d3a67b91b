#include "tests/unit/test_main.h"

#include "lib/base/memory.h"
#include "proxy/config/phone_book.h"

#ifdef __SANITIZE_ADDRESS__
/* Of <sanitizer/allocator_interface.h>, which not every compiler package has. */
size_t __sanitizer_get_current_allocated_bytes(void);
static size_t heap_bytes(void)
{
    return __sanitizer_get_current_allocated_bytes();
}
#else
#include <malloc.h>
static size_t heap_bytes(void)
{
    struct mallinfo2 heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
}
#endif

static struct address ip_of(const char *text)
{
    struct address address = {0};
    if (!address_parse_ip(span_of(text), &address) && !address_parse(span_of(text), &address)) {
        fail_msg("%s is no address", text);
    }
    return address;
}

static struct phone_book *book_of(const struct xds_phone_entry *entries, size_t count,
                                  size_t conflicts)
{
    const struct xds_phone_entry *list[16];
    size_t found = 0;
    assert_in_range(count, 0, 16);
    for (size_t i = 0; i < count; i++) {
        list[i] = &entries[i];
    }
    struct phone_book *book = phone_book_create(list, count, &found);
    assert_int_equal(found, conflicts);
    assert_int_equal(phone_book_size(book), count);
    return book;
}

/* The listener's name behind an address, "" when the book does not know it. */
static const char *listener_at(const struct phone_book *book, const char *address,
                               struct arena *arena)
{
    struct address to = ip_of(address);
    struct phone_number number;
    if (!phone_book_find(book, &to, arena, &number)) {
        return "";
    }
    return arena_text(arena, number.listener);
}

static const char *listener_of_host(const struct phone_book *book, const char *host, uint16_t port,
                                    struct arena *arena)
{
    struct phone_number number;
    if (!phone_book_find_host(book, span_of(host), port, arena, &number)) {
        return "";
    }
    return arena_text(arena, number.listener);
}

static void an_empty_book_knows_nothing(void **state)
{
    struct phone_book *book = book_of(NULL, 0, 0);
    struct arena arena = {0};
    struct phone_number number;
    struct address to = ip_of("10.0.0.1:80");
    size_t at = 0;
    uint16_t local_port = 0;
    assert_false(phone_book_find(book, &to, &arena, &number));
    assert_false(phone_book_has_ip(book, &to));
    assert_false(phone_book_find_host(book, SPAN("a.example"), 80, &arena, &number));
    assert_false(phone_book_find_service(book, SPAN("api.shop"), 80, &arena, &number));
    assert_false(phone_book_find_service(book, SPAN_EMPTY, 80, &arena, &number));
    assert_false(phone_book_next_local(book, &at, &arena, &number, &local_port));
    phone_book_unref(phone_book_ref(book));
    phone_book_unref(book);
    arena_done(&arena);
}

static void a_service_is_found_by_both_its_addresses_and_each_of_its_ports(void **state)
{
    const struct address addresses[] = {ip_of("10.96.0.10"), ip_of("fd00::10")};
    const struct xds_phone_port ports[] = {{80, XDS_PROTOCOL_HTTP1, 0},
                                           {6379, XDS_PROTOCOL_OPAQUE, 0}};
    const struct xds_phone_entry entry = {.name = SPAN("shop/api"),
                                          .host = SPAN("api.shop.svc.cluster.local"),
                                          .namespace_name = SPAN("shop"),
                                          .addresses = addresses,
                                          .address_count = 2,
                                          .ports = ports,
                                          .port_count = 2};
    struct phone_book *book = book_of(&entry, 1, 0);
    struct arena arena = {0};
    static const struct {
        const char *address;
        const char *wanted;
    } rows[] = {
        {"10.96.0.10:80", "api.shop.svc.cluster.local:80"},
        {"[fd00::10]:80", "api.shop.svc.cluster.local:80"},
        {"10.96.0.10:6379", "api.shop.svc.cluster.local:6379"},
        {"[::ffff:10.96.0.10]:80", "api.shop.svc.cluster.local:80"},
        {"10.96.0.10:81", ""},
        {"10.96.0.11:80", ""},
        {"[fd00::11]:80", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(listener_at(book, rows[i].address, &arena), rows[i].wanted);
    }
    struct phone_number number;
    struct address to = ip_of("10.96.0.10:6379");
    assert_true(phone_book_find(book, &to, &arena, &number));
    assert_true(span_equal_text(number.entry, "shop/api"));
    assert_true(span_equal_text(number.host, "api.shop.svc.cluster.local"));
    assert_int_equal(number.kind, XDS_PHONE_SERVICE);
    assert_int_equal(number.port, 6379);
    assert_int_equal(number.protocol, XDS_PROTOCOL_OPAQUE);
    assert_null(number.workload);
    to = ip_of("10.96.0.10:9");
    assert_true(phone_book_has_ip(book, &to));
    phone_book_unref(book);
    arena_done(&arena);
}

static void a_service_is_found_by_its_names(void **state)
{
    const struct xds_phone_port port = {80, XDS_PROTOCOL_AUTO, 0};
    const struct xds_phone_entry entries[] = {
        {.name = SPAN("shop/api"),
         .host = SPAN("api.shop.svc.cluster.local"),
         .ports = &port,
         .port_count = 1},
        {.name = SPAN("shop/web"),
         .host = SPAN("web.shop.svc.cluster.local"),
         .ports = &port,
         .port_count = 1},
        {.name = SPAN("a/own"), .host = SPAN("own.example"), .ports = &port, .port_count = 1},
        {.name = SPAN("ip/10.0.0.1"), .kind = XDS_PHONE_WORKLOAD, .ports = &port, .port_count = 1},
    };
    struct phone_book *book = book_of(entries, 4, 0);
    static const struct {
        const char *name;
        uint16_t port;
        const char *wanted; /* "" = not found */
    } rows[] = {
        {"shop/api", 80, "api.shop.svc.cluster.local:80"},
        {"api.shop", 80, "api.shop.svc.cluster.local:80"},
        {"api.shop.svc.cluster.local", 80, "api.shop.svc.cluster.local:80"},
        {"web.shop", 80, "web.shop.svc.cluster.local:80"},
        {"own.a", 80, "own.example:80"},
        {"api.shop", 81, ""},
        {"api", 80, ""},
        {"api.", 80, ""},
        {".shop", 80, ""},
        {"/", 80, ""},
        {"shop/", 80, ""},
        {"api.shop.svc", 80, ""},
        {".svc.cluster.local", 80, ""},
        {"ip/10.0.0.1", 80, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = {0};
        struct phone_number number = {0};
        bool found =
            phone_book_find_service(book, span_of(rows[i].name), rows[i].port, &arena, &number);
        if (found != (rows[i].wanted[0] != '\0') ||
            !span_equal_text(number.listener, rows[i].wanted)) {
            fail_msg("%s", rows[i].name);
        }
        arena_done(&arena);
    }
    phone_book_unref(book);
}

static void a_host_outside_is_found_exactly_or_by_the_longest_suffix(void **state)
{
    const struct span plain[] = {SPAN("id.example"), SPAN("Www.Example.Org.")};
    const struct span wild[] = {SPAN("*.example")};
    const struct span wilder[] = {SPAN("*.a.example")};
    const struct xds_phone_port ports[] = {{443, XDS_PROTOCOL_TLS, 0}, {80, 0, 0}};
    const struct xds_phone_entry entries[] = {
        {.name = SPAN("x/plain"),
         .host = SPAN("id.example"),
         .kind = XDS_PHONE_EXTERNAL,
         .hosts = plain,
         .host_count = 2,
         .ports = ports,
         .port_count = 2},
        {.name = SPAN("x/wild"),
         .host = SPAN("*.example"),
         .kind = XDS_PHONE_EXTERNAL,
         .hosts = wild,
         .host_count = 1,
         .ports = ports,
         .port_count = 1},
        {.name = SPAN("x/wilder"),
         .host = SPAN("*.a.example"),
         .kind = XDS_PHONE_EXTERNAL,
         .hosts = wilder,
         .host_count = 1,
         .ports = ports,
         .port_count = 1},
        {.name = SPAN("x/svc"),
         .host = SPAN("s.x.svc.cluster.local"),
         .hosts = plain,
         .host_count = 2,
         .ports = ports,
         .port_count = 2},
    };
    struct phone_book *book = book_of(entries, 4, 0);
    struct arena arena = {0};
    static const struct {
        const char *host;
        uint16_t port;
        const char *wanted;
    } rows[] = {
        {"id.example", 443, "id.example:443"},
        {"ID.Example", 443, "id.example:443"},
        {"id.example.", 80, "id.example:80"},
        {"id.example", 81, ""},
        {"www.example.org", 80, "id.example:80"},
        {"b.example", 443, "*.example:443"},
        {"c.b.example", 443, "*.example:443"},
        {"b.a.example", 443, "*.a.example:443"},
        {"c.b.a.EXAMPLE", 443, "*.a.example:443"},
        {"b.example", 80, ""},
        {"example", 443, ""},
        {".example", 443, ""},
        {"badexample", 443, ""},
        {"a.example", 443, "*.example:443"},
        {"*.example", 443, "*.example:443"},
        {"example.org", 80, ""},
        {"", 443, ""},
        {".", 443, ""},
        {"..", 443, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *found = listener_of_host(book, rows[i].host, rows[i].port, &arena);
        if (strcmp(found, rows[i].wanted) != 0) {
            fail_msg("%s: %s", rows[i].host, found);
        }
    }
    phone_book_unref(book);
    arena_done(&arena);
}

static void a_host_of_any_length_is_harmless(void **state)
{
    char longest[300];
    memset(longest, 'a', sizeof(longest));
    for (size_t i = 1; i < sizeof(longest); i += 2) {
        longest[i] = '.';
    }
    struct span hosts[] = {span_make(longest, 253), span_make(longest, 299)};
    const struct xds_phone_port port = {443, XDS_PROTOCOL_TLS, 0};
    const struct xds_phone_entry entry = {.name = SPAN("x/y"),
                                          .host = SPAN("h"),
                                          .kind = XDS_PHONE_EXTERNAL,
                                          .hosts = hosts,
                                          .host_count = 2,
                                          .ports = &port,
                                          .port_count = 1};
    struct phone_book *book = book_of(&entry, 1, 1);
    for (size_t length = 0; length <= sizeof(longest); length++) {
        struct arena arena = {0};
        struct phone_number number;
        bool found = phone_book_find_host(book, span_make(longest, length), 443, &arena, &number);
        /* 254 bytes end with a dot and so are the same name. */
        assert_int_equal(found, length == 253 || length == 254);
        arena_done(&arena);
    }
    phone_book_unref(book);
}

static void who_claims_what_is_taken_loses_by_name_whatever_the_order(void **state)
{
    const struct address one = ip_of("10.96.0.10");
    const struct address both[] = {one, ip_of("10.96.0.11")};
    const struct span hosts[] = {SPAN("a.example")};
    const struct span same[] = {SPAN("A.example.")};
    const struct xds_phone_port port = {80, 0, 0};
    const struct xds_phone_entry a = {.name = SPAN("shop/a"),
                                      .host = SPAN("a"),
                                      .addresses = &one,
                                      .address_count = 1,
                                      .ports = &port,
                                      .port_count = 1};
    const struct xds_phone_entry b = {.name = SPAN("shop/b"),
                                      .host = SPAN("b"),
                                      .addresses = both,
                                      .address_count = 2,
                                      .ports = &port,
                                      .port_count = 1};
    const struct xds_phone_entry pod = {.name = SPAN("ip/10.96.0.10"),
                                        .kind = XDS_PHONE_WORKLOAD,
                                        .addresses = &one,
                                        .address_count = 1};
    const struct xds_phone_entry out1 = {.name = SPAN("x/1"),
                                         .host = SPAN("one"),
                                         .kind = XDS_PHONE_EXTERNAL,
                                         .hosts = hosts,
                                         .host_count = 1,
                                         .ports = &port,
                                         .port_count = 1};
    const struct xds_phone_entry out2 = {.name = SPAN("x/2"),
                                         .host = SPAN("two"),
                                         .kind = XDS_PHONE_EXTERNAL,
                                         .hosts = same,
                                         .host_count = 1,
                                         .ports = &port,
                                         .port_count = 1};
    const struct xds_phone_entry orders[][5] = {{a, b, pod, out1, out2}, {out2, pod, b, out1, a}};
    for (size_t i = 0; i < 2; i++) {
        struct phone_book *book = book_of(orders[i], 5, 3);
        struct arena arena = {0};
        assert_string_equal(listener_at(book, "10.96.0.10:80", &arena), "a:80");
        assert_string_equal(listener_at(book, "10.96.0.11:80", &arena), "b:80");
        assert_string_equal(listener_of_host(book, "a.example", 80, &arena), "one:80");
        phone_book_unref(book);
        arena_done(&arena);
    }
}

static void a_workload_answers_at_the_address_and_port_that_were_dialled(void **state)
{
    const struct address addresses[] = {ip_of("10.0.0.5"), ip_of("fd00::5")};
    const struct xds_phone_port port = {6379, XDS_PROTOCOL_OPAQUE, 0};
    struct xds_phone_entry entry = {.name = SPAN("ip/10.0.0.5"),
                                    .kind = XDS_PHONE_WORKLOAD,
                                    .addresses = addresses,
                                    .address_count = 2,
                                    .ports = &port,
                                    .port_count = 1};
    entry.workload = (struct xds_endpoint){.address = ip_of("10.0.0.5:8080"),
                                           .identity = SPAN("spiffe://td/ns/a/sa/b"),
                                           .workload = SPAN("db-0"),
                                           .protocol = XDS_PROTOCOL_HTTP2,
                                           .flags = XDS_ENDPOINT_SIDECAR};
    struct phone_book *book = book_of(&entry, 1, 0);
    static const struct {
        const char *address;
        uint8_t protocol;
    } rows[] = {{"10.0.0.5:1234", XDS_PROTOCOL_HTTP2},
                {"10.0.0.5:6379", XDS_PROTOCOL_OPAQUE},
                {"[fd00::5]:6379", XDS_PROTOCOL_OPAQUE}};
    for (size_t i = 0; i < 3; i++) {
        struct arena arena = {0};
        struct phone_number number;
        struct address to = ip_of(rows[i].address);
        assert_true(phone_book_find(book, &to, &arena, &number));
        assert_int_equal(number.listener.length, 0);
        assert_int_equal(number.port, to.port);
        assert_int_equal(number.protocol, rows[i].protocol);
        assert_int_equal(number.workload->protocol, rows[i].protocol);
        assert_true(address_equal(&number.workload->address, &to));
        assert_true(span_equal_text(number.workload->identity, "spiffe://td/ns/a/sa/b"));
        arena_done(&arena);
    }
    phone_book_unref(book);
}

static void local_ports_are_walked_with_their_services(void **state)
{
    const struct xds_phone_port api[] = {{80, 0, 10080}, {81, 0, 0}, {82, 0, 10082}};
    const struct xds_phone_port web[] = {{80, 0, 10180}};
    const struct xds_phone_entry entries[] = {
        {.name = SPAN("shop/web"),
         .host = SPAN("web.shop.svc.cluster.local"),
         .ports = web,
         .port_count = 1},
        {.name = SPAN("shop/api"),
         .host = SPAN("api.shop.svc.cluster.local"),
         .ports = api,
         .port_count = 3},
    };
    struct phone_book *book = book_of(entries, 2, 0);
    struct arena arena = {0};
    struct phone_number number;
    uint16_t local_port = 0;
    size_t at = 0;
    static const char *const wanted[] = {"api.shop.svc.cluster.local:80 10080",
                                         "api.shop.svc.cluster.local:82 10082",
                                         "web.shop.svc.cluster.local:80 10180"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(phone_book_next_local(book, &at, &arena, &number, &local_port));
        char line[64];
        snprintf(line, sizeof(line), "%.*s %u", SPAN_ARG(number.listener), local_port);
        assert_string_equal(line, wanted[i]);
    }
    assert_false(phone_book_next_local(book, &at, &arena, &number, &local_port));
    phone_book_unref(book);
    arena_done(&arena);
}

/* The text of everything that was handed in is gone when the book is asked. */
static void ten_thousand_services_of_two_ports_take_less_than_3_MB(void **state)
{
    enum { SERVICES = 10000 };
    struct arena scratch = {0};
    struct xds_phone_entry **entries = mem_array(SERVICES, sizeof(*entries));
    for (unsigned i = 0; i < SERVICES; i++) {
        struct xds_phone_entry *entry = ARENA_NEW(&scratch, struct xds_phone_entry);
        struct address *address = ARENA_NEW(&scratch, struct address);
        struct xds_phone_port *ports = ARENA_ARRAY(&scratch, struct xds_phone_port, 2);
        *address = (struct address){.family = 4, .bytes = {10, 96, (uint8_t)(i >> 8), (uint8_t)i}};
        ports[0] = (struct xds_phone_port){.port = 80, .protocol = XDS_PROTOCOL_HTTP1};
        ports[1] = (struct xds_phone_port){.port = 9090, .protocol = XDS_PROTOCOL_OPAQUE};
        entry->name = span_of(arena_printf(&scratch, "namespace-%u/service-%u", i % 100, i));
        entry->host = span_of(
            arena_printf(&scratch, "service-%u.namespace-%u.svc.cluster.local", i, i % 100));
        entry->addresses = address;
        entry->address_count = 1;
        entry->ports = ports;
        entry->port_count = 2;
        entries[i] = entry;
    }
    size_t before = heap_bytes();
    size_t conflicts = 0;
    struct phone_book *book =
        phone_book_create((const struct xds_phone_entry *const *)entries, SERVICES, &conflicts);
    size_t bytes = heap_bytes() - before;
    print_message("%u services: %zu KB\n", SERVICES, bytes / 1024);
    arena_done(&scratch);
    mem_free(entries);
    assert_int_equal(conflicts, 0);
    for (unsigned i = 0; i < SERVICES; i++) {
        struct arena arena = {0};
        struct phone_number number;
        char name[64];
        struct address to = {.family = 4, .port = i % 2 == 0 ? 80 : 9090};
        to.bytes[0] = 10;
        to.bytes[1] = 96;
        to.bytes[2] = (uint8_t)(i >> 8);
        to.bytes[3] = (uint8_t)i;
        snprintf(name, sizeof(name), "namespace-%u/service-%u", i % 100, i);
        assert_true(phone_book_find(book, &to, &arena, &number));
        assert_true(span_equal_text(number.entry, name));
        assert_true(phone_book_find_service(book, span_of(name), 80, &arena, &number));
        arena_done(&arena);
    }
    phone_book_unref(book);
    assert_in_range(bytes, 1, 3 * 1024 * 1024);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(an_empty_book_knows_nothing),
        cmocka_unit_test(a_service_is_found_by_both_its_addresses_and_each_of_its_ports),
        cmocka_unit_test(a_service_is_found_by_its_names),
        cmocka_unit_test(a_host_outside_is_found_exactly_or_by_the_longest_suffix),
        cmocka_unit_test(a_host_of_any_length_is_harmless),
        cmocka_unit_test(who_claims_what_is_taken_loses_by_name_whatever_the_order),
        cmocka_unit_test(a_workload_answers_at_the_address_and_port_that_were_dialled),
        cmocka_unit_test(local_ports_are_walked_with_their_services),
        cmocka_unit_test(ten_thousand_services_of_two_ports_take_less_than_3_MB),
    };
    return TEST_MAIN(cases, argc, argv);
}
