#include "lib/base/siphash.h"

#include "tests/unit/test_main.h"

/* Values of CPython 3.11, which hashes bytes with SipHash-1-3, with a key of zeros. */
static void the_hash_is_that_of_others(void **state)
{
    static const uint64_t zero[2];
    static const struct {
        const char *text;
        uint64_t hash;
    } cases[] = {
        {"a", 0x407448d2b89b1813U},
        {"abcdefg", 0x6db12aae9070f506U},
        {"abcdefgh", 0x3f7b849c0b8e35eaU},
        {"abcdefghijklmnopqrstuvwxyz", 0x323ccd2fd30709dfU},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(siphash13(span_of(cases[i].text), zero), cases[i].hash);
    }
}

/* The first published vector: no bytes, key 00 01 02 ... 0f. */
static void the_key_decides(void **state)
{
    static const uint64_t key[2] = {0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
    static const uint64_t half[2] = {0x0706050403020100U, 0};
    assert_int_equal(siphash13(SPAN_EMPTY, key), 0xabac0158050fc4dcU);
    assert_int_not_equal(siphash13(SPAN("a"), key), siphash13(SPAN("a"), half));
}

static void bytes_above_127_are_not_negative(void **state)
{
    static const uint64_t zero[2];
    assert_int_not_equal(siphash13(SPAN("\xff"), zero), siphash13(SPAN("\xff\xff"), zero));
    assert_int_not_equal(siphash13(SPAN("\x80\x01"), zero), siphash13(SPAN("\x80\x02"), zero));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_hash_is_that_of_others),
        cmocka_unit_test(the_key_decides),
        cmocka_unit_test(bytes_above_127_are_not_negative),
    };
    return TEST_MAIN(cases, argc, argv);
}
