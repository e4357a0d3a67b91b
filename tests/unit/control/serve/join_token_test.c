#include "control/serve/join_token.h"

#include "lib/base/clock.h"
#include "state_fixture.h"
#include "tests/unit/test_main.h"

#define DAY_NS (86400 * NS_PER_S)
static const int64_t noon_ns = 1800000000 * NS_PER_S;

struct bench {
    struct state_fixture state;
    struct join_tokens *tokens;
    char reason[KEYSTORE_REASON_BYTES];
};

static void bench_init(struct bench *bench)
{
    clock_fake(1, noon_ns);
    state_fixture_init(&bench->state);
    bench->tokens = join_tokens_open(bench->state.store, bench->reason);
    assert_non_null(bench->tokens);
}

static void bench_done(struct bench *bench)
{
    join_tokens_close(bench->tokens);
    state_fixture_done(&bench->state);
    clock_real();
}

static void reopen(struct bench *bench)
{
    join_tokens_close(bench->tokens);
    bench->tokens = join_tokens_open(bench->state.store, bench->reason);
    assert_non_null(bench->tokens);
}

static struct join_wish wish_for(bool reusable, int64_t lifetime_s)
{
    return (struct join_wish){.namespace_name = SPAN("shop"),
                              .service_account = SPAN("web"),
                              .lifetime_s = lifetime_s,
                              .reusable = reusable};
}

static void create(struct bench *bench, bool reusable, int64_t lifetime_s, char *ret)
{
    struct join_wish wish = wish_for(reusable, lifetime_s);
    assert_true(join_tokens_create(bench->tokens, &wish, ret, bench->reason));
}

static enum join_verdict check(struct bench *bench, const char *text, const unsigned char *key_hash)
{
    const struct join_token *token = NULL;
    enum join_verdict verdict = join_tokens_check(bench->tokens, span_of(text), key_hash, &token);
    assert_int_equal(verdict == JOIN_GOOD, token != NULL);
    return verdict;
}

static bool use(struct bench *bench, const char *text, const unsigned char *key_hash)
{
    const struct join_token *token = NULL;
    assert_int_equal(join_tokens_check(bench->tokens, span_of(text), key_hash, &token), JOIN_GOOD);
    return join_tokens_use(bench->tokens, token, key_hash, bench->reason);
}

static const unsigned char key_a[JOIN_HASH_BYTES] = {1};
static const unsigned char key_b[JOIN_HASH_BYTES] = {2};

static void a_token_names_its_account(void **unused)
{
    struct bench bench;
    char text[JOIN_TOKEN_TEXT_BYTES];
    const struct join_token *token = NULL;
    bench_init(&bench);
    create(&bench, false, 0, text);
    assert_int_equal(join_tokens_check(bench.tokens, span_of(text), NULL, &token), JOIN_GOOD);
    assert_string_equal(token->namespace_name, "shop");
    assert_string_equal(token->service_account, "web");
    assert_int_equal(token->expires_s - token->created_s, JOIN_TOKEN_LIFETIME_S);
    bench_done(&bench);
}

static void a_single_use_token_is_spent_by_the_first_key(void **unused)
{
    struct bench bench;
    char text[JOIN_TOKEN_TEXT_BYTES];
    bench_init(&bench);
    create(&bench, false, 0, text);
    assert_true(use(&bench, text, key_a));
    assert_int_equal(check(&bench, text, key_b), JOIN_SPENT);
    assert_int_equal(check(&bench, text, NULL), JOIN_SPENT);
    bench_done(&bench);
}

static void a_spent_token_is_good_for_the_same_key_for_a_minute(void **unused)
{
    struct bench bench;
    char text[JOIN_TOKEN_TEXT_BYTES];
    bench_init(&bench);
    create(&bench, false, 0, text);
    assert_true(use(&bench, text, key_a));
    clock_fake_advance(JOIN_TOKEN_SAME_KEY_S * NS_PER_S);
    assert_int_equal(check(&bench, text, key_a), JOIN_GOOD);
    clock_fake_advance(NS_PER_S);
    assert_int_equal(check(&bench, text, key_a), JOIN_SPENT);
    bench_done(&bench);
}

