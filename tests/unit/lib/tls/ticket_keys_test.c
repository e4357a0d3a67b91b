#include "lib/tls/ticket_keys.h"

#include "lib/base/clock.h"
#include "tests/unit/test_main.h"

enum { ROOM = 256 };

static int real_clock(void **state)
{
    clock_real();
    return 0;
}

static bool opens(struct ticket_keys *keys, const uint8_t *sealed, size_t length)
{
    uint8_t opened[ROOM];
    size_t opened_length = 0;
    if (!ticket_keys_open(keys, opened, sizeof(opened), sealed, length, &opened_length)) {
        return false;
    }
    assert_int_equal(opened_length, 7);
    assert_memory_equal(opened, "session", 7);
    return true;
}

static size_t seal(struct ticket_keys *keys, uint8_t *sealed)
{
    size_t length = 0;
    assert_true(ticket_keys_seal(keys, sealed, ROOM, (const uint8_t *)"session", 7, &length));
    assert_int_equal(length, 7 + TICKET_OVERHEAD_BYTES);
    return length;
}

static void a_ticket_opens_under_its_own_keys_only(void **state)
{
    struct ticket_keys *mine = ticket_keys_create(), *other = ticket_keys_create();
    uint8_t sealed[ROOM];
    size_t length = seal(mine, sealed);
    assert_true(opens(mine, sealed, length));
    assert_false(opens(other, sealed, length));
    ticket_keys_destroy(mine);
    ticket_keys_destroy(other);
}

static void a_forged_ticket_never_opens(void **state)
{
    struct ticket_keys *keys = ticket_keys_create();
    uint8_t sealed[ROOM];
    size_t length = seal(keys, sealed);
    for (size_t i = 0; i < length; i++) {
        sealed[i] ^= 0x20;
        assert_false(opens(keys, sealed, length));
        sealed[i] ^= 0x20;
    }
    for (size_t cut = 0; cut < length; cut++) {
        assert_false(opens(keys, sealed, cut));
    }
    uint8_t zero[ROOM] = {0};
    for (size_t i = 0; i < ROOM; i++) {
        assert_false(opens(keys, zero, i));
    }
    ticket_keys_destroy(keys);
}

static void a_hundred_rotations_keep_the_last_two_keys(void **state)
{
    clock_fake(1, 1);
    struct ticket_keys *keys = ticket_keys_create();
    uint8_t before[ROOM], last[ROOM];
    size_t length = seal(keys, last);
    for (int i = 0; i < 100; i++) {
        memcpy(before, last, sizeof(last));
        clock_fake_advance(TICKET_KEY_LIFE_S * NS_PER_S);
        assert_true(opens(keys, before, length));
        seal(keys, last);
        assert_memory_not_equal(before, last, TICKET_NAME_BYTES);
        clock_fake_advance((TICKET_KEY_LIFE_S - 1) * NS_PER_S);
        assert_true(opens(keys, before, length));
        assert_true(opens(keys, last, length));
        clock_fake_advance(NS_PER_S);
        assert_false(opens(keys, before, length));
        seal(keys, last);
    }
    clock_fake_advance(2 * TICKET_KEY_LIFE_S * NS_PER_S);
    assert_false(opens(keys, last, length));
    ticket_keys_destroy(keys);
}

static void without_room_nothing_is_sealed(void **state)
{
    struct ticket_keys *keys = ticket_keys_create();
    uint8_t sealed[ROOM];
    size_t length = 99;
    for (size_t room = 0; room < 7 + TICKET_OVERHEAD_BYTES; room++) {
        assert_false(ticket_keys_seal(keys, sealed, room, (const uint8_t *)"session", 7, &length));
    }
    assert_int_equal(length, 99);
    ticket_keys_destroy(keys);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_teardown(a_ticket_opens_under_its_own_keys_only, real_clock),
        cmocka_unit_test_teardown(a_forged_ticket_never_opens, real_clock),
        cmocka_unit_test_teardown(a_hundred_rotations_keep_the_last_two_keys, real_clock),
        cmocka_unit_test_teardown(without_room_nothing_is_sealed, real_clock),
    };
    return TEST_MAIN(cases, argc, argv);
}
