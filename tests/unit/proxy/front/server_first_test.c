#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "proxy/front/server_first.h"

static const int64_t hour_ns = 3600 * NS_PER_S;

static struct address to(uint32_t number, uint16_t port)
{
    return (struct address){
        .family = 4, .port = port, .bytes = {10, 0, (uint8_t)(number >> 8), (uint8_t)number}};
}

static void a_destination_is_its_address_and_port(void **state)
{
    struct server_first table = {.count = 0};
    struct address learned = to(1, 3306);
    struct address other_port = to(1, 80);
    struct address other_host = to(2, 3306);
    assert_false(server_first_known(&table, &learned, 0));
    server_first_learn(&table, &learned, 0);
    assert_true(server_first_known(&table, &learned, 0));
    assert_false(server_first_known(&table, &other_port, 0));
    assert_false(server_first_known(&table, &other_host, 0));
}

static void what_is_not_confirmed_for_a_day_is_not_believed(void **state)
{
    struct server_first table = {.count = 0};
    struct address at = to(1, 25);
    server_first_learn(&table, &at, 0);
    assert_true(server_first_known(&table, &at, 24 * hour_ns - 1));
    assert_false(server_first_known(&table, &at, 24 * hour_ns));
    server_first_learn(&table, &at, 20 * hour_ns);
    assert_true(server_first_known(&table, &at, 43 * hour_ns));
    assert_int_equal(table.count, 1);
}

static void two_doubts_forget_and_a_confirmation_takes_them_away(void **state)
{
    static const struct {
        const char *events; /* d = doubt, l = learned again */
        bool known;
    } rows[] = {{"", true}, {"d", true}, {"dd", false}, {"dld", true}, {"dldd", false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct server_first table = {.count = 0};
        struct address at = to(1, 25);
        server_first_learn(&table, &at, 0);
        for (const char *event = rows[i].events; *event != '\0'; event++) {
            if (*event == 'd') {
                server_first_doubt(&table, &at);
            } else {
                server_first_learn(&table, &at, 0);
            }
        }
        assert_int_equal(server_first_known(&table, &at, 0), rows[i].known);
    }
    struct server_first table = {.count = 0};
    struct address unknown = to(9, 9);
    server_first_doubt(&table, &unknown);
    assert_int_equal(table.count, 0);
}

static void a_full_table_gives_up_what_was_confirmed_longest_ago(void **state)
{
    struct server_first table = {.count = 0};
    for (uint32_t i = 0; i < SERVER_FIRST_ENTRIES; i++) {
        struct address at = to(i, 25);
        server_first_learn(&table, &at, (int64_t)i);
    }
    struct address first = to(0, 25);
    struct address second = to(1, 25);
    struct address another = to(1000, 25);
    server_first_learn(&table, &first, 1000); /* no longer the oldest */
    server_first_learn(&table, &another, 1001);
    assert_int_equal(table.count, SERVER_FIRST_ENTRIES);
    assert_true(server_first_known(&table, &first, 1001));
    assert_true(server_first_known(&table, &another, 1001));
    assert_false(server_first_known(&table, &second, 1001));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_destination_is_its_address_and_port),
        cmocka_unit_test(what_is_not_confirmed_for_a_day_is_not_believed),
        cmocka_unit_test(two_doubts_forget_and_a_confirmation_takes_them_away),
        cmocka_unit_test(a_full_table_gives_up_what_was_confirmed_longest_ago),
    };
    return TEST_MAIN(cases, argc, argv);
}
