#include "tests/unit/test_main.h"

#include "certs/leaf_verify.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "proxy/identity/workload_identity.h"
#include "tests/unit/proxy/identity/fake_authority.h"

#include <jansson.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WALL_S 1780000000LL

struct place {
    struct loop *loop;
    struct fake_authority authority;
    struct workload_identity_options options;
    struct workload_identity *identity;
    struct tls_config *client, *server;
    unsigned told, new_roots;
    char folder[64], token_file[96];
};

static void on_tls(void *owner, struct tls_config *client, struct tls_config *server,
                   bool new_roots)
{
    struct place *place = owner;
    tls_config_unref(place->client);
    tls_config_unref(place->server);
    place->client = tls_config_ref(client);
    place->server = tls_config_ref(server);
    place->told++;
    place->new_roots += new_roots;
}

static const struct workload_identity_events events = {on_tls};

static void write_token(struct place *place, const char *token)
{
    FILE *file = fopen(place->token_file, "w");
    assert_non_null(file);
    fputs(token, file);
    fclose(file);
}

static void place_init(struct place *place)
{
    *place = (struct place){0};
    log_set_level(LOG_LEVEL_OFF);
    clock_fake(NS_PER_S, WALL_S * NS_PER_S);
    place->loop = loop_create_simulated(NS_PER_S);
    fake_authority_init(&place->authority, place->loop);
    snprintf(place->folder, sizeof(place->folder), "/dev/shm/remora-identity-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->token_file, sizeof(place->token_file), "%s.token", place->folder);
    write_token(place, "  first\n");
    place->options = (struct workload_identity_options){
        .trust_domain = SPAN("td.test"),
        .namespace_name = SPAN("shop"),
        .service_account = SPAN("web"),
        .token_file = span_of(place->token_file),
    };
}

static void identity_open(struct place *place)
{
    const char *reason = NULL;
    place->identity =
        workload_identity_create(place->loop, &place->options, &events, place, &reason);
    assert_non_null(place->identity);
    workload_identity_set_source(place->identity, &place->authority.source);
    workload_identity_start(place->identity);
}

static void identity_close(struct place *place)
{
    tls_config_unref(place->client);
    tls_config_unref(place->server);
    place->client = NULL;
    place->server = NULL;
    workload_identity_destroy(place->identity);
    place->identity = NULL;
}

static void place_done(struct place *place)
{
    char file[96];
    identity_close(place);
    fake_authority_done(&place->authority);
    loop_destroy(place->loop);
    snprintf(file, sizeof(file), "%s/identity", place->folder);
    unlink(file);
    unlink(place->token_file);
    rmdir(place->folder);
    clock_real();
}

/* Both clocks, in steps: the simulated loop and the wall. */
static void pass(struct place *place, int64_t ms)
{
    for (int64_t step; ms > 0; ms -= step) {
        step = ms < 10 ? ms : ms > 100000 ? 1000 : 10;
        clock_fake_advance(step * NS_PER_MS);
        loop_advance(place->loop, step * NS_PER_MS);
    }
}

static struct workload_identity_state state_of(const struct place *place)
{
    struct workload_identity_state state;
    workload_identity_state(place->identity, &state);
    return state;
}

static void set_roots(struct place *place)
{
    const char *reason = NULL;
    assert_true(workload_identity_set_roots(place->identity, text_span(&place->authority.root_pem),
                                            &reason));
}

static void a_token_becomes_a_certificate_for_both_ends(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    identity_open(&place);
    set_roots(&place);
    pass(&place, 10);
    struct workload_identity_state now = state_of(&place);
    assert_true(now.valid);
    assert_false(now.asking);
    assert_int_equal(now.issued, 1);
    assert_int_equal(now.failed, 0);
    assert_int_equal(now.roots, 1);
    assert_int_equal(now.not_after_s, WALL_S + 3600);
    assert_true(span_equal(now.id, SPAN("spiffe://td.test/ns/shop/sa/web")));
    assert_string_equal(now.last_error, "");
    assert_string_equal(place.authority.token.bytes, "first");
    assert_int_equal(place.told, 1);
    assert_non_null(place.client);
    assert_non_null(place.server);
    place_done(&place);
}

static void bad_answers_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        enum fake_fault fault;
        const char *reason;
    } cases[] = {
        {FAKE_OTHER_KEY, "another key"},
        {FAKE_OTHER_ID, "another identity"},
        {FAKE_EXPIRED, "expired"},
        {FAKE_EARLY, "not valid yet"},
        {FAKE_GARBAGE, ""},
        {FAKE_EMPTY, "no certificate"},
        {FAKE_TOO_MANY, "too many"},
        {FAKE_REFUSES, "closed for today"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct place place;
        place_init(&place);
        place.authority.fault = cases[i].fault;
        identity_open(&place);
        set_roots(&place);
        pass(&place, 10);
        struct workload_identity_state now = state_of(&place);
        assert_false(now.valid);
        assert_int_equal(now.failed, 1);
        assert_int_equal(place.told, 0);
        assert_true(now.last_error[0] != '\0');
        if (strstr(now.last_error, cases[i].reason) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", now.last_error, cases[i].reason);
        }
        /* And it recovers by itself. */
        place.authority.fault = FAKE_SIGNS;
        pass(&place, 2010);
        assert_true(state_of(&place).valid);
        place_done(&place);
    }
}

