#include "lib/tls/client_hello.h"

#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "tests/unit/test_main.h"

static unsigned char scratch[CLIENT_HELLO_BYTES];

static void add_u16(struct text *into, size_t number)
{
    text_add_byte(into, (char)(number >> 8));
    text_add_byte(into, (char)(number & 0xff));
}

static void add_u16_block(struct text *into, struct text *block)
{
    add_u16(into, block->length);
    text_add(into, text_span(block));
    text_done(block);
}

static void add_extension(struct text *into, size_t type, struct span content)
{
    add_u16(into, type);
    add_u16(into, content.length);
    text_add(into, content);
}

static void add_server_name(struct text *extensions, struct span name)
{
    struct text list = {0}, content = {0};
    text_add_byte(&list, 0);
    add_u16(&list, name.length);
    text_add(&list, name);
    add_u16_block(&content, &list);
    add_extension(extensions, 0, text_span(&content));
    text_done(&content);
}

/* A handshake message with these extensions. */
static void add_message(struct text *into, struct span extensions)
{
    struct text hello = {0};
    text_add(&hello, SPAN("\x03\x03"));
    for (int i = 0; i < 32; i++) {
        text_add_byte(&hello, (char)i);
    }
    text_add(&hello, SPAN("\x00\x00\x02\x13\x01\x01\x00"));
    add_u16(&hello, extensions.length);
    text_add(&hello, extensions);
    text_add(into, SPAN("\x01\x00"));
    add_u16_block(into, &hello);
}

/* The message in records of so many bytes. */
static void add_records(struct text *into, struct span message, size_t record_bytes)
{
    for (size_t at = 0; at < message.length; at += record_bytes) {
        struct span part = span_cut(message, at, at + record_bytes);
        text_add(into, SPAN("\x16\x03\x01"));
        add_u16(into, part.length);
        text_add(into, part);
    }
}

static void make(struct text *ret, struct span extensions, size_t record_bytes)
{
    struct text message = {0};
    add_message(&message, extensions);
    add_records(ret, text_span(&message), record_bytes);
    text_done(&message);
}

static enum client_hello_status read_name(struct span name, struct client_hello *ret)
{
    struct text extensions = {0}, bytes = {0};
    add_server_name(&extensions, name);
    make(&bytes, text_span(&extensions), 16384);
    enum client_hello_status status = client_hello_read(text_span(&bytes), scratch, ret);
    text_done(&extensions);
    text_done(&bytes);
    return status;
}

static void names_are_read_however_the_bytes_come(void **state)
{
    static const size_t record_bytes[] = {1, 2, 7, 64, 16384};
    struct text extensions = {0};
    add_extension(&extensions, 43, SPAN("\x02\x03\x04"));
    add_server_name(&extensions, SPAN("API.Shop.example"));
    add_extension(&extensions, 16, SPAN("\x00\x0c\x02h2\x08http/1.1"));
    for (size_t i = 0; i < sizeof(record_bytes) / sizeof(record_bytes[0]); i++) {
        struct text bytes = {0};
        make(&bytes, text_span(&extensions), record_bytes[i]);
        struct client_hello hello = {0};
        for (size_t length = 0; length < bytes.length; length++) {
            char *exact = mem_text(bytes.bytes, length);
            assert_int_equal(client_hello_read(span_make(exact, length), scratch, &hello),
                             CLIENT_HELLO_MORE);
            mem_free(exact);
        }
        assert_int_equal(client_hello_read(text_span(&bytes), scratch, &hello), CLIENT_HELLO_DONE);
        assert_string_equal(hello.server_name, "api.shop.example");
        assert_int_equal(hello.alpn_count, 2);
        assert_true(span_equal_text(hello.alpn[0], "h2"));
        assert_true(span_equal_text(hello.alpn[1], "http/1.1"));
        /* What follows belongs to somebody else. */
        text_add(&bytes, SPAN("\x17\x03\x03"));
        assert_int_equal(client_hello_read(text_span(&bytes), scratch, &hello), CLIENT_HELLO_DONE);
        text_done(&bytes);
    }
    text_done(&extensions);
}

