#include "lib/base/log.h"

#include "lib/base/clock.h"
#include "tests/unit/test_main.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* What the log writes: standard error becomes a pipe for the time of a case. */
static int real_stderr;
static int output;
static char lines[65536];

static int take(void **state)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -1;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    real_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    output = ends[0];
    clock_fake(10 * NS_PER_S, 1767323045678000000);
    return 0;
}

static int give(void **state)
{
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(output);
    clock_real();
    log_set_level(LOG_LEVEL_INFO);
    log_set_format(LOG_FORMAT_TEXT);
    return 0;
}

static const char *written(void)
{
    size_t length = 0;
    ssize_t got;
    while ((got = read(output, lines + length, sizeof(lines) - 1 - length)) > 0) {
        length += (size_t)got;
    }
    lines[length] = '\0';
    return lines;
}

static void a_text_line_has_time_level_area_message_and_fields(void **state)
{
    LOG_WARN("xds", "control plane unreachable", LOG_TEXT("server", "10.0.0.1:15012"),
             LOG_NUMBER("retry_ms", 250));
    assert_string_equal(written(), "2026-01-02T03:04:05.678Z warn xds control plane unreachable "
                                   "server=10.0.0.1:15012 retry_ms=250\n");
    LOG_INFO("main", "started");
    assert_string_equal(written(), "2026-01-02T03:04:05.678Z info main started\n");
}

static void text_values_that_are_not_plain_are_quoted(void **state)
{
    LOG_ERROR("tls", "no", LOG_TEXT("a", "two words"), LOG_TEXT("b", ""),
              LOG_SPAN("c", SPAN("x\ny\x1b[31m")), LOG_TEXT("d", "k=v"), LOG_TEXT("e", NULL),
              LOG_NUMBER("f", -1));
    assert_string_equal(written(), "2026-01-02T03:04:05.678Z error tls no a=\"two words\" b=\"\" "
                                   "c=\"x\\ny\\u001b[31m\" d=\"k=v\" e=\"\" f=-1\n");
}

static void a_message_cannot_break_the_line(void **state)
{
    log_write(LOG_LEVEL_INFO, "x", "evil\n2026 error forged", NULL, 0);
    assert_string_equal(written(),
                        "2026-01-02T03:04:05.678Z info x \"evil\\n2026 error forged\"\n");
}

static void a_json_line_is_one_object(void **state)
{
    log_set_format(LOG_FORMAT_JSON);
    LOG_WARN("xds", "say \"hi\"", LOG_SPAN("peer", SPAN("a\xff\n")), LOG_NUMBER("n", INT64_MIN));
    const char *line = written();
    assert_string_equal(line, "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warn\","
                              "\"area\":\"xds\",\"message\":\"say \\\"hi\\\"\","
                              "\"peer\":\"a\xef\xbf\xbd\\n\",\"n\":-9223372036854775808}\n");
    json_t *value = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(value);
    json_decref(value);
}

static void lines_below_the_level_are_not_written(void **state)
{
    int evaluated = 0;
    LOG_DEBUG("x", "not seen", LOG_NUMBER("n", ++evaluated));
    assert_string_equal(written(), "");
    assert_int_equal(evaluated, 0);
    log_set_level(LOG_LEVEL_DEBUG);
    LOG_DEBUG("x", "seen", LOG_NUMBER("n", ++evaluated));
    assert_non_null(strstr(written(), "debug x seen n=1"));
    log_set_level(LOG_LEVEL_OFF);
    LOG_ERROR("x", "not seen");
    assert_string_equal(written(), "");
}

static void level_words_are_those_and_no_others(void **state)
{
    static const char *const words[] = {"debug", "info", "warn", "error", "off"};
    enum log_level level = LOG_LEVEL_OFF;
    for (int i = 0; i < 5; i++) {
        assert_true(log_level_parse(span_of(words[i]), &level));
        assert_int_equal(level, i);
        assert_string_equal(log_level_name(level), words[i]);
    }
    level = LOG_LEVEL_WARN;
    assert_false(log_level_parse(SPAN("WARN"), &level));
    assert_false(log_level_parse(SPAN(""), &level));
    assert_false(log_level_parse(SPAN("warning"), &level));
    assert_int_equal(level, LOG_LEVEL_WARN);
}

static void huge_values_are_cut_and_the_line_stays_valid(void **state)
{
    static char huge[20000], controls[20000];
    memset(huge, 'v', sizeof(huge));
    memset(controls, '\x01', sizeof(controls));
    struct span plain = span_make(huge, sizeof(huge));
    struct span escaped = span_make(controls, sizeof(controls));
    for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
        log_set_format((enum log_format)format);
        LOG_INFO("x", "m", LOG_SPAN("a", plain), LOG_SPAN("b", escaped), LOG_SPAN("c", plain),
                 LOG_NUMBER("d", 1));
        const char *line = written();
        size_t length = strlen(line);
        assert_true(length > 0 && length <= LOG_LINE_BYTES);
        assert_int_equal(line[length - 1], '\n');
        assert_int_equal(strchr(line, '\n') - line, length - 1);
        assert_non_null(strstr(line, "truncated"));
        assert_null(strstr(line, "\"b\""));
        if (format == LOG_FORMAT_JSON) {
            json_t *value = json_loads(line, 0, NULL);
            assert_non_null(value);
            assert_int_equal(json_string_length(json_object_get(value, "a")), LOG_VALUE_BYTES);
            json_decref(value);
        }
    }
}

