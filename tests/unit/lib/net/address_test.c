#include "lib/net/address.h"

#include "tests/unit/test_main.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

static void every_spelling_that_is_an_address_is_read_and_no_other(void **state)
{
    const struct {
        const char *text;
        const char *expected; /* NULL = refused */
    } cases[] = {
        {"10.0.0.1:80", "10.0.0.1:80"},
        {"0.0.0.0:0", "0.0.0.0:0"},
        {"[fd00::1]:65535", "[fd00::1]:65535"},
        {"[FD00:0:0::1]:1", "[fd00::1]:1"},
        {"[::]:15001", "[::]:15001"},
        {"[::ffff:10.0.0.1]:80", "10.0.0.1:80"},
        {"", NULL},
        {":80", NULL},
        {"10.0.0.1", NULL},
        {"10.0.0.1:", NULL},
        {"10.0.0.1:65536", NULL},
        {"10.0.0.1:000080", NULL},
        {"10.0.0.1:+80", NULL},
        {"10.0.0.1:80 ", NULL},
        {"010.0.0.1:80", NULL},
        {"10.0.1:80", NULL},
        {"256.0.0.1:80", NULL},
        {"fd00::1:80", NULL},
        {"[10.0.0.1]:80", NULL},
        {"[fd00::1]", NULL},
        {"[fd00::1]80", NULL},
        {"[fd00::1:80", NULL},
        {"[]:80", NULL},
        /* CVE-2026-26310: a scope id. */
        {"[fe80::1%eth0]:80", NULL},
        {"[fe80::1%]:80", NULL},
        {"[1111:2222:3333:4444:5555:6666:7777:8888:9999]:80", NULL},
        {"[1111:2222:3333:4444:5555:6666:255.255.255.255.255.255.255.255.255]:80", NULL},
        {"host:80", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address = {.family = 99};
        char text[ADDRESS_TEXT_BYTES];
        bool read = address_parse(span_of(cases[i].text), &address);
        assert_int_equal(read, cases[i].expected != NULL);
        if (read) {
            address_format(&address, text);
            assert_string_equal(text, cases[i].expected);
        } else {
            assert_int_equal(address.family, 99);
        }
    }
}

static void a_nul_in_an_address_is_refused(void **state)
{
    struct address address;
    assert_false(address_parse_ip(SPAN("10.0.0.1\0"), &address));
    assert_false(address_parse(SPAN("10.0.0.1\0:80"), &address));
}

static void a_client_has_one_spelling(void **state)
{
    struct address v4;
    struct address mapped;
    struct sockaddr_storage storage;
    assert_true(address_parse(SPAN("192.0.2.1:443"), &v4));
    assert_int_equal(address_to_sockaddr(&v4, true, &storage), sizeof(struct sockaddr_in6));
    assert_int_equal(storage.ss_family, AF_INET6);
    assert_true(address_from_sockaddr((struct sockaddr *)&storage, &mapped));
    assert_true(address_equal(&v4, &mapped));
    assert_int_equal(address_hash(&v4), address_hash(&mapped));
    assert_memory_equal(&v4, &mapped, sizeof(v4));
}

static void every_address_is_written_as_it_is_read(void **state)
{
    static const char *const cases[] = {"0.0.0.0:1", "255.255.255.255:65535", "10.0.0.200:80",
                                        "[::1]:8080", "[fd00::1:0:10]:443"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address;
        struct address alone;
        char whole[ADDRESS_TEXT_BYTES];
        char ip[ADDRESS_TEXT_BYTES];
        assert_true(address_parse(span_of(cases[i]), &address));
        address_format(&address, whole);
        assert_string_equal(whole, cases[i]);
        address_format_ip(&address, ip);
        assert_true(address_parse_ip(span_of(ip), &alone));
        assert_true(address_equal_ip(&address, &alone));
    }
}

static void both_families_survive_a_sockaddr(void **state)
{
    const char *texts[] = {"192.0.2.1:443", "[2001:db8::5]:8080"};
    for (size_t i = 0; i < 2; i++) {
        struct address before;
        struct address after;
        struct sockaddr_storage storage;
        assert_true(address_parse(span_of(texts[i]), &before));
        address_to_sockaddr(&before, false, &storage);
        assert_true(address_from_sockaddr((struct sockaddr *)&storage, &after));
        assert_true(address_equal(&before, &after));
    }
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct address none;
    assert_false(address_from_sockaddr((struct sockaddr *)&local, &none));
}

static void addresses_differ_in_port_family_and_bytes(void **state)
{
    struct address one;
    struct address other;
    assert_true(address_parse(SPAN("10.0.0.1:80"), &one));
    assert_true(address_parse(SPAN("10.0.0.1:81"), &other));
    assert_false(address_equal(&one, &other));
    assert_true(address_equal_ip(&one, &other));
    assert_int_not_equal(address_hash(&one), address_hash(&other));
    assert_true(address_parse(SPAN("10.0.0.2:80"), &other));
    assert_false(address_equal_ip(&one, &other));
    assert_true(address_parse(SPAN("[a00:1::]:80"), &other));
    assert_false(address_equal_ip(&one, &other));
}

static void loopback_and_wildcard_are_known(void **state)
{
    const struct {
        const char *ip;
        bool loopback;
        bool wildcard;
    } cases[] = {
        {"127.0.0.1", true, false}, {"127.9.9.9", true, false}, {"::1", true, false},
        {"0.0.0.0", false, true},   {"::", false, true},        {"128.0.0.1", false, false},
        {"fd00::1", false, false},  {"1::", false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address;
        assert_true(address_parse_ip(span_of(cases[i].ip), &address));
        assert_int_equal(address_is_loopback(&address), cases[i].loopback);
        assert_int_equal(address_is_wildcard(&address), cases[i].wildcard);
    }
    struct address none = {0};
    assert_false(address_is_loopback(&none));
    assert_false(address_is_wildcard(&none));
}

static void no_address_is_shown_as_a_dash(void **state)
{
    struct address none = {0};
    char text[ADDRESS_TEXT_BYTES];
    address_format(&none, text);
    assert_string_equal(text, "-");
    address_format_ip(&none, text);
    assert_string_equal(text, "-");
}

static void blocks_are_read_strictly(void **state)
{
    const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"10.0.0.0/8", "10.0.0.0/8"},
        {"10.1.2.3", "10.1.2.3/32"},
        {"fd00::/8", "fd00::/8"},
        {"fd00::1", "fd00::1/128"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"::/0", "::/0"},
        {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
        {"::ffff:10.0.0.0/95", NULL},
        {"10.0.0.1/8", NULL},
        {"10.0.0.0/33", NULL},
        {"10.0.0.0/", NULL},
        {"10.0.0.0/-1", NULL},
        {"10.0.0.0/8/8", NULL},
        {"fd00::/129", NULL},
        {"fd00::1/8", NULL},
        {"/8", NULL},
        {"fe80::%eth0/64", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cidr cidr;
        char text[ADDRESS_TEXT_BYTES];
        bool read = cidr_parse(span_of(cases[i].text), &cidr);
        assert_int_equal(read, cases[i].expected != NULL);
        if (read) {
            cidr_format(&cidr, text);
            assert_string_equal(text, cases[i].expected);
        }
    }
}

static void a_block_contains_its_own(void **state)
{
    const struct {
        const char *block;
        const char *ip;
        bool contains;
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.1", false},
        {"10.0.0.0/9", "10.127.255.255", true},
        {"10.0.0.0/9", "10.128.0.0", false},
        {"10.1.2.3", "10.1.2.3", true},
        {"10.1.2.3", "10.1.2.2", false},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "fd00::1", true},
        {"::/0", "10.0.0.1", false},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"10.0.0.0/8", "::ffff:10.1.1.1", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct cidr cidr;
        struct address address;
        assert_true(cidr_parse(span_of(cases[i].block), &cidr));
        assert_true(address_parse_ip(span_of(cases[i].ip), &address));
        assert_int_equal(cidr_contains(&cidr, &address), cases[i].contains);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(every_spelling_that_is_an_address_is_read_and_no_other),
        cmocka_unit_test(a_nul_in_an_address_is_refused),
        cmocka_unit_test(a_client_has_one_spelling),
        cmocka_unit_test(every_address_is_written_as_it_is_read),
        cmocka_unit_test(both_families_survive_a_sockaddr),
        cmocka_unit_test(addresses_differ_in_port_family_and_bytes),
        cmocka_unit_test(loopback_and_wildcard_are_known),
        cmocka_unit_test(no_address_is_shown_as_a_dash),
        cmocka_unit_test(blocks_are_read_strictly),
        cmocka_unit_test(a_block_contains_its_own),
    };
    return TEST_MAIN(cases, argc, argv);
}
