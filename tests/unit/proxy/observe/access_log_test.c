#include "tests/unit/test_main.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "proxy/observe/access_log.h"

#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

static void make_record(struct request_record *record)
{
    *record = (struct request_record){
        .protocol = RECORD_HTTP1,
        .status = 200,
        .grpc_status = -1,
        .attempts = 1,
        .method = SPAN("GET"),
        .authority = SPAN("api"),
        .path = SPAN("/a"),
        .destination_service = SPAN("api"),
        .opened_ns = 1000000,
        .upstream_ns = 1500000,
        .first_byte_ns = 3000000,
        .done_ns = 4000000,
    };
    address_parse(SPAN("10.0.0.7:40000"), &record->downstream);
}

static json_t *json_of(const struct request_record *record)
{
    struct text line = {0};
    json_error_t error;
    access_log_line(record, false, 0, &line);
    assert_int_equal(line.bytes[line.length - 1], '\n');
    assert_null(memchr(line.bytes, '\n', line.length - 1));
    json_t *json = json_loadb(line.bytes, line.length, JSON_ALLOW_NUL, &error);
    if (json == NULL) {
        fail_msg("%s: %s", error.text, line.bytes);
    }
    text_done(&line);
    return json;
}

static void a_line_says_what_happened(void **state)
{
    struct request_record record;
    make_record(&record);
    record.failure = FAILURE_CONNECT_REFUSED;
    record.status = 503;
    record.retry_denied = "limit";
    record.attempts = 3;
    record.mtls_upstream = true;
    json_t *json = json_of(&record);
    static const struct {
        const char *key;
        const char *wanted;
    } texts[] = {
        {"time", "1970-01-01T00:00:00.000Z"},
        {"direction", "outbound"},
        {"protocol", "http1"},
        {"method", "GET"},
        {"authority", "api"},
        {"path", "/a"},
        {"reason", "connect_refused"},
        {"flags", "UF"},
        {"retry_denied", "limit"},
        {"destination_service", "api"},
        {"downstream", "10.0.0.7:40000"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_string_equal(json_string_value(json_object_get(json, texts[i].key)),
                            texts[i].wanted);
    }
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 503);
    assert_int_equal(json_integer_value(json_object_get(json, "duration_us")), 3000);
    assert_int_equal(json_integer_value(json_object_get(json, "upstream_us")), 1500);
    assert_int_equal(json_integer_value(json_object_get(json, "attempts")), 3);
    assert_true(json_is_true(json_object_get(json, "mtls")));
    /* What was not there is left out. */
    assert_null(json_object_get(json, "grpc_status"));
    assert_null(json_object_get(json, "upstream"));
    assert_null(json_object_get(json, "trace_id"));
    assert_null(json_object_get(json, "route"));
    json_decref(json);
}

static struct span *text_field(struct request_record *record, size_t at)
{
    struct span *const fields[] = {
        &record->source_workload,
        &record->source_identity,
        &record->destination_identity,
        &record->destination_service,
        &record->destination_workload,
        &record->route,
        &record->cluster,
        &record->method,
        &record->authority,
        &record->path,
        &record->user_agent,
        &record->request_id,
    };
    return at < sizeof(fields) / sizeof(fields[0]) ? fields[at] : NULL;
}

static void all_256_bytes_in_each_field_are_valid_json_on_one_line(void **state)
{
    char all[256];
    for (unsigned i = 0; i < 256; i++) {
        all[i] = (char)i;
    }
    for (int as_text = 0; as_text < 2; as_text++) {
        for (size_t at = 0;; at++) {
            struct request_record record;
            make_record(&record);
            struct span *field = text_field(&record, at);
            if (field == NULL) {
                break;
            }
            *field = span_make(all, sizeof(all));
            if (!as_text) {
                json_decref(json_of(&record));
            }
            for (unsigned byte = 0; byte < 256; byte++) {
                *field = span_make(&all[byte], 1);
                struct text line = {0};
                access_log_line(&record, as_text, 0, &line);
                for (size_t i = 0; i + 1 < line.length; i++) {
                    assert_true((unsigned char)line.bytes[i] >= 0x20);
                }
                assert_true(utf8_valid(text_span(&line)));
                text_done(&line);
            }
        }
    }
}

static void no_client_can_make_its_line_too_long_to_be_written(void **state)
{
    static char longest[65536];
    static const char fills[] = {'a', '\x01', '\xff', '"'};
    for (size_t f = 0; f < sizeof(fills); f++) {
        memset(longest, fills[f], sizeof(longest));
        struct request_record record;
        make_record(&record);
        struct span *field;
        for (size_t at = 0; (field = text_field(&record, at)) != NULL; at++) {
            *field = span_make(longest, sizeof(longest));
        }
        struct text line = {0};
        line.limit = ACCESS_LOG_LINE_BYTES;
        access_log_line(&record, false, 0, &line);
        /* All of them full of control bytes is beyond what clients can do: names are ours. */
        if (fills[f] != '\x01') {
            assert_false(line.truncated);
        }
        text_clear(&line);
        line.truncated = false;
        for (size_t at = 0; at < 7; at++) {
            *text_field(&record, at) = SPAN("a-name-of-the-configuration-of-a-common-length");
        }
        access_log_line(&record, false, 0, &line);
        assert_false(line.truncated);
        text_done(&line);
    }
}

static void impossible_times_are_zero(void **state)
{
    struct request_record record;
    make_record(&record);
    record.done_ns = 5;
    record.first_byte_ns = 0;
    json_t *json = json_of(&record);
    assert_int_equal(json_integer_value(json_object_get(json, "duration_us")), 0);
    assert_int_equal(json_integer_value(json_object_get(json, "upstream_us")), 0);
    json_decref(json);
}

