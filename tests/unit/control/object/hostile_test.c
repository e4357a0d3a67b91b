#include "tests/unit/cpu_time.h"
#include "tests/unit/test_main.h"

#include "control/object/manifest.h"
#include "lib/base/memory.h"
#include "lib/base/poison.h"
#include "lib/base/random.h"

/* Files made to hurt: whatever they hold, the answer comes soon, says where, and leaks nothing. */
#ifdef REMORA_POISON
enum { SLOWER = 10 };
#else
enum { SLOWER = 1 };
#endif
enum { WHOLE_BYTES = VALUE_FILE_BYTES, MOST_MS = 3000 * SLOWER };

/* The unit again and again, as many bytes as fit. */
static char *repeat(const char *unit, size_t bytes, size_t *ret_length)
{
    size_t length = strlen(unit);
    char *text = mem_alloc(bytes + 1);
    *ret_length = bytes / length * length;
    for (size_t i = 0; i < *ret_length; i += length) {
        memcpy(text + i, unit, length);
    }
    text[*ret_length] = '\0';
    return text;
}

static void parse(struct span bytes, struct problems *problems, size_t *ret_objects)
{
    struct manifest manifest;
    problems_init(problems, SPAN("x"));
    manifest_parse(bytes, problems, &manifest);
    *ret_objects = manifest.count;
    manifest_done(&manifest);
}

static void eight_megabytes_of_anything_are_answered_soon(void **state)
{
    static const char *const units[] = {
        "[",           "{",    "[ #]\n", "[ ']',",   "{a: ",      "[a, ", "- ",
        "? ",          "- - ", "&a ",    "*a ",      "a: &a b\n", "!!x ", "\"",
        "'",           "a\n",  "---\n",  "- a\n",    "a: \n ",    "#\n",  "|\n",
        "%YAML 1.2\n", "a:\n", "x: y, ", "[a]: ",    "\n",        " ",    "a: b\n---\n",
        "? a\n: b\n",  "[]",   "- {}\n", "\xc3\xa4",
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        struct problems problems;
        size_t length;
        size_t objects;
        char *text = repeat(units[i], WHOLE_BYTES, &length);
        int64_t start = cpu_time_ns();
        parse(span_make(text, length), &problems, &objects);
        int64_t took_ms = (cpu_time_ns() - start) / NS_PER_MS;
        assert_int_equal(objects, 0);
        if (took_ms > MOST_MS) {
            fail_msg("\"%s\" took %lld ms", units[i], (long long)took_ms);
        }
        problems_done(&problems);
        mem_free(text);
    }
}

static void a_larger_file_is_refused(void **state)
{
    struct problems problems;
    size_t length;
    size_t objects;
    char *text = repeat("#\n", WHOLE_BYTES + 2, &length);
    parse(span_make(text, length), &problems, &objects);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.items[0].text, "larger than 8 MiB");
    problems_done(&problems);
    mem_free(text);
}

static void aliases_cannot_multiply_without_bound(void **state)
{
    /* Ten levels of ten: 10^10 values if every alias were followed. */
    struct text text = {0};
    struct problems problems;
    size_t objects;
    text_add_text(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 10; i++) {
        text_printf(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++) {
            text_printf(&text, "%s*a%d", j > 0 ? ", " : "", i - 1);
        }
        text_add_text(&text, "]\n");
    }
    int64_t start = cpu_time_ns();
    parse(text_span(&text), &problems, &objects);
    assert_true((cpu_time_ns() - start) / NS_PER_MS < MOST_MS);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.items[0].text,
                        "too many values, or aliases that stand for too many");
    problems_done(&problems);
    text_done(&text);
}

static void aliases_cannot_nest_deeper_than_text_can(void **state)
{
    struct text text = {0};
    struct problems problems;
    size_t objects;
    text_add_text(&text, "a0: &a0 x\n");
    for (int i = 1; i < 40; i++) {
        text_printf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    }
    parse(text_span(&text), &problems, &objects);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.items[0].text, "nested deeper than 32");
    problems_done(&problems);
    text_done(&text);
}

static void an_alias_stands_for_what_its_anchor_named(void **state)
{
    struct problems problems;
    struct manifest manifest;
    problems_init(&problems, SPAN("x"));
    manifest_parse(SPAN("apiVersion: remora.dev/v1alpha1\nkind: Workload\n"
                        "metadata: {name: a, labels: &l {app: api}, annotations: *l}\n"
                        "spec: {addresses: [10.0.0.1]}\n"
                        "---\nlabels: *l\n"),
                   &problems, &manifest);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.items[0].text, "alias *l has no complete anchor before it");
    manifest_done(&manifest);
    problems_done(&problems);
}