static void a_reusable_token_serves_many_keys(void **unused)
{
    struct bench bench;
    char text[JOIN_TOKEN_TEXT_BYTES];
    bench_init(&bench);
    create(&bench, true, 0, text);
    assert_true(use(&bench, text, key_a));
    assert_true(use(&bench, text, key_b));
    assert_int_equal(check(&bench, text, NULL), JOIN_GOOD);
    bench_done(&bench);
}

static void a_token_ends(void **unused)
{
    struct bench bench;
    char text[JOIN_TOKEN_TEXT_BYTES];
    bench_init(&bench);
    create(&bench, true, 10, text);
    clock_fake_advance(10 * NS_PER_S - 1);
    assert_int_equal(check(&bench, text, NULL), JOIN_GOOD);
    clock_fake_advance(1);
    assert_int_equal(check(&bench, text, NULL), JOIN_EXPIRED);
    bench_done(&bench);
}

static void a_revoked_token_stays_revoked_after_a_restart(void **unused)
{
    struct bench bench;
    char text[JOIN_TOKEN_TEXT_BYTES];
    bench_init(&bench);
    create(&bench, true, 0, text);
    assert_true(join_tokens_revoke(bench.tokens, span_cut(span_of(text), 4, 20), bench.reason));
    assert_int_equal(check(&bench, text, NULL), JOIN_REVOKED);
    reopen(&bench);
    assert_int_equal(check(&bench, text, NULL), JOIN_REVOKED);
    assert_false(join_tokens_revoke(bench.tokens, SPAN("0123456789abcdef"), bench.reason));
    bench_done(&bench);
}

static void a_spent_token_stays_spent_after_a_restart(void **unused)
{
    struct bench bench;
    char text[JOIN_TOKEN_TEXT_BYTES];
    bench_init(&bench);
    create(&bench, false, 0, text);
    assert_true(use(&bench, text, key_a));
    reopen(&bench);
    assert_int_equal(check(&bench, text, key_b), JOIN_SPENT);
    assert_int_equal(check(&bench, text, key_a), JOIN_GOOD);
    bench_done(&bench);
}

static void texts_that_are_no_tokens_are_told_apart(void **unused)
{
    struct bench bench;
    char text[JOIN_TOKEN_TEXT_BYTES];
    bench_init(&bench);
    create(&bench, true, 0, text);
    char longer[JOIN_TOKEN_TEXT_BYTES + 1];
    char other[JOIN_TOKEN_TEXT_BYTES];
    char upper[JOIN_TOKEN_TEXT_BYTES];
    snprintf(longer, sizeof(longer), "%s0", text);
    snprintf(other, sizeof(other), "%s", text);
    other[strlen(other) - 1] = other[strlen(other) - 1] == '0' ? '1' : '0';
    snprintf(upper, sizeof(upper), "%s", text);
    upper[10] = 'A';
    const struct {
        const char *text;
        enum join_verdict verdict;
    } cases[] = {
        {"", JOIN_MALFORMED},
        {"rmt_", JOIN_MALFORMED},
        {longer, JOIN_MALFORMED},
        {upper, JOIN_MALFORMED},
        {other, JOIN_UNKNOWN},
        {"rmt_0000000000000000_"
         "0000000000000000000000000000000000000000000000000000000000000000",
         JOIN_UNKNOWN},
        {text, JOIN_GOOD},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(check(&bench, cases[i].text, NULL), cases[i].verdict);
    }
    bench_done(&bench);
}

static void wishes_that_name_nobody_are_refused(void **unused)
{
    struct bench bench;
    char text[JOIN_TOKEN_TEXT_BYTES];
    bench_init(&bench);
    struct join_wish good = wish_for(false, 1);
    struct join_wish wishes[] = {good, good, good, good, good};
    wishes[0].namespace_name = SPAN_EMPTY;
    wishes[1].service_account = SPAN("a/b");
    wishes[2].service_account = SPAN("..");
    wishes[3].lifetime_s = -1;
    wishes[4].lifetime_s = JOIN_TOKEN_LONGEST_S + 1;
    for (size_t i = 0; i < 5; i++) {
        assert_false(join_tokens_create(bench.tokens, &wishes[i], text, bench.reason));
    }
    assert_int_equal(join_tokens_count(bench.tokens), 0);
    bench_done(&bench);
}