static void a_name_is_host_syntax_of_at_most_255_bytes(void **state)
{
    static const struct {
        struct span name;
        const char *read; /* NULL = bad */
    } cases[] = {
        {SPAN("a"), "a"},
        {SPAN("A.b-c_d.9"), "a.b-c_d.9"},
        {SPAN("10.0.0.1"), "10.0.0.1"},
        {SPAN(""), NULL},
        {SPAN("a b"), NULL},
        {SPAN("a\0b"), NULL},
        {SPAN("a\r\nb"), NULL},
        {SPAN("a..b"), NULL},
        {SPAN(".a"), NULL},
        {SPAN("a."), NULL},
        {SPAN("a/b"), NULL},
        {SPAN("a:443"), NULL},
        {SPAN("\xc3\xa4.b"), NULL},
        {SPAN("a\"b"), NULL},
        {SPAN("%s%n"), NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client_hello hello = {0};
        enum client_hello_status status = read_name(cases[i].name, &hello);
        if (cases[i].read != NULL) {
            assert_int_equal(status, CLIENT_HELLO_DONE);
            assert_string_equal(hello.server_name, cases[i].read);
        } else {
            assert_int_equal(status, CLIENT_HELLO_BAD);
        }
    }
    char name[256];
    memset(name, 'n', sizeof(name));
    struct client_hello hello = {0};
    assert_int_equal(read_name(span_make(name, 255), &hello), CLIENT_HELLO_DONE);
    assert_int_equal(strlen(hello.server_name), 255);
    assert_int_equal(read_name(span_make(name, 256), &hello), CLIENT_HELLO_BAD);
}

static void broken_extensions_are_bad(void **state)
{
    static const struct {
        size_t type;
        struct span content;
    } cases[] = {
        {0, SPAN("")},
        {0, SPAN("\x00\x00")},
        {0, SPAN("\x00\x04\x01\x00\x01"
                 "a")},
        {0, SPAN("\x00\x04\x00\x00\x02"
                 "a")},
        {0, SPAN("\x00\x08\x00\x00\x01"
                 "a\x00\x00\x01"
                 "b")},
        {0, SPAN("\x00\x04\x00\x00\x01"
                 "a\x00")},
        {16, SPAN("")},
        {16, SPAN("\x00\x00")},
        {16, SPAN("\x00\x01\x00")},
        {16, SPAN("\x00\x03\x05h2")},
        {16, SPAN("\x00\x03\x02h2\x00")},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text extensions = {0}, bytes = {0};
        add_extension(&extensions, cases[i].type, cases[i].content);
        make(&bytes, text_span(&extensions), 16384);
        struct client_hello hello = {0};
        assert_int_equal(client_hello_read(text_span(&bytes), scratch, &hello), CLIENT_HELLO_BAD);
        assert_int_equal(hello.alpn_count, 0);
        text_done(&extensions);
        text_done(&bytes);
    }
}

static void a_name_twice_is_bad(void **state)
{
    struct text extensions = {0}, bytes = {0};
    add_server_name(&extensions, SPAN("a"));
    add_server_name(&extensions, SPAN("b"));
    make(&bytes, text_span(&extensions), 16384);
    struct client_hello hello = {0};
    assert_int_equal(client_hello_read(text_span(&bytes), scratch, &hello), CLIENT_HELLO_BAD);
    text_done(&extensions);
    text_done(&bytes);
}

static void more_protocols_than_are_kept_are_passed_over(void **state)
{
    struct text extensions = {0}, bytes = {0};
    add_extension(&extensions, 16,
                  SPAN("\x00\x14\x01"
                       "a\x01"
                       "b\x01"
                       "c\x01"
                       "d\x01"
                       "e\x01"
                       "f\x01"
                       "g\x01"
                       "h\x01"
                       "i\x01"
                       "j"));
    make(&bytes, text_span(&extensions), 16384);
    struct client_hello hello = {0};
    assert_int_equal(client_hello_read(text_span(&bytes), scratch, &hello), CLIENT_HELLO_DONE);
    assert_int_equal(hello.alpn_count, CLIENT_HELLO_ALPN);
    assert_true(span_equal_text(hello.alpn[7], "h"));
    text_done(&extensions);
    text_done(&bytes);
}

static void what_is_no_client_hello_is_bad_at_its_first_wrong_byte(void **state)
{
    static const struct span cases[] = {
        SPAN("G"),
        SPAN("\x17"),
        SPAN("\x80"),
        SPAN("\x16\x02"),
        SPAN("\x16\x03\x01\x00\x00"),                 /* an empty record */
        SPAN("\x16\x03\x01\x40\x01"),                 /* longer than a record may be */
        SPAN("\x16\x03\x01\x00\x04\x02"),             /* a ServerHello */
        SPAN("\x16\x03\x01\x00\x04\x01\x01\x00\x00"), /* 64 KiB and more */
        SPAN("\x16\x03\x01\x00\x04\x01\x00\x00\x00"), /* nothing in it */
        SPAN("\x16\x03\x01\x00\x02\x01\x00\x15\x03"), /* an alert between */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client_hello hello = {0};
        assert_int_equal(client_hello_read(cases[i], scratch, &hello), CLIENT_HELLO_BAD);
    }
    struct client_hello hello = {0};
    assert_int_equal(client_hello_read(SPAN_EMPTY, scratch, &hello), CLIENT_HELLO_MORE);
}

static void sixty_four_kib_are_the_end(void **state)
{
    char *padding = mem_zalloc(CLIENT_HELLO_BYTES);
    for (size_t length = 60000; length <= 65400; length += 5400) {
        struct text extensions = {0}, bytes = {0};
        add_server_name(&extensions, SPAN("late"));
        add_extension(&extensions, 21, span_make(padding, length));
        make(&bytes, text_span(&extensions), 16384);
        struct client_hello hello = {0};
        enum client_hello_status status = client_hello_read(text_span(&bytes), scratch, &hello);
        assert_int_equal(status,
                         bytes.length <= CLIENT_HELLO_BYTES ? CLIENT_HELLO_DONE : CLIENT_HELLO_BAD);
        /* In records of one byte the same name does not fit: undecided becomes closed. */
        text_clear(&bytes);
        make(&bytes, text_span(&extensions), 1);
        assert_int_equal(client_hello_read(text_span(&bytes), scratch, &hello), CLIENT_HELLO_BAD);
        text_done(&extensions);
        text_done(&bytes);
    }
    mem_free(padding);
}

static void every_flipped_byte_is_survived(void **state)
{
    struct text extensions = {0}, bytes = {0};
    add_server_name(&extensions, SPAN("a.b"));
    add_extension(&extensions, 16, SPAN("\x00\x03\x02h2"));
    make(&bytes, text_span(&extensions), 16384);
    unsigned done = 0;
    for (size_t i = 0; i < bytes.length; i++) {
        for (int flip = 1; flip < 256; flip += 3) {
            bytes.bytes[i] = (char)(bytes.bytes[i] ^ flip);
            struct client_hello hello = {0};
            done += client_hello_read(text_span(&bytes), scratch, &hello) == CLIENT_HELLO_DONE;
            bytes.bytes[i] = (char)(bytes.bytes[i] ^ flip);
        }
    }
    assert_true(done > 0 && done < bytes.length * 85);
    text_done(&extensions);
    text_done(&bytes);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(names_are_read_however_the_bytes_come),
        cmocka_unit_test(a_name_is_host_syntax_of_at_most_255_bytes),
        cmocka_unit_test(broken_extensions_are_bad),
        cmocka_unit_test(a_name_twice_is_bad),
        cmocka_unit_test(more_protocols_than_are_kept_are_passed_over),
        cmocka_unit_test(what_is_no_client_hello_is_bad_at_its_first_wrong_byte),
        cmocka_unit_test(sixty_four_kib_are_the_end),
        cmocka_unit_test(every_flipped_byte_is_survived),
    };
    return TEST_MAIN(cases, argc, argv);
}