static void deep_json_is_refused_and_shallow_json_read(void **state)
{
    struct arena arena = {0};
    struct problems problems;
    struct value *value = NULL;
    size_t length;
    char *deep = repeat("[", 1000, &length);
    problems_init(&problems, SPAN(""));
    assert_false(value_read_json(span_make(deep, length), &arena, &problems, &value));
    assert_false(value_read_json(SPAN("{\"a\":1,\"a\":2}"), &arena, &problems, &value));
    assert_false(
        value_read_json(SPAN("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
                             "]]]"),
                        &arena, &problems, &value));
    assert_null(value);
    assert_int_equal(problems.count, 3);
    assert_true(
        value_read_json(SPAN("{\"a\": [1, 1.5, true, null, \"x\"]}"), &arena, &problems, &value));
    const struct value *list = value_member(value, SPAN("a"));
    static const uint8_t kinds[] = {VALUE_INT, VALUE_FLOAT, VALUE_BOOL, VALUE_NULL, VALUE_STRING};
    const struct value *each = list->children;
    for (size_t i = 0; i < 5; i++, each = each->next) {
        assert_int_equal(each->kind, kinds[i]);
    }
    assert_null(each);
    problems_done(&problems);
    arena_done(&arena);
    mem_free(deep);
}

static void plain_scalars_are_what_the_core_schema_says(void **state)
{
    static const struct {
        const char *text;
        uint8_t kind;
    } cases[] = {
        {"", VALUE_NULL},        {"~", VALUE_NULL},          {"null", VALUE_NULL},
        {"nulls", VALUE_STRING}, {"true", VALUE_BOOL},       {"False", VALUE_BOOL},
        {"yes", VALUE_STRING},   {"on", VALUE_STRING},       {"off", VALUE_STRING},
        {"0", VALUE_INT},        {"-12", VALUE_INT},         {"+7", VALUE_INT},
        {"1.5", VALUE_FLOAT},    {".5", VALUE_FLOAT},        {"1.", VALUE_FLOAT},
        {"1e3", VALUE_FLOAT},    {"-.inf", VALUE_FLOAT},     {".nan", VALUE_FLOAT},
        {"1.2.3", VALUE_STRING}, {"0.5..0.7", VALUE_STRING}, {"10s", VALUE_STRING},
        {"e3", VALUE_STRING},    {"1e", VALUE_STRING},       {".", VALUE_STRING},
        {"-", VALUE_STRING},     {"0x10", VALUE_STRING},     {"2026-01-02T03:04:05Z", VALUE_STRING},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (value_kind_of_plain(span_of(cases[i].text)) != cases[i].kind) {
            fail_msg("\"%s\"", cases[i].text);
        }
    }
}

static void a_hostile_file_cannot_fill_memory_with_problems(void **state)
{
    struct problems problems;
    size_t length;
    size_t objects;
    char *text = repeat("---\nkind: X\n", 100000, &length);
    parse(span_make(text, length), &problems, &objects);
    assert_int_equal(problems.count, PROBLEMS_KEPT);
    assert_int_equal(problems.left_out, length / 12 - PROBLEMS_KEPT);
    assert_int_equal(problems.errors, length / 12);
    problems_done(&problems);
    mem_free(text);
}

