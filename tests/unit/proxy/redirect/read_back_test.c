#include "tests/unit/test_main.h"

#include "proxy/redirect/read_back.h"

/* What libnftables 1.0.6 prints, cut down to two rules. */
#define META "{\"metainfo\": {\"version\": \"1.0.6\", \"json_schema_version\": 1}}"
#define HOOKED(table, name, hook, priority)                                                        \
    "{\"chain\": {\"family\": \"inet\", \"table\": \"" table "\", \"name\": \"" name               \
    "\", \"handle\": 1, \"type\": \"nat\", \"hook\": \"" hook "\", \"prio\": " priority            \
    ", \"policy\": \"accept\"}}"
#define PRE HOOKED("remora", "pre", "prerouting", "-100")
#define OUT HOOKED("remora", "out", "output", "-100")
#define SET(table, elements)                                                                       \
    "{\"set\": {\"family\": \"inet\", \"name\": \"skip_in\", \"table\": \"" table                  \
    "\", \"type\": \"inet_service\", \"handle\": 3, \"flags\": [\"interval\"], \"elem\": "         \
    "[" elements "]}}"
#define RULE(table, handle, name, port, packets)                                                   \
    "{\"rule\": {\"family\": \"inet\", \"table\": \"" table                                        \
    "\", \"chain\": \"out\", \"handle\": " handle ", \"comment\": \"" name                         \
    "\", \"expr\": [{\"match\": {\"op\": \"==\", \"left\": {\"meta\": "                            \
    "{\"key\": \"l4proto\"}}, \"right\": 6}}, {\"counter\": {\"packets\": " packets                \
    ", \"bytes\": 60}}, {\"redirect\": {\"port\": " port "}}]}}"
#define LISTING(...) "{\"nftables\": [" META ", " __VA_ARGS__ "]}"
#define JOIN ", "

static const char twin[] = LISTING(SET("remora_twin", "15020, 15021")
                                       JOIN RULE("remora_twin", "7", "self-call-ip4", "15006", "0")
                                           JOIN RULE("remora_twin", "8", "outbound", "15001", "0"));

static struct read_back *parse(const char *json)
{
    struct text problem = {0};
    struct read_back *listing = read_back_parse(span_of(json), &problem);
    assert_non_null(listing);
    text_done(&problem);
    return listing;
}

static void equal_tables_are_equal_whatever_handles_and_counters_say(void **state)
{
    struct read_back *installed =
        parse(LISTING(PRE JOIN OUT JOIN SET("remora", "15020, 15021")
                          JOIN RULE("remora", "70", "self-call-ip4", "15006", "12")
                              JOIN RULE("remora", "80", "outbound", "15001", "34")));
    struct read_back *wanted = parse(twin);
    struct read_back_difference difference = {0};
    assert_true(read_back_same(installed, wanted, &difference));
    assert_int_equal(difference.words.length, 0);
    read_back_destroy(installed);
    read_back_destroy(wanted);
}

static void each_difference_is_found_and_named(void **state)
{
    static const struct {
        const char *installed;
        const char *name;
        const char *words;
    } cases[] = {
        {LISTING(OUT), "pre",
         "there is no nat chain pre with priority -100 at the prerouting hook"},
        {LISTING(PRE), "out", "there is no nat chain out with priority -100 at the output hook"},
        {LISTING(PRE JOIN HOOKED("remora", "out", "output", "0")), "out",
         "there is no nat chain out with priority -100 at the output hook"},
        {LISTING(PRE JOIN HOOKED("remora", "out", "input", "-100")), "out",
         "there is no nat chain out with priority -100 at the output hook"},
        {LISTING(PRE JOIN OUT), "skip_in", "set skip_in is missing"},
        {LISTING(PRE JOIN OUT JOIN SET("remora", "15020")), "skip_in",
         "set skip_in is not as it was installed"},
        {LISTING(PRE JOIN OUT JOIN SET("remora", "15020, 15021")
                     JOIN RULE("remora", "8", "outbound", "15001", "0")),
         "self-call-ip4", "rule self-call-ip4 of chain out is missing"},
        {LISTING(PRE JOIN OUT JOIN SET("remora", "15020, 15021")
                     JOIN RULE("remora", "7", "self-call-ip4", "15007", "0")
                         JOIN RULE("remora", "8", "outbound", "15001", "0")),
         "self-call-ip4", "rule self-call-ip4 of chain out is not as it was installed"},
        {LISTING(PRE JOIN OUT JOIN SET("remora", "15020, 15021")
                     JOIN RULE("remora", "8", "outbound", "15001", "0")
                         JOIN RULE("remora", "7", "self-call-ip4", "15006", "0")),
         "outbound", "rule outbound of chain out is not ours, or not in its place"},
        {LISTING(PRE JOIN OUT JOIN SET("remora", "15020, 15021")
                     JOIN RULE("remora", "5", "guest", "99", "0")
                         JOIN RULE("remora", "7", "self-call-ip4", "15006", "0")
                             JOIN RULE("remora", "8", "outbound", "15001", "0")),
         "guest", "rule guest of chain out is not ours, or not in its place"},
        {LISTING(PRE JOIN OUT JOIN SET("remora", "15020, 15021")
                     JOIN RULE("remora", "7", "self-call-ip4", "15006", "0")
                         JOIN RULE("remora", "8", "outbound", "15001", "0")
                             JOIN RULE("remora", "9", "", "99", "0")),
         "(without a name)", "rule (without a name) of chain out is not ours, or not in its place"},
    };
    struct read_back *wanted = parse(twin);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct read_back *installed = parse(cases[i].installed);
        struct read_back_difference difference = {0};
        assert_false(read_back_same(installed, wanted, &difference));
        assert_string_equal(difference.name, cases[i].name);
        assert_string_equal(difference.words.bytes, cases[i].words);
        text_done(&difference.words);
        read_back_destroy(installed);
    }
    read_back_destroy(wanted);
}