static void a_leaf_of_a_foreign_root_is_refused_until_that_root_is_trusted(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    identity_open(&place);
    set_roots(&place);
    fake_authority_renew(&place.authority);
    pass(&place, 10);
    assert_false(state_of(&place).valid);
    assert_int_equal(state_of(&place).failed, 1);
    set_roots(&place); /* asks at once */
    pass(&place, 10);
    assert_true(state_of(&place).valid);
    place_done(&place);
}

static void the_first_bundle_may_come_with_a_trusted_answer_only(void **state)
{
    (void)state;
    for (int trusted = 0; trusted < 2; trusted++) {
        struct place place;
        place_init(&place);
        place.options.source_trusted = trusted == 1;
        place.authority.sends_root = true;
        identity_open(&place);
        pass(&place, 10);
        assert_int_equal(state_of(&place).issued, 1);
        assert_int_equal(state_of(&place).roots, trusted);
        assert_int_equal(place.new_roots, trusted);
        /* A later answer never replaces it. */
        fake_authority_renew(&place.authority);
        workload_identity_set_window(place.identity, (struct rotation_window){0.5, 0.5}, 0);
        pass(&place, 2600 * 1000);
        assert_int_equal(state_of(&place).roots, trusted);
        if (trusted == 1) {
            assert_int_equal(state_of(&place).issued, 1);
            assert_true(state_of(&place).failed > 0);
        }
        place_done(&place);
    }
}

static void renewal_comes_at_its_time_without_the_token(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    place.authority.lifetime_s = 10;
    identity_open(&place);
    set_roots(&place);
    pass(&place, 10);
    struct tls_config *before = tls_config_ref(place.client);
    char serial[64];
    snprintf(serial, sizeof(serial), "%.*s", SPAN_ARG(state_of(&place).serial));
    pass(&place, 4900);
    assert_int_equal(state_of(&place).issued, 1);
    pass(&place, 2200);
    struct workload_identity_state now = state_of(&place);
    assert_int_equal(now.issued, 2);
    assert_int_equal(place.authority.with_token, 1);
    assert_int_equal(place.told, 2);
    assert_ptr_not_equal(before, place.client);
    assert_false(span_equal_text(now.serial, serial));
    tls_config_unref(before);
    place_done(&place);
}

static void a_refused_certificate_is_followed_by_the_token_as_it_is_now(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    place.authority.lifetime_s = 10;
    place.authority.fault = FAKE_NEEDS_TOKEN;
    identity_open(&place);
    set_roots(&place);
    pass(&place, 10);
    write_token(&place, "second");
    pass(&place, 7100);
    assert_int_equal(state_of(&place).issued, 2);
    assert_int_equal(state_of(&place).failed, 0);
    assert_int_equal(place.authority.asked, 3);
    assert_int_equal(place.authority.with_token, 2);
    assert_string_equal(place.authority.token.bytes, "second");
    place_done(&place);
}

static void tokens_that_are_none_are_not_sent(void **state)
{
    (void)state;
    static const char *const tokens[] = {"", " \n", "two\nlines", "bell\a"};
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        struct place place;
        place_init(&place);
        write_token(&place, tokens[i]);
        identity_open(&place);
        pass(&place, 10);
        assert_int_equal(place.authority.asked, 0);
        assert_non_null(strstr(state_of(&place).last_error, "token"));
        place_done(&place);
    }
}

