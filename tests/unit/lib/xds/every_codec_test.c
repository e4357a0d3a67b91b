#include "tests/unit/lib/xds/samples.h"

#include "lib/base/random.h"
#include "lib/base/text.h"
#include "lib/xds/xds_guard.h"
#include "tests/unit/test_main.h"

#include <stdlib.h>

/* Each kind of message: what holds of all of them. */

enum { SAMPLES = 300 };

static void what_is_decoded_encodes_to_the_same_bytes(void **state)
{
    (void)state;
    random_seed(1);
    for (size_t kind = 0; kind < codec_count; kind++) {
        for (unsigned i = 0; i < SAMPLES; i++) {
            struct arena arena = {0};
            struct xds_error error = {""};
            struct span bytes = codecs[kind].sample(&arena);
            struct span again = SPAN_EMPTY;
            if (!codecs[kind].again(bytes, &arena, &again, &error)) {
                fail_msg("%s, sample %u: %s", codecs[kind].name, i, error.text);
            }
            if (!span_equal(bytes, again)) {
                fail_msg("%s, sample %u: other bytes", codecs[kind].name, i);
            }
            arena_done(&arena);
        }
    }
}

static void the_same_struct_always_encodes_to_the_same_bytes(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < codec_count; kind++) {
        struct arena arena = {0};
        random_seed(7);
        struct span first = codecs[kind].sample(&arena);
        random_seed(7);
        struct span second = codecs[kind].sample(&arena);
        assert_true(span_equal(first, second));
        arena_done(&arena);
    }
}

/* Decoding may succeed or fail; a failure says why in clean text, and nothing is touched outside.
 */
static void try_bytes(const struct codec *codec, struct span bytes)
{
    struct arena arena = {0};
    struct xds_error error = {""};
    struct span again;
    /* A copy of exact length, so that reading beyond it is seen. */
    char *exact = bytes.length == 0 ? NULL : memcpy(malloc(bytes.length), bytes.at, bytes.length);
    if (!codec->again(span_make(exact, bytes.length), &arena, &again, &error)) {
        assert_true(error.text[0] != '\0');
        assert_true(utf8_valid(span_of(error.text)));
    }
    free(exact);
    arena_done(&arena);
}

static void bytes_cut_off_anywhere_are_survived(void **state)
{
    (void)state;
    random_seed(2);
    for (size_t kind = 0; kind < codec_count; kind++) {
        for (unsigned i = 0; i < 10; i++) {
            struct arena arena = {0};
            struct span bytes = codecs[kind].sample(&arena);
            for (size_t length = 0; length <= bytes.length; length++) {
                try_bytes(&codecs[kind], span_cut(bytes, 0, length));
            }
            arena_done(&arena);
        }
    }
}

static void bytes_with_errors_anywhere_are_survived(void **state)
{
    (void)state;
    random_seed(3);
    for (size_t kind = 0; kind < codec_count; kind++) {
        for (unsigned i = 0; i < SAMPLES; i++) {
            struct arena arena = {0};
            struct span bytes = codecs[kind].sample(&arena);
            char *broken = arena_dup(&arena, bytes.at, bytes.length);
            for (unsigned change = 0; bytes.length > 0 && change < 1 + i % 4; change++) {
                broken[random_below(bytes.length)] = (char)random_below(256);
            }
            try_bytes(&codecs[kind], span_make(broken, bytes.length));
            arena_done(&arena);
        }
    }
}

static void noise_is_survived(void **state)
{
    (void)state;
    random_seed(4);
    for (size_t kind = 0; kind < codec_count; kind++) {
        for (unsigned i = 0; i < SAMPLES; i++) {
            char noise[64];
            size_t length = random_below(sizeof noise);
            for (size_t at = 0; at < length; at++) {
                noise[at] = (char)random_below(i % 2 == 0 ? 256 : 32);
            }
            try_bytes(&codecs[kind], span_make(noise, length));
        }
    }
}

/*
 * Every field left out, and every field emptied ("null"), one at a time: for top-level fields of
 * the wire format. (A blank field that was dereferenced has stopped whole fleets.)
 */
static size_t varint(struct span bytes, size_t at, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = (uint8_t)bytes.at[at++];
        *ret |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return at;
        }
    }
}

static size_t field_end(struct span bytes, size_t at, bool *ret_lengthy, size_t *ret_value)
{
    uint64_t tag;
    uint64_t number;
    at = varint(bytes, at, &tag);
    *ret_lengthy = (tag & 7) == 2;
    *ret_value = at;
    switch (tag & 7) {
    case 0:
        return varint(bytes, at, &number);
    case 1:
        return at + 8;
    case 5:
        return at + 4;
    default:
        at = varint(bytes, at, &number);
        return at + number;
    }
}

static void a_field_left_out_or_empty_is_survived(void **state)
{
    (void)state;
    random_seed(5);
    for (size_t kind = 0; kind < codec_count; kind++) {
        for (unsigned i = 0; i < 50; i++) {
            struct arena arena = {0};
            struct span bytes = codecs[kind].sample(&arena);
            size_t end = 0;
            for (size_t at = 0; at < bytes.length; at = end) {
                bool lengthy;
                size_t value;
                end = field_end(bytes, at, &lengthy, &value);
                struct text text = {0};
                text_add(&text, span_cut(bytes, 0, at));
                text_add(&text, span_cut(bytes, end, bytes.length));
                try_bytes(&codecs[kind], text_span(&text));
                text_clear(&text);
                text_add(&text, span_cut(bytes, 0, value));
                if (lengthy) {
                    text_add_byte(&text, '\0');
                    text_add(&text, span_cut(bytes, end, bytes.length));
                    try_bytes(&codecs[kind], text_span(&text));
                }
                text_done(&text);
            }
            arena_done(&arena);
        }
    }
}

static void no_bytes_at_all_are_an_error_where_a_name_is_needed(void **state)
{
    (void)state;
    static const char *const nameless[] = {"load report", "delta request", "SotW request",
                                           "delta response", "SotW response"};
    for (size_t kind = 0; kind < codec_count; kind++) {
        struct arena arena = {0};
        struct xds_error error = {""};
        struct span again;
        bool wanted = false;
        for (size_t i = 0; i < sizeof nameless / sizeof nameless[0]; i++) {
            wanted = wanted || strcmp(nameless[i], codecs[kind].name) == 0;
        }
        assert_int_equal(codecs[kind].again(SPAN_EMPTY, &arena, &again, &error), wanted);
        assert_int_equal(error.text[0] == '\0', wanted);
        arena_done(&arena);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(what_is_decoded_encodes_to_the_same_bytes),
        cmocka_unit_test(the_same_struct_always_encodes_to_the_same_bytes),
        cmocka_unit_test(bytes_cut_off_anywhere_are_survived),
        cmocka_unit_test(bytes_with_errors_anywhere_are_survived),
        cmocka_unit_test(noise_is_survived),
        cmocka_unit_test(a_field_left_out_or_empty_is_survived),
        cmocka_unit_test(no_bytes_at_all_are_an_error_where_a_name_is_needed),
    };
    return TEST_MAIN(cases, argc, argv);
}