static void quoted_scalars_are_read_as_yaml_says(void **state)
{
    static const struct {
        const char *yaml, *text;
    } cases[] = {
        {"a: ''", ""},
        {"a: 'x'", "x"},
        {"a: 'x''y'''", "x'y'"},
        {"a: ''''", "'"},
        {"a: 'p  \n\n  q  \n  ''r'", "p\nq 'r"},
        {"a: 'p\r\n  q'", "p q"},
        {"a: \"x\\n\\u00e9\"", "x\n\xc3\xa9"},
        {"a: |\n  x\n  y\n", "x\ny\n"},
        {"a: >-\n  x\n  y\n", "x y"},
        {"a: x\n  y", "x y"},
        {"'a': x", "x"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena = {0};
        struct problems problems;
        struct value *value = NULL;
        problems_init(&problems, SPAN_EMPTY);
        assert_true(value_read_yaml(span_of(cases[i].yaml), &arena, &problems, &value));
        const struct value *a = value_member(value, SPAN("a"));
        assert_int_equal(a->kind, VALUE_STRING);
        if (!span_equal_text(a->text, cases[i].text)) {
            fail_msg("%s: \"%.*s\"", cases[i].yaml, SPAN_ARG(a->text));
        }
        problems_done(&problems);
        arena_done(&arena);
    }
}

static void words_from_outside_are_cut_where_they_are_told(void **state)
{
    struct problems problems;
    size_t length;
    size_t objects;
    char *name = repeat("\xc3\xa4", 100000, &length);
    struct text text = {0};
    text_printf(&text,
                "apiVersion: remora.dev/v1alpha1\nkind: x%s\n---\napiVersion: "
                "remora.dev/v1alpha1\nkind: Workload\nmetadata: {name: %s}\n",
                name, name);
    parse(text_span(&text), &problems, &objects);
    assert_true(problems.count >= 2);
    for (size_t i = 0; i < problems.count; i++) {
        assert_true(strlen(problems.items[i].text) <= PROBLEM_TEXT_BYTES);
        assert_true(strlen(problems.items[i].object) <= PROBLEM_TEXT_BYTES);
        assert_true(utf8_valid(span_of(problems.items[i].text)));
        assert_true(utf8_valid(span_of(problems.items[i].object)));
    }
    assert_true(span_starts_with(span_of(problems.items[0].text), SPAN("unknown kind x\xc3\xa4")));
    assert_true(span_ends_with(span_of(problems.items[0].text), SPAN("\xc3\xa4...")));
    problems_done(&problems);
    text_done(&text);
    mem_free(name);
}

/* Every field of every kind goes absent, null and wrong, byte by byte: no crash, no leak. */
static const char every_kind[] =
    "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec:\n"
    "  parentRefs: [{group: \"\", kind: Service, name: api, port: 80, sectionName: http}]\n"
    "  rules:\n  - name: one\n    matches: [{path: {type: Exact, value: /a}, headers: [{name: a, "
    "value: b}], queryParams: [{name: c, value: d}], method: GET}]\n"
    "    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: "
    "b}], remove: [c]}}]\n    backendRefs: [{name: api, port: 80, weight: 1}]\n"
    "    timeouts: {request: 1s}\n    retry: {attempts: 1, codes: [500]}\n"
    "---\napiVersion: v1\nkind: Service\nmetadata: {name: api, labels: {a: b}}\nspec: {clusterIP: "
    "10.0.0.1, ports: [{name: http, port: 80, targetPort: web}], selector: {app: api}}\n"
    "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: e}\naddressType: "
    "IPv4\nendpoints: [{addresses: [10.0.0.1], conditions: {ready: true}}]\nports: [{name: http, "
    "port: 80}]\n"
    "---\napiVersion: remora.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: t}\nspec: "
    "{targetRefs: [{kind: Service, name: api}], timeouts: {connect: 1s}, retries: {on: [5xx], "
    "maxBody: 64Ki, budget: {percent: 20}}, breaker: {ratio: 0.8}}\n";

static void mutated_manifests_do_no_harm(void **state)
{
    static const char bytes[] = "{}[]:,&*!|>'\"%@`#-? \n\t0~nx";
    random_seed(7);
    for (int i = 0; i < 3000; i++) {
        struct problems problems;
        size_t objects;
        size_t length = sizeof(every_kind) - 1;
        char *copy = mem_text(every_kind, length);
        for (uint64_t j = 0; j <= random_below(4) && length > 0; j++) {
            size_t at = random_below(length);
            switch (random_below(3)) {
            case 0:
                copy[at] = bytes[random_below(sizeof(bytes) - 1)];
                break;
            case 1:
                memmove(copy + at, copy + at + 1, length - at);
                length--;
                break;
            default:
                length = at > 0 ? at : 1;
                break;
            }
        }
        parse(span_make(copy, length), &problems, &objects);
        problems_done(&problems);
        mem_free(copy);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(eight_megabytes_of_anything_are_answered_soon),
        cmocka_unit_test(a_larger_file_is_refused),
        cmocka_unit_test(aliases_cannot_multiply_without_bound),
        cmocka_unit_test(aliases_cannot_nest_deeper_than_text_can),
        cmocka_unit_test(an_alias_stands_for_what_its_anchor_named),
        cmocka_unit_test(deep_json_is_refused_and_shallow_json_read),
        cmocka_unit_test(plain_scalars_are_what_the_core_schema_says),
        cmocka_unit_test(a_hostile_file_cannot_fill_memory_with_problems),
        cmocka_unit_test(quoted_scalars_are_read_as_yaml_says),
        cmocka_unit_test(words_from_outside_are_cut_where_they_are_told),
        cmocka_unit_test(mutated_manifests_do_no_harm),
    };
    return TEST_MAIN(cases, argc, argv);
}