static void counters_are_summed_over_rules_of_a_name(void **state)
{
    struct read_back *listing =
        parse(LISTING(OUT JOIN RULE("remora", "6", "self-call-ip4", "15006", "3")
                          JOIN RULE("remora", "7", "outbound-ports", "15001", "20")
                              JOIN RULE("remora", "8", "outbound-networks-ip4", "15001", "100")));
    assert_int_equal(read_back_packets(listing, "outbound"), 120);
    assert_int_equal(read_back_packets(listing, "self-call-ip4"), 3);
    assert_int_equal(read_back_packets(listing, "self-call-ip6"), 0);
    read_back_destroy(listing);
}

static void chains_that_translate_before_ours_are_told(void **state)
{
    static const struct {
        const char *chains;
        size_t count;
    } cases[] = {
        {LISTING(PRE JOIN OUT), 0},
        {LISTING(HOOKED("docker", "dns", "output", "-100")), 1},
        {LISTING(HOOKED("docker", "dns", "output", "-150")
                     JOIN HOOKED("x", "y", "prerouting", "-101")),
         2},
        {LISTING(HOOKED("docker", "late", "output", "-99")), 0},
        {LISTING(HOOKED("docker", "snat", "postrouting", "-300")), 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct read_back *chains = parse(cases[i].chains);
        struct text lines = {0};
        assert_int_equal(read_back_strangers(chains, &lines), cases[i].count);
        assert_int_equal(lines.length > 0, cases[i].count > 0);
        text_done(&lines);
        read_back_destroy(chains);
    }
}

static void what_is_no_listing_is_refused(void **state)
{
    static const char *const cases[] = {
        "", "{", "[]", "null", "{}", "{\"nftables\": {}}", "{\"nftables\": []} x", "\xff\xfe",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text problem = {0};
        assert_null(read_back_parse(span_of(cases[i]), &problem));
        assert_true(problem.length > 0);
        text_done(&problem);
    }
}

static void odd_objects_in_a_listing_do_no_harm(void **state)
{
    static const char *const cases[] = {
        LISTING("1"),
        LISTING("{\"rule\": 7}"),
        LISTING("{\"rule\": {\"comment\": 5, \"expr\": 9}}"),
        LISTING("{\"rule\": {\"comment\": \"outbound\", \"expr\": [1, {\"counter\": \"c\"}]}}"),
        LISTING("{\"chain\": {\"type\": [], \"prio\": \"x\"}}"),
    };
    struct read_back *wanted = parse(twin);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct read_back *listing = parse(cases[i]);
        struct read_back_difference difference = {0};
        struct text lines = {0};
        assert_false(read_back_same(listing, wanted, &difference));
        assert_int_equal(read_back_packets(listing, "outbound"), 0);
        assert_int_equal(read_back_strangers(listing, &lines), 0);
        text_done(&difference.words);
        read_back_destroy(listing);
    }
    read_back_destroy(wanted);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(equal_tables_are_equal_whatever_handles_and_counters_say),
        cmocka_unit_test(each_difference_is_found_and_named),
        cmocka_unit_test(counters_are_summed_over_rules_of_a_name),
        cmocka_unit_test(chains_that_translate_before_ours_are_told),
        cmocka_unit_test(what_is_no_listing_is_refused),
        cmocka_unit_test(odd_objects_in_a_listing_do_no_harm),
    };
    return TEST_MAIN(cases, argc, argv);
}
