#include "proxy/discovery/state_file.h"

#include "lib/base/random.h"
#include "tests/unit/test_main.h"

#include <stdlib.h>

enum { RECORDS = 6 };

static struct state_record records[RECORDS];

static struct text good_file(void)
{
    static const char *const names[RECORDS] = {"a", "shop/api", "", "\x1eREC", "x", "last"};
    static const char *const contents[RECORDS] = {"one",
                                                  "",
                                                  "three",
                                                  "\x1e"
                                                  "END",
                                                  "\x1eREC\x1eREC",
                                                  "6"};
    struct text file = {0};
    state_file_begin(&file);
    for (unsigned i = 0; i < RECORDS; i++) {
        records[i] = (struct state_record){
            .type = (enum xds_type)(i % XDS_TYPES),
            .name = span_of(names[i]),
            .version = span_of("v"),
            .bytes = span_of(contents[i]),
        };
        state_file_add(&file, &records[i]);
    }
    state_file_end(&file, RECORDS);
    return file;
}

static bool same(const struct state_record *a, const struct state_record *b)
{
    return a->type == b->type && span_equal(a->name, b->name) &&
           span_equal(a->version, b->version) && span_equal(a->bytes, b->bytes);
}

/* Reads all; every record that comes must be one of those written, in order. Returns how many. */
static unsigned read_all(struct span file, struct state_reader *reader)
{
    struct state_record record;
    unsigned next = 0;
    unsigned count = 0;
    /* A copy of exact length, so that reading beyond it is seen. */
    char *exact = malloc(file.length + 1);
    memcpy(exact, file.at, file.length);
    if (state_reader_begin(reader, span_make(exact, file.length))) {
        while (state_reader_next(reader, &record)) {
            while (next < RECORDS && !same(&record, &records[next])) {
                next++;
            }
            assert_true(next < RECORDS);
            next++;
            count++;
        }
    }
    free(exact);
    return count;
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct state_reader reader;
    struct text file = good_file();
    assert_int_equal(read_all(text_span(&file), &reader), RECORDS);
    assert_true(reader.whole);
    assert_int_equal(reader.discarded, 0);
    text_done(&file);
    state_file_begin(&file);
    state_file_end(&file, 0);
    assert_int_equal(read_all(text_span(&file), &reader), 0);
    assert_true(reader.whole);
    text_done(&file);
}

static void a_file_cut_off_anywhere_gives_what_is_whole_in_it(void **state)
{
    (void)state;
    struct text file = good_file();
    unsigned most = 0;
    for (size_t length = 0; length < file.length; length++) {
        struct state_reader reader;
        unsigned count = read_all(span_make(file.bytes, length), &reader);
        assert_true(count >= most); /* never fewer with more of the file */
        assert_false(reader.whole);
        most = count;
    }
    assert_int_equal(most, RECORDS);
    text_done(&file);
}

static void a_changed_byte_costs_at_most_the_record_that_it_is_in(void **state)
{
    (void)state;
    struct text file = good_file();
    enum { HEAD = 8 + 4 + 8 };
    for (size_t at = 0; at < file.length; at++) {
        struct state_reader reader;
        file.bytes[at] = (char)(file.bytes[at] ^ 0x55);
        unsigned count = read_all(text_span(&file), &reader);
        if (at < HEAD) {
            assert_int_equal(count, 0);
        } else {
            assert_true(count >= RECORDS - 1);
            assert_false(reader.whole);
            assert_int_equal(reader.discarded > 0, true);
        }
        file.bytes[at] = (char)(file.bytes[at] ^ 0x55);
    }
    text_done(&file);
}

static void noise_between_records_is_passed_over(void **state)
{
    (void)state;
    random_seed(5);
    for (unsigned round = 0; round < 200; round++) {
        struct state_reader reader;
        struct text file = good_file();
        for (unsigned change = 0; change < 20; change++) {
            size_t at = 20 + random_below(file.length - 20);
            file.bytes[at] = (char)random_below(256);
        }
        read_all(text_span(&file), &reader);
        text_done(&file);
    }
}

static void another_version_is_left_out_whole(void **state)
{
    (void)state;
    struct state_reader reader;
    struct text file = good_file();
    struct text other = {0};
    /* A head of the next version with a good sum. */
    text_add(&other, span_make(file.bytes, 8));
    text_add(&other, SPAN("\x02\0\0\0"));
    uint64_t sum = span_hash(text_span(&other), 0);
    for (unsigned i = 0; i < 8; i++) {
        text_add_byte(&other, (char)(sum >> (8 * i)));
    }
    text_add(&other, span_make(file.bytes + 20, file.length - 20));
    assert_false(state_reader_begin(&reader, text_span(&other)));
    assert_false(state_reader_begin(&reader, SPAN("")));
    assert_false(state_reader_begin(&reader, SPAN("resources: []\n# some other file")));
    text_done(&file);
    text_done(&other);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(a_file_cut_off_anywhere_gives_what_is_whole_in_it),
        cmocka_unit_test(a_changed_byte_costs_at_most_the_record_that_it_is_in),
        cmocka_unit_test(noise_between_records_is_passed_over),
        cmocka_unit_test(another_version_is_left_out_whole),
    };
    return TEST_MAIN(cases, argc, argv);
}