struct sink {
    struct loop *loop;
    struct access_log *log;
    int read_end, write_end;
};

static void sink_open(struct sink *sink)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    sink->read_end = ends[0];
    sink->write_end = ends[1];
    /* The writing end blocks, as standard output does. */
    fcntl(ends[1], F_SETFL, 0);
    sink->loop = loop_create_simulated(NS_PER_S);
    sink->log = access_log_create(sink->loop, ends[1]);
}

static void sink_close(struct sink *sink)
{
    access_log_destroy(sink->log);
    loop_destroy(sink->loop);
    close(sink->write_end);
    if (sink->read_end >= 0) {
        close(sink->read_end);
    }
}

/* Reads all that is there; returns how many whole lines, each checked. */
static size_t sink_lines(struct sink *sink, struct text *rest)
{
    char bytes[65536];
    ssize_t got;
    while ((got = read(sink->read_end, bytes, sizeof(bytes))) > 0) {
        text_add(rest, span_make(bytes, (size_t)got));
    }
    size_t lines = 0;
    struct span all = text_span(rest);
    size_t used = 0;
    for (size_t end = span_find_byte(all, '\n'); end < all.length;
         end = span_find_byte(all, '\n')) {
        json_error_t error;
        json_t *json = json_loadb(all.at, end, 0, &error);
        assert_non_null(json);
        json_decref(json);
        used += end + 1;
        all = span_cut(all, end + 1, all.length);
        lines++;
    }
    char *left = mem_text(all.at, all.length);
    text_clear(rest);
    text_add_text(rest, left);
    mem_free(left);
    return lines;
}

static void lines_of_a_turn_are_written_in_its_flush(void **state)
{
    struct sink sink;
    struct text rest = {0};
    struct request_record record;
    make_record(&record);
    sink_open(&sink);
    for (int i = 0; i < 10; i++) {
        access_log_write(sink.log, &record);
    }
    assert_int_equal(sink_lines(&sink, &rest), 0);
    loop_turn(sink.loop);
    assert_int_equal(sink_lines(&sink, &rest), 10);
    sink_close(&sink);
    text_done(&rest);
}

static void a_reader_that_stalls_costs_lines_and_not_time(void **state)
{
    enum { LINES = 5000 };
    struct sink sink;
    struct text rest = {0};
    struct request_record record;
    make_record(&record);
    sink_open(&sink);
    for (int i = 0; i < LINES; i++) {
        access_log_write(sink.log, &record);
        loop_turn(sink.loop);
    }
    uint64_t dropped = access_log_dropped(sink.log);
    assert_in_range(dropped, 1, LINES - 1);
    /* Once it reads again, everything that was not dropped arrives, whole. */
    size_t lines = 0;
    for (int i = 0; i < 100; i++) {
        lines += sink_lines(&sink, &rest);
        loop_advance(sink.loop, 50 * NS_PER_MS);
    }
    assert_int_equal(lines + dropped, LINES);
    assert_int_equal(rest.length, 0);
    access_log_write(sink.log, &record);
    loop_turn(sink.loop);
    assert_int_equal(sink_lines(&sink, &rest), 1);
    sink_close(&sink);
    text_done(&rest);
}

static void a_reader_that_is_gone_is_counted_line_by_line(void **state)
{
    struct sink sink;
    struct request_record record;
    make_record(&record);
    sink_open(&sink);
    close(sink.read_end);
    sink.read_end = -1;
    for (int i = 0; i < 10; i++) {
        access_log_write(sink.log, &record);
    }
    loop_turn(sink.loop);
    assert_int_equal(access_log_dropped(sink.log), 10);
    sink_close(&sink);
}

static void what_waits_is_written_at_the_end(void **state)
{
    struct sink sink;
    struct text rest = {0};
    struct request_record record;
    make_record(&record);
    sink_open(&sink);
    access_log_write(sink.log, &record);
    access_log_destroy(sink.log);
    sink.log = NULL;
    assert_int_equal(sink_lines(&sink, &rest), 1);
    sink_close(&sink);
    text_done(&rest);
}

static void the_form_can_change_between_two_lines(void **state)
{
    struct sink sink;
    char bytes[1024] = "";
    struct request_record record;
    make_record(&record);
    sink_open(&sink);
    access_log_form(sink.log, true);
    access_log_write(sink.log, &record);
    loop_turn(sink.loop);
    ssize_t got = read(sink.read_end, bytes, sizeof(bytes) - 1);
    assert_true(got > 0);
    assert_non_null(
        strstr(bytes, " outbound http1 \"GET\" \"api\" \"/a\" 200 none 3000us - \"api\" -\n"));
    sink_close(&sink);
}

static int ignore_pipe(void **state)
{
    struct loop *loop = loop_create();
    loop_destroy(loop);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_line_says_what_happened),
        cmocka_unit_test(all_256_bytes_in_each_field_are_valid_json_on_one_line),
        cmocka_unit_test(no_client_can_make_its_line_too_long_to_be_written),
        cmocka_unit_test(impossible_times_are_zero),
        cmocka_unit_test(lines_of_a_turn_are_written_in_its_flush),
        cmocka_unit_test(a_reader_that_stalls_costs_lines_and_not_time),
        cmocka_unit_test_setup(a_reader_that_is_gone_is_counted_line_by_line, ignore_pipe),
        cmocka_unit_test(what_waits_is_written_at_the_end),
        cmocka_unit_test(the_form_can_change_between_two_lines),
    };
    return TEST_MAIN(cases, argc, argv);
}