static void an_expired_certificate_is_replaced_once_the_control_plane_is_back(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    place.authority.lifetime_s = 10;
    identity_open(&place);
    set_roots(&place);
    pass(&place, 10);
    place.authority.fault = FAKE_DISCONNECTED;
    pass(&place, 60000);
    assert_false(state_of(&place).valid);
    assert_int_equal(place.told, 1); /* what was given stays given */
    pass(&place, 240000);
    place.authority.fault = FAKE_SIGNS;
    workload_identity_ask_now(place.identity);
    pass(&place, 10);
    assert_true(state_of(&place).valid);
    assert_string_equal(place.authority.token.bytes, "first");
    place_done(&place);
}

static void jump_s(int64_t seconds)
{
    clock_fake(clock_now_ns(), clock_wall_ns() + seconds * NS_PER_S);
}

static void a_jump_of_the_wall_clock_is_noticed_within_a_minute(void **state)
{
    (void)state;
    static const int64_t jumps_s[] = {-26 * 3600, -600, 600, 26 * 3600};
    static const bool is_felt[] = {true, true, false, true};
    for (size_t i = 0; i < sizeof(jumps_s) / sizeof(jumps_s[0]); i++) {
        struct place place;
        place_init(&place);
        jump_s(30 * 24 * 3600); /* the authority is older than the jump */
        identity_open(&place);
        set_roots(&place);
        pass(&place, 10);
        assert_int_equal(place.authority.asked, 1);
        jump_s(jumps_s[i]);
        pass(&place, 61000);
        struct workload_identity_state now = state_of(&place);
        assert_true(now.valid);
        assert_true(now.not_before_s <= clock_wall_ns() / NS_PER_S);
        assert_int_equal(place.authority.asked, is_felt[i] ? 2 : 1);
        place_done(&place);
    }
}

static void asking_now_does_not_disturb_a_good_certificate(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    identity_open(&place);
    set_roots(&place);
    pass(&place, 10);
    workload_identity_ask_now(place.identity);
    pass(&place, 10);
    assert_int_equal(place.authority.asked, 1);
    place_done(&place);
}

static void a_question_under_way_is_given_up_with_its_source(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    place.authority.fault = FAKE_SILENT;
    identity_open(&place);
    pass(&place, 10);
    assert_true(state_of(&place).asking);
    workload_identity_set_source(place.identity, NULL);
    assert_int_equal(place.authority.cancelled, 1);
    pass(&place, 10);
    assert_false(state_of(&place).asking);
    place_done(&place);
}

static void overlapping_roots_keep_the_certificate_and_make_new_configs(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    identity_open(&place);
    set_roots(&place);
    pass(&place, 10);
    struct text both = {0};
    const char *reason = NULL;
    text_add(&both, text_span(&place.authority.root_pem));
    fake_authority_renew(&place.authority);
    text_add(&both, text_span(&place.authority.root_pem));
    assert_true(workload_identity_set_roots(place.identity, text_span(&both), &reason));
    pass(&place, 10);
    assert_int_equal(state_of(&place).roots, 2);
    assert_int_equal(state_of(&place).issued, 1);
    assert_int_equal(place.told, 2);
    assert_int_equal(place.new_roots, 1);
    /* The same again changes nothing. */
    assert_true(workload_identity_set_roots(place.identity, text_span(&both), &reason));
    assert_int_equal(place.told, 2);
    /* The old root goes: the certificate must go too. */
    set_roots(&place);
    pass(&place, 10);
    assert_int_equal(state_of(&place).roots, 1);
    assert_int_equal(state_of(&place).issued, 2);
    text_done(&both);
    place_done(&place);
}

static void a_broken_bundle_changes_nothing(void **state)
{
    (void)state;
    struct place place;
    place_init(&place);
    identity_open(&place);
    set_roots(&place);
    pass(&place, 10);
    static const char *const broken[] = {
        "", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        const char *reason = NULL;
        assert_false(workload_identity_set_roots(place.identity, span_of(broken[i]), &reason));
        assert_non_null(reason);
    }
    assert_int_equal(place.told, 1);
    assert_int_equal(state_of(&place).roots, 1);
    place_done(&place);
}