static void a_huge_message_stays_valid(void **state)
{
    static char message[20000];
    memset(message, '\x01', sizeof(message) - 1);
    log_set_format(LOG_FORMAT_JSON);
    log_write(LOG_LEVEL_INFO, "x", message, NULL, 0);
    json_t *value = json_loads(written(), 0, NULL);
    assert_non_null(value);
    json_decref(value);
}

static void a_full_pipe_drops_whole_lines_and_counts_them(void **state)
{
    static char value[1000];
    memset(value, 'x', sizeof(value));
    uint64_t before = log_dropped_lines();
    for (int i = 0; i < 200; i++) {
        LOG_INFO("x", "fill", LOG_SPAN("v", span_make(value, sizeof(value))));
    }
    uint64_t dropped = log_dropped_lines() - before;
    assert_true(dropped > 0 && dropped < 200);
    /* What came through is whole lines. */
    size_t count = 0;
    char *rest = NULL;
    char all[sizeof(lines)];
    memcpy(all, written(), sizeof(all));
    for (char *line = strtok_r(all, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        assert_int_equal(strlen(line), strlen("2026-01-02T03:04:05.678Z info x fill v=") + 1000);
        count++;
    }
    assert_int_equal(count + dropped, 200);
    LOG_INFO("x", "room again");
    assert_non_null(strstr(written(), "room again"));
}

static void a_reader_that_left_is_no_reason_to_die(void **state)
{
    uint64_t before = log_dropped_lines();
    close(output);
    LOG_INFO("x", "into the void");
    output = open("/dev/null", O_RDONLY);
    assert_int_equal(log_dropped_lines(), before + 1);
}

static void *log_much(void *unused)
{
    for (int i = 0; i < 100; i++) {
        LOG_INFO("x", "from a thread", LOG_NUMBER("i", i));
    }
    return unused;
}

static void lines_of_threads_do_not_mix(void **state)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, log_much, NULL), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    int count = 0;
    char *rest = NULL;
    written();
    for (char *line = strtok_r(lines, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        assert_int_equal(strncmp(line, "2026-01-02T03:04:05.678Z info x from a thread i=", 48), 0);
        count++;
    }
    assert_int_equal(count, 400);
}

static void warn_from_one_place(int number)
{
    LOG_WARN_LIMITED("http", "bad request", LOG_NUMBER("n", number));
}

static void a_limited_place_says_what_it_left_out(void **state)
{
    for (int i = 0; i < 5; i++) {
        warn_from_one_place(i);
    }
    assert_string_equal(written(), "2026-01-02T03:04:05.678Z warn http bad request n=0\n");
    clock_fake_advance(NS_PER_S);
    warn_from_one_place(5);
    assert_string_equal(written(),
                        "2026-01-02T03:04:06.678Z warn http bad request suppressed=4 n=5\n");
    clock_fake_advance(NS_PER_S);
    warn_from_one_place(6);
    assert_string_equal(written(), "2026-01-02T03:04:07.678Z warn http bad request n=6\n");
}

static void a_limit_passes_at_time_zero(void **state)
{
    struct log_limit limit = {0};
    clock_fake(0, 0);
    assert_true(log_limit_pass(&limit));
    assert_false(log_limit_pass(&limit));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(a_text_line_has_time_level_area_message_and_fields, take,
                                        give),
        cmocka_unit_test_setup_teardown(text_values_that_are_not_plain_are_quoted, take, give),
        cmocka_unit_test_setup_teardown(a_message_cannot_break_the_line, take, give),
        cmocka_unit_test_setup_teardown(a_json_line_is_one_object, take, give),
        cmocka_unit_test_setup_teardown(lines_below_the_level_are_not_written, take, give),
        cmocka_unit_test(level_words_are_those_and_no_others),
        cmocka_unit_test_setup_teardown(huge_values_are_cut_and_the_line_stays_valid, take, give),
        cmocka_unit_test_setup_teardown(a_huge_message_stays_valid, take, give),
        cmocka_unit_test_setup_teardown(a_full_pipe_drops_whole_lines_and_counts_them, take, give),
        cmocka_unit_test_setup_teardown(a_reader_that_left_is_no_reason_to_die, take, give),
        cmocka_unit_test_setup_teardown(lines_of_threads_do_not_mix, take, give),
        cmocka_unit_test_setup_teardown(a_limited_place_says_what_it_left_out, take, give),
        cmocka_unit_test_setup_teardown(a_limit_passes_at_time_zero, take, give),
    };
    return TEST_MAIN(cases, argc, argv);
}
