#include "lib/xds/xds_guard.h"

#include "lib/base/text.h"
#include "tests/unit/test_main.h"

#include "envoy/config/core/v3/core.pb-c.h"
#include "google/protobuf/struct.pb-c.h"
#include "remora/xds/v1/remora.pb-c.h"

#include <stdlib.h>

static bool guard(const struct text *bytes, const ProtobufCMessageDescriptor *type)
{
    struct xds_error error = {""};
    bool good = xds_guard(text_span(bytes), type, &error);
    assert_int_equal(good, error.text[0] == '\0');
    return good;
}

static void number(struct text *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        text_add_byte(to, (char)(value | 0x80));
    }
    text_add_byte(to, (char)value);
}

/* Value{list_value=6 ListValue{values=1 Value...}}: two levels each time round. */
static void nest(struct text *to, unsigned levels)
{
    size_t *sizes = calloc(levels + 1, sizeof *sizes);
    for (unsigned i = 1; i <= levels; i++) {
        size_t header = 1;
        for (size_t length = sizes[i - 1]; length >= 0x80; length >>= 7) {
            header++;
        }
        sizes[i] = sizes[i - 1] + header + 1;
    }
    for (unsigned i = levels; i > 0; i--) {
        number(to, (uint64_t)((levels - i) % 2 == 0 ? 6 : 1) << 3 | 2);
        number(to, sizes[i - 1]);
    }
    free(sizes);
}

static void nesting_is_taken_up_to_its_limit_and_not_beyond(void **state)
{
    (void)state;
    struct text bytes = {0};
    nest(&bytes, XDS_GUARD_DEPTH - 1);
    assert_true(guard(&bytes, &pb__value__descriptor));
    text_clear(&bytes);
    nest(&bytes, XDS_GUARD_DEPTH);
    assert_false(guard(&bytes, &pb__value__descriptor));
    text_clear(&bytes);
    nest(&bytes, 200000); /* protobuf-c alone would use up the stack */
    assert_false(guard(&bytes, &pb__value__descriptor));
    text_done(&bytes);
}

static void strings_with_nul_or_broken_utf8_are_refused_and_bytes_are_not(void **state)
{
    (void)state;
    static const struct {
        struct span value;
        bool good;
    } cases[] = {
        {SPAN(""), true},
        {SPAN("api"), true},
        {SPAN("\xc3\xa9"), true},
        {SPAN("a\0b"), false},
        {SPAN("\0"), false},
        {SPAN("\xff"), false},
        {SPAN("\xc3"), false},
        {SPAN("\xc0\x80"), false},         /* overlong NUL */
        {SPAN("\xed\xa0\x80"), false},     /* surrogate */
        {SPAN("\xf4\x90\x80\x80"), false}, /* beyond U+10FFFF */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text bytes = {0};
        text_add_byte(&bytes, 1 << 3 | 2); /* Node.id, string */
        number(&bytes, cases[i].value.length);
        text_add(&bytes, cases[i].value);
        assert_int_equal(guard(&bytes, &core__node__descriptor), cases[i].good);
        bytes.bytes[0] = 5 << 3 | 2; /* PhoneEntry.addresses, bytes */
        assert_true(guard(&bytes, &remora__phone_entry__descriptor));
        text_done(&bytes);
    }
}

static void broken_wire_format_is_refused(void **state)
{
    (void)state;
    static const struct span cases[] = {
        SPAN("\x0a"), /* length missing */
        SPAN("\x0a\x05"
             "abcd"),                                                 /* shorter than it says */
        SPAN("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),         /* length 2^64-1 */
        SPAN("\x00\x00"),                                             /* field number 0 */
        SPAN("\x0b\x0c"),                                             /* group */
        SPAN("\x0e\x00"),                                             /* wire type 6 */
        SPAN("\x08\x01"),                                             /* a string as a number */
        SPAN("\xfa\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"), /* tag of 12 bytes */
        SPAN("\x22\x02\x0a\x05"),                                     /* inner beyond outer */
        SPAN("\xf9\x07\x01\x02"),                                     /* unknown, cut off */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text bytes = {0};
        text_add(&bytes, cases[i]);
        if (guard(&bytes, &core__node__descriptor)) {
            fail_msg("case %zu was taken", i);
        }
        text_done(&bytes);
    }
}

static void unknown_fields_are_passed_over(void **state)
{
    (void)state;
    struct text bytes = {0};
    text_add(&bytes, SPAN("\x0a\x02id"));
    text_add(&bytes, SPAN("\xf8\x07\x05"));             /* number */
    text_add(&bytes, SPAN("\xfa\x07\x02\xff\xfe"));     /* bytes */
    text_add(&bytes, SPAN("\xfd\x07\x01\x02\x03\x04")); /* 32 bits */
    assert_true(guard(&bytes, &core__node__descriptor));
    text_done(&bytes);
}

static void packed_numbers_must_be_whole(void **state)
{
    (void)state;
    struct text bytes = {0};
    text_add(&bytes, SPAN("\x32\x03\x01\x80\x01")); /* ServiceLoad.bucket: 1, 128 */
    assert_true(guard(&bytes, &remora__service_load__descriptor));
    bytes.bytes[4] = (char)0x80;
    assert_false(guard(&bytes, &remora__service_load__descriptor));
    text_done(&bytes);
}

static void a_message_beyond_16_mib_is_refused(void **state)
{
    (void)state;
    struct xds_error error = {""};
    size_t length = XDS_GUARD_BYTES + 1;
    char *bytes = calloc(1, length);
    assert_false(xds_guard(span_make(bytes, length), &core__node__descriptor, &error));
    assert_non_null(strstr(error.text, "too large"));
    free(bytes);
}

/* Two bytes of wire make a message of a hundred: the sum is bounded before anything is allocated.
 */
static void few_bytes_that_would_take_much_memory_are_refused(void **state)
{
    (void)state;
    struct xds_error error = {""};
    size_t length = 8 * 1024 * 1024;
    char *bytes = calloc(1, length);
    for (size_t i = 0; i < length; i += 2) {
        bytes[i] = 7 << 3 | 2; /* PhoneEntry.ports, an empty one */
    }
    assert_false(xds_guard(span_make(bytes, length), &remora__phone_entry__descriptor, &error));
    assert_non_null(strstr(error.text, "memory"));
    assert_true(xds_guard(span_make(bytes, length / 8), &remora__phone_entry__descriptor, &error));
    free(bytes);
}

static void an_error_names_message_and_field(void **state)
{
    (void)state;
    struct xds_error error = {""};
    assert_false(xds_guard(SPAN("\x0a\x01\xff"), &core__node__descriptor, &error));
    assert_non_null(strstr(error.text, "envoy.config.core.v3.Node.id"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(nesting_is_taken_up_to_its_limit_and_not_beyond),
        cmocka_unit_test(strings_with_nul_or_broken_utf8_are_refused_and_bytes_are_not),
        cmocka_unit_test(broken_wire_format_is_refused),
        cmocka_unit_test(unknown_fields_are_passed_over),
        cmocka_unit_test(packed_numbers_must_be_whole),
        cmocka_unit_test(a_message_beyond_16_mib_is_refused),
        cmocka_unit_test(few_bytes_that_would_take_much_memory_are_refused),
        cmocka_unit_test(an_error_names_message_and_field),
    };
    return TEST_MAIN(cases, argc, argv);
}