static void a_kept_identity_is_there_at_the_next_start(void **state)
{
    (void)state;
    struct place place;
    struct stat facts;
    char file[96];
    place_init(&place);
    place.options.key_dir = span_of(place.folder);
    identity_open(&place);
    set_roots(&place);
    pass(&place, 10);
    snprintf(file, sizeof(file), "%s/identity", place.folder);
    assert_int_equal(stat(file, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    char serial[64];
    snprintf(serial, sizeof(serial), "%.*s", SPAN_ARG(state_of(&place).serial));
    identity_close(&place);
    place.told = 0;
    place.authority.fault = FAKE_DISCONNECTED;
    identity_open(&place);
    assert_int_equal(place.told, 1); /* before any answer */
    struct workload_identity_state now = state_of(&place);
    assert_true(now.restored && now.valid);
    assert_true(span_equal_text(now.serial, serial));
    assert_int_equal(now.roots, 1);
    place_done(&place);
}

static void what_was_kept_is_dropped_when_it_is_of_no_use(void **state)
{
    (void)state;
    enum { ENDED, OTHER_NAME, BROKEN, LOOSE, CASES };
    for (int which = 0; which < CASES; which++) {
        struct place place;
        char file[96];
        place_init(&place);
        place.options.key_dir = span_of(place.folder);
        snprintf(file, sizeof(file), "%s/identity", place.folder);
        identity_open(&place);
        set_roots(&place);
        pass(&place, 10);
        identity_close(&place);
        place.told = 0;
        if (which == ENDED) {
            clock_fake_advance(7200 * NS_PER_S);
        } else if (which == OTHER_NAME) {
            place.options.service_account = SPAN("api");
        } else if (which == BROKEN) {
            assert_int_equal(truncate(file, 700), 0);
        } else {
            assert_int_equal(chmod(file, 0644), 0);
        }
        place.authority.fault = FAKE_DISCONNECTED;
        identity_open(&place);
        assert_int_equal(place.told, 0);
        assert_false(state_of(&place).restored);
        assert_int_not_equal(access(file, F_OK), 0);
        place_done(&place);
    }
}

static void keys_are_not_kept_on_a_disk(void **state)
{
    (void)state;
    struct place place;
    char folder[] = "/var/tmp/remora-identity-XXXXXX";
    char file[96];
    place_init(&place);
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof(file), "%s/identity", folder);
    place.options.key_dir = span_of(folder);
    identity_open(&place);
    set_roots(&place);
    pass(&place, 10);
    assert_true(state_of(&place).valid);
    bool there = access(file, F_OK) == 0;
    unlink(file);
    rmdir(folder);
    assert_false(there);
    place_done(&place);
}

static void the_report_is_json(void **state)
{
    (void)state;
    struct place place;
    struct text text = {0};
    place_init(&place);
    identity_open(&place);
    for (int round = 0; round < 2; round++) {
        text_clear(&text);
        workload_identity_write(place.identity, &text);
        json_t *json = json_loadb(text.bytes, text.length, 0, NULL);
        assert_non_null(json);
        assert_string_equal(json_string_value(json_object_get(json, "state")),
                            round == 0 ? "none" : "valid");
        assert_int_equal(json_array_size(json_object_get(json, "roots")), round);
        json_decref(json);
        set_roots(&place);
        pass(&place, 10);
    }
    text_done(&text);
    place_done(&place);
}

static void names_that_make_no_id_are_refused(void **state)
{
    (void)state;
    struct place place;
    const char *reason = NULL;
    place_init(&place);
    place.options.service_account = SPAN("a/b");
    assert_null(workload_identity_create(place.loop, &place.options, &events, &place, &reason));
    assert_non_null(reason);
    place_done(&place);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_token_becomes_a_certificate_for_both_ends),
        cmocka_unit_test(bad_answers_are_refused_with_a_reason),
        cmocka_unit_test(a_leaf_of_a_foreign_root_is_refused_until_that_root_is_trusted),
        cmocka_unit_test(the_first_bundle_may_come_with_a_trusted_answer_only),
        cmocka_unit_test(renewal_comes_at_its_time_without_the_token),
        cmocka_unit_test(a_refused_certificate_is_followed_by_the_token_as_it_is_now),
        cmocka_unit_test(tokens_that_are_none_are_not_sent),
        cmocka_unit_test(an_expired_certificate_is_replaced_once_the_control_plane_is_back),
        cmocka_unit_test(a_jump_of_the_wall_clock_is_noticed_within_a_minute),
        cmocka_unit_test(asking_now_does_not_disturb_a_good_certificate),
        cmocka_unit_test(a_question_under_way_is_given_up_with_its_source),
        cmocka_unit_test(overlapping_roots_keep_the_certificate_and_make_new_configs),
        cmocka_unit_test(a_broken_bundle_changes_nothing),
        cmocka_unit_test(a_kept_identity_is_there_at_the_next_start),
        cmocka_unit_test(what_was_kept_is_dropped_when_it_is_of_no_use),
        cmocka_unit_test(keys_are_not_kept_on_a_disk),
        cmocka_unit_test(the_report_is_json),
        cmocka_unit_test(names_that_make_no_id_are_refused),
    };
    return TEST_MAIN(cases, argc, argv);
}