static void the_secret_is_not_on_disk(void **unused)
{
    struct bench bench;
    char text[JOIN_TOKEN_TEXT_BYTES];
    struct text file = {0};
    bench_init(&bench);
    create(&bench, true, 0, text);
    assert_int_equal(keystore_read(bench.state.store, "tokens", &file, bench.reason), KEYSTORE_OK);
    struct span secret = span_cut(span_of(text), 21, strlen(text));
    assert_int_equal(secret.length, 64);
    assert_int_equal(span_find(text_span(&file), secret), file.length);
    text_done(&file);
    bench_done(&bench);
}

static void broken_files_are_not_read_and_the_one_before_is(void **unused)
{
    static const char *const broken[] = {"",
                                         "{",
                                         "[]",
                                         "{\"version\": 2, \"tokens\": []}",
                                         "{\"version\": 1, \"tokens\": {}}",
                                         "{\"version\": 1, \"tokens\": [{\"id\": \"x\"}]}",
                                         "{\"version\": 1, \"version\": 1, \"tokens\": []}"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct bench bench;
        char first[JOIN_TOKEN_TEXT_BYTES];
        char second[JOIN_TOKEN_TEXT_BYTES];
        bench_init(&bench);
        create(&bench, true, 0, first);
        create(&bench, true, 0, second);
        state_fixture_write(&bench.state, "tokens", broken[i]);
        reopen(&bench);
        assert_int_equal(check(&bench, first, NULL), JOIN_GOOD);
        assert_int_equal(check(&bench, second, NULL), JOIN_UNKNOWN);
        state_fixture_write(&bench.state, "tokens", broken[i]);
        state_fixture_write(&bench.state, "tokens.previous", broken[i]);
        join_tokens_close(bench.tokens);
        bench.tokens = join_tokens_open(bench.state.store, bench.reason);
        assert_null(bench.tokens);
        bench_done(&bench);
    }
}

static void a_use_that_cannot_be_recorded_is_no_use(void **unused)
{
    struct bench bench;
    char text[JOIN_TOKEN_TEXT_BYTES];
    bench_init(&bench);
    create(&bench, false, 0, text);
    state_fixture_freeze(&bench.state);
    assert_false(use(&bench, text, key_a));
    assert_int_equal(check(&bench, text, key_b), JOIN_GOOD);
    struct join_wish wish = wish_for(true, 0);
    assert_false(join_tokens_create(bench.tokens, &wish, text, bench.reason));
    assert_int_equal(join_tokens_count(bench.tokens), 1);
    bench_done(&bench);
}

static void tokens_that_ended_are_forgotten_a_day_later(void **unused)
{
    struct bench bench;
    char text[JOIN_TOKEN_TEXT_BYTES];
    bench_init(&bench);
    create(&bench, false, 10, text);
    clock_fake_advance(DAY_NS);
    create(&bench, false, 10, text);
    assert_int_equal(join_tokens_count(bench.tokens), 2);
    clock_fake_advance(12 * NS_PER_S);
    create(&bench, false, 10, text);
    assert_int_equal(join_tokens_count(bench.tokens), 2);
    bench_done(&bench);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_token_names_its_account),
        cmocka_unit_test(a_single_use_token_is_spent_by_the_first_key),
        cmocka_unit_test(a_spent_token_is_good_for_the_same_key_for_a_minute),
        cmocka_unit_test(a_reusable_token_serves_many_keys),
        cmocka_unit_test(a_token_ends),
        cmocka_unit_test(a_revoked_token_stays_revoked_after_a_restart),
        cmocka_unit_test(a_spent_token_stays_spent_after_a_restart),
        cmocka_unit_test(texts_that_are_no_tokens_are_told_apart),
        cmocka_unit_test(wishes_that_name_nobody_are_refused),
        cmocka_unit_test(the_secret_is_not_on_disk),
        cmocka_unit_test(broken_files_are_not_read_and_the_one_before_is),
        cmocka_unit_test(a_use_that_cannot_be_recorded_is_no_use),
        cmocka_unit_test(tokens_that_ended_are_forgotten_a_day_later),
    };
    return TEST_MAIN(cases, argc, argv);
}
