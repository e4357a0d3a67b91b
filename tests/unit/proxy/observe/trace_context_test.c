#include "tests/unit/test_main.h"

#include "lib/base/random.h"
#include "proxy/observe/trace_context.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static void fill(struct headers *headers, struct arena *arena, const char *const *fields)
{
    headers_init(headers, arena);
    for (size_t i = 0; fields[i] != NULL; i++) {
        struct span field = span_of(fields[i]);
        size_t colon = span_find_byte(field, ':');
        headers_add(headers, span_cut(field, 0, colon),
                    span_trim(span_cut(field, colon + 1, field.length)));
    }
}

/* "TRACE PARENT sampled" of what was read, "-" when nothing was. */
static void describe(const struct trace_ids *trace, char *into, size_t room)
{
    if (!trace->present) {
        snprintf(into, room, "-");
        return;
    }
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        at += (size_t)snprintf(into + at, room - at, "%02x", trace->trace[i]);
    }
    at += (size_t)snprintf(into + at, room - at, " ");
    for (size_t i = 0; i < 8; i++) {
        at += (size_t)snprintf(into + at, room - at, "%02x", trace->parent[i]);
    }
    snprintf(into + at, room - at, " %d%s", trace->sampled, trace->from_b3 ? " b3" : "");
}

static void what_came_is_read_or_taken_for_absent(void **state)
{
    static const struct {
        const char *fields[5];
        const char *wanted;
    } rows[] = {
        {{"traceparent: 00-" TRACE "-" PARENT "-01"}, TRACE " " PARENT " 1"},
        {{"traceparent: 00-" TRACE "-" PARENT "-00"}, TRACE " " PARENT " 0"},
        {{"traceparent: 00-" TRACE "-" PARENT "-ff"}, TRACE " " PARENT " 1"},
        {{"traceparent: 00-" TRACE "-" PARENT "-02"}, TRACE " " PARENT " 0"},
        {{"traceparent: cc-" TRACE "-" PARENT "-01"}, TRACE " " PARENT " 1"},
        {{"traceparent: cc-" TRACE "-" PARENT "-01-what-comes-later"}, TRACE " " PARENT " 1"},
        {{"traceparent: 00-" TRACE "-" PARENT "-01-more"}, "-"},
        {{"traceparent: cc-" TRACE "-" PARENT "-01more"}, "-"},
        {{"traceparent: ff-" TRACE "-" PARENT "-01"}, "-"},
        {{"traceparent: 0-" TRACE "-" PARENT "-01"}, "-"},
        {{"traceparent: 00-00000000000000000000000000000000-" PARENT "-01"}, "-"},
        {{"traceparent: 00-" TRACE "-0000000000000000-01"}, "-"},
        {{"traceparent: 00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01"}, "-"},
        {{"traceparent: 00-" TRACE "-" PARENT "-0"}, "-"},
        {{"traceparent: 00-" TRACE "-" PARENT}, "-"},
        {{"traceparent: 00_" TRACE "_" PARENT "_01"}, "-"},
        {{"traceparent: zz-" TRACE "-" PARENT "-01"}, "-"},
        {{"traceparent: 00-" TRACE "-" PARENT "-0g"}, "-"},
        {{"traceparent: "}, "-"},
        {{"b3: " TRACE "-" PARENT "-1"}, TRACE " " PARENT " 1 b3"},
        {{"b3: " TRACE "-" PARENT "-0"}, TRACE " " PARENT " 0 b3"},
        {{"b3: " TRACE "-" PARENT "-d"}, TRACE " " PARENT " 1 b3"},
        {{"b3: " TRACE "-" PARENT}, TRACE " " PARENT " 0 b3"},
        {{"b3: " TRACE "-" PARENT "-1-" PARENT}, TRACE " " PARENT " 1 b3"},
        {{"b3: a3ce929d0e0e4736-" PARENT "-1"}, "0000000000000000a3ce929d0e0e4736 " PARENT " 1 b3"},
        {{"b3: 0"}, "-"},
        {{"b3: " TRACE}, "-"},
        {{"b3: -"}, "-"},
        {{"b3: " TRACE "-short-1"}, "-"},
        {{"x-b3-traceid: " TRACE, "x-b3-spanid: " PARENT, "x-b3-sampled: 1"},
         TRACE " " PARENT " 1 b3"},
        {{"X-B3-TraceId: " TRACE, "X-B3-SpanId: " PARENT, "X-B3-Sampled: true"},
         TRACE " " PARENT " 1 b3"},
        {{"x-b3-traceid: " TRACE, "x-b3-spanid: " PARENT, "x-b3-flags: 1"},
         TRACE " " PARENT " 1 b3"},
        {{"x-b3-traceid: " TRACE, "x-b3-spanid: " PARENT}, TRACE " " PARENT " 0 b3"},
        {{"x-b3-traceid: " TRACE}, "-"},
        {{"x-b3-spanid: " PARENT}, "-"},
        /* W3C goes first; a broken one does not hide B3. */
        {{"b3: 11111111111111111111111111111111-2222222222222222-1",
          "traceparent: 00-" TRACE "-" PARENT "-00"},
         TRACE " " PARENT " 0"},
        {{"traceparent: 00-" TRACE "-bad-01", "b3: " TRACE "-" PARENT "-0"},
         TRACE " " PARENT " 0 b3"},
        {{NULL}, "-"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = {0};
        struct headers headers;
        struct trace_ids trace;
        char text[80];
        fill(&headers, &arena, rows[i].fields);
        trace_read(&headers, 0, 0, &trace);
        describe(&trace, text, sizeof(text));
        if (strcmp(text, rows[i].wanted) != 0) {
            fail_msg("row %zu: %s", i, text);
        }
        arena_done(&arena);
    }
}

static void a_trace_starts_here_for_the_share_that_was_asked(void **state)
{
    static const struct {
        const char *fields[2];
        uint32_t per_million;
        double draw;
        bool wanted;
    } rows[] = {
        {{NULL}, 0, 0, false},
        {{NULL}, 1000000, 0.9999999, true},
        {{NULL}, 10000, 0.0099, true},
        {{NULL}, 10000, 0.0101, false},
        {{"traceparent: broken"}, 1000000, 0.5, true},
        {{"b3: 0"}, 1000000, 0.5, false},
        {{"x-b3-sampled: 0"}, 1000000, 0.5, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = {0};
        struct headers headers;
        struct trace_ids trace;
        fill(&headers, &arena, rows[i].fields);
        trace_read(&headers, rows[i].per_million, rows[i].draw, &trace);
        assert_int_equal(trace.present, rows[i].wanted);
        assert_int_equal(trace.started_here, rows[i].wanted);
        assert_int_equal(trace.sampled, rows[i].wanted);
        arena_done(&arena);
    }
}

/* All fields as "name=value;" with our own span as SPAN, in all its spellings. */
static void written(const char *const *fields, uint32_t per_million, char *into, size_t room)
{
    struct arena arena = {0};
    struct headers headers;
    struct trace_ids trace;
    fill(&headers, &arena, fields);
    trace_read(&headers, per_million, 0, &trace);
    assert_true(trace.present);
    memset(trace.span, 0x5a, sizeof(trace.span));
    if (trace.started_here) {
        memset(trace.trace, 0x11, sizeof(trace.trace));
    }
    trace_write(&trace, &headers, &arena);
    size_t at = 0;
    into[0] = '\0';
    HEADERS_EACH(&headers, field)
    {
        at += (size_t)snprintf(into + at, room - at, "%.*s=%.*s;", SPAN_ARG(field->name),
                               SPAN_ARG(field->value));
    }
    arena_done(&arena);
}

#define OURS "5a5a5a5a5a5a5a5a"

static void what_goes_on_has_our_span_as_its_parent(void **state)
{
    static const struct {
        const char *fields[5];
        uint32_t per_million;
        const char *wanted;
    } rows[] = {
        {{"traceparent: 00-" TRACE "-" PARENT "-01", "tracestate: a=1"},
         0,
         "tracestate=a=1;traceparent=00-" TRACE "-" OURS "-01;"},
        {{"traceparent: 00-" TRACE "-" PARENT "-00"}, 0, "traceparent=00-" TRACE "-" OURS "-00;"},
        {{"traceparent: cc-" TRACE "-" PARENT "-01-x"}, 0, "traceparent=00-" TRACE "-" OURS "-01;"},
        {{"b3: " TRACE "-" PARENT "-1"}, 0, "b3=" TRACE "-" OURS "-1;"},
        {{"x-b3-traceid: " TRACE, "x-b3-spanid: " PARENT, "x-b3-sampled: 1",
          "x-b3-parentspanid: 3333333333333333"},
         0,
         "x-b3-traceid=" TRACE ";x-b3-spanid=" OURS ";x-b3-parentspanid=" PARENT
         ";x-b3-sampled=1;"},
        {{NULL}, 1000000, "traceparent=00-11111111111111111111111111111111-" OURS "-01;"},
        /* Nothing of a trace that could not be read is carried into the new one. */
        {{"traceparent: broken", "tracestate: a=1"},
         1000000,
         "traceparent=00-11111111111111111111111111111111-" OURS "-01;"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        written(rows[i].fields, rows[i].per_million, text, sizeof(text));
        if (strcmp(text, rows[i].wanted) != 0) {
            fail_msg("row %zu: %s", i, text);
        }
    }
}

static void every_request_gets_a_span_of_its_own(void **state)
{
    static const char *const fields[] = {"traceparent: 00-" TRACE "-" PARENT "-01", NULL};
    struct arena arena = {0};
    struct headers headers;
    struct trace_ids one;
    struct trace_ids other;
    static const uint8_t zero[8];
    fill(&headers, &arena, fields);
    trace_read(&headers, 0, 0, &one);
    trace_read(&headers, 0, 0, &other);
    assert_memory_not_equal(one.span, other.span, 8);
    assert_memory_not_equal(one.span, zero, 8);
    arena_done(&arena);
}

static void a_request_id_is_a_random_uuid(void **state)
{
    struct arena arena = {0};
    random_seed(1);
    struct span previous = SPAN_EMPTY;
    for (int i = 0; i < 1000; i++) {
        struct span id = request_id_make(&arena);
        assert_int_equal(id.length, 36);
        for (size_t at = 0; at < 36; at++) {
            bool dash = at == 8 || at == 13 || at == 18 || at == 23;
            char byte = id.at[at];
            assert_true(dash ? byte == '-'
                             : (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f'));
        }
        assert_int_equal(id.at[14], '4');
        assert_non_null(strchr("89ab", id.at[19]));
        assert_false(span_equal(id, previous));
        previous = id;
    }
    arena_done(&arena);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(what_came_is_read_or_taken_for_absent),
        cmocka_unit_test(a_trace_starts_here_for_the_share_that_was_asked),
        cmocka_unit_test(what_goes_on_has_our_span_as_its_parent),
        cmocka_unit_test(every_request_gets_a_span_of_its_own),
        cmocka_unit_test(a_request_id_is_a_random_uuid),
    };
    return TEST_MAIN(cases, argc, argv);
}
