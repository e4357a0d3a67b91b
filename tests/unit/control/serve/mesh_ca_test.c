#include "control/serve/mesh_ca.h"

#include "certs/certificate_form.h"
#include "certs/csr.h"
#include "certs/key_pair.h"
#include "certs/leaf_verify.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "state_fixture.h"
#include "tests/unit/test_main.h"

#include <openssl/evp.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_NS (86400 * NS_PER_S)

struct bench {
    struct state_fixture state;
    char export_file[128];
    char cert_file[128];
    char key_file[128];
    struct mesh_ca_spec spec;
    char reason[MESH_CA_REASON_BYTES];
};

static void bench_init(struct bench *bench)
{
    *bench = (struct bench){0};
    log_set_level(LOG_LEVEL_OFF);
    state_fixture_init(&bench->state);
    snprintf(bench->export_file, sizeof(bench->export_file), "%s/root.pem", bench->state.folder);
    snprintf(bench->cert_file, sizeof(bench->cert_file), "%s/ca.pem", bench->state.folder);
    snprintf(bench->key_file, sizeof(bench->key_file), "%s/ca.key", bench->state.folder);
    bench->spec = (struct mesh_ca_spec){.store = bench->state.store,
                                        .trust_domain = SPAN("remora.local"),
                                        .export_file = bench->export_file};
}

static void bench_done(struct bench *bench)
{
    state_fixture_done(&bench->state);
    clock_real();
}

static struct mesh_ca *open_ca(struct bench *bench)
{
    struct mesh_ca *ca = mesh_ca_open(&bench->spec, bench->reason);
    if (ca == NULL) {
        fail_msg("%s", bench->reason);
    }
    return ca;
}

static void assert_refused(struct bench *bench, const char *words)
{
    assert_null(mesh_ca_open(&bench->spec, bench->reason));
    if (strstr(bench->reason, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", bench->reason, words);
    }
}

static void write_text(const char *path, struct span bytes, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_int_equal(write(fd, bytes.at, bytes.length), bytes.length);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void the_root_survives_and_is_exported(void **unused)
{
    struct bench bench;
    struct stat facts;
    bench_init(&bench);
    struct mesh_ca *first = open_ca(&bench);
    struct text root = {0};
    text_add(&root, mesh_ca_roots_pem(first));
    mesh_ca_close(first);
    assert_int_equal(stat(bench.export_file, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0644);
    assert_int_equal(facts.st_size, root.length);
    struct mesh_ca *second = open_ca(&bench);
    assert_true(span_equal(mesh_ca_roots_pem(second), text_span(&root)));
    assert_true(mesh_ca_is_own(second));
    mesh_ca_close(second);
    text_done(&root);
    bench_done(&bench);
}

static void an_export_that_others_changed_is_put_right(void **unused)
{
    struct bench bench;
    bench_init(&bench);
    mesh_ca_close(open_ca(&bench));
    write_text(bench.export_file, SPAN("hello"), 0600);
    struct mesh_ca *ca = open_ca(&bench);
    struct stat facts;
    assert_int_equal(stat(bench.export_file, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0644);
    assert_int_equal(facts.st_size, mesh_ca_roots_pem(ca).length);
    mesh_ca_close(ca);
    bench_done(&bench);
}

static void another_trust_domain_is_refused(void **unused)
{
    struct bench bench;
    bench_init(&bench);
    mesh_ca_close(open_ca(&bench));
    bench.spec.trust_domain = SPAN("other.example");
    assert_refused(&bench, "trust domain 'remora.local'");
    bench_done(&bench);
}

static void files_that_others_may_read_are_refused(void **unused)
{
    static const char *const names[] = {"root.key", "root.crt", "intermediate.key",
                                        "intermediate.crt"};
    struct bench bench;
    bench_init(&bench);
    mesh_ca_close(open_ca(&bench));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[192];
        snprintf(path, sizeof(path), "%s/%s", bench.state.secrets, names[i]);
        assert_int_equal(chmod(path, 0644), 0);
        assert_refused(&bench, "others may use it");
        assert_int_equal(chmod(path, 0600), 0);
    }
    mesh_ca_close(open_ca(&bench));
    bench_done(&bench);
}

static void half_a_pair_is_refused_and_left_alone(void **unused)
{
    static const char *const names[] = {"root.key", "root.crt", "intermediate.key",
                                        "intermediate.crt"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct bench bench;
        bench_init(&bench);
        mesh_ca_close(open_ca(&bench));
        assert_true(keystore_remove(bench.state.store, names[i], bench.reason));
        assert_refused(&bench, "only one is there");
        bench_done(&bench);
    }
}

static void broken_files_are_refused(void **unused)
{
    static const char *const names[] = {"root.key", "root.crt", "intermediate.key",
                                        "intermediate.crt"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct bench bench;
        bench_init(&bench);
        mesh_ca_close(open_ca(&bench));
        state_fixture_write(&bench.state, names[i], "-----BEGIN NOTHING-----\n");
        assert_refused(&bench, names[i]);
        bench_done(&bench);
    }
}

static void an_intermediate_near_its_end_is_made_anew(void **unused)
{
    struct bench bench;
    bench_init(&bench);
    clock_fake(1, clock_wall_ns());
    struct mesh_ca *ca = open_ca(&bench);
    int64_t end_s = mesh_ca_signer_not_after_s(ca);
    assert_false(mesh_ca_renew(ca, bench.reason));
    assert_string_equal(bench.reason, "");
    clock_fake_advance(336 * DAY_NS);
    assert_true(mesh_ca_renew(ca, bench.reason));
    assert_true(mesh_ca_signer_not_after_s(ca) > end_s + 300 * 86400);
    assert_false(mesh_ca_renew(ca, bench.reason));
    mesh_ca_close(ca);
    /* One that ended while nobody ran. */
    clock_fake_advance(400 * DAY_NS);
    ca = open_ca(&bench);
    assert_true(mesh_ca_signer_not_after_s(ca) > clock_wall_ns() / NS_PER_S + 300 * 86400);
    mesh_ca_close(ca);
    bench_done(&bench);
}

static void an_ended_root_is_told(void **unused)
{
    struct bench bench;
    bench_init(&bench);
    clock_fake(1, clock_wall_ns());
    mesh_ca_close(open_ca(&bench));
    clock_fake_advance(3651 * DAY_NS);
    assert_refused(&bench, "not valid now");
    bench_done(&bench);
}

/* Makes a root outside and brings it along. */
static void bring(struct bench *bench, const char *trust_domain, mode_t key_mode)
{
    EVP_PKEY *key = key_pair_make();
    struct text der = {0};
    struct text cert = {0};
    struct text pem = {0};
    authority_make_root(key, span_of(trust_domain), &der);
    certificate_to_pem(text_span(&der), &cert);
    key_pair_to_pem(key, &pem);
    write_text(bench->cert_file, text_span(&cert), 0644);
    write_text(bench->key_file, text_span(&pem), key_mode);
    bench->spec.cert_file = bench->cert_file;
    bench->spec.key_file = bench->key_file;
    EVP_PKEY_free(key);
    text_done(&der);
    text_done(&cert);
    text_done(&pem);
}

static void an_authority_brought_along_is_taken(void **unused)
{
    struct bench bench;
    bench_init(&bench);
    bring(&bench, "remora.local", 0600);
    struct mesh_ca *ca = open_ca(&bench);
    assert_false(mesh_ca_is_own(ca));
    assert_false(mesh_ca_renew(ca, bench.reason));
    struct text unread = {0};
    assert_int_equal(keystore_read(bench.state.store, "root.key", &unread, bench.reason),
                     KEYSTORE_MISSING);
    mesh_ca_close(ca);
    bench_done(&bench);
}

static void an_authority_brought_along_must_fit(void **unused)
{
    struct bench bench;
    bench_init(&bench);
    bring(&bench, "remora.local", 0640);
    assert_refused(&bench, "others may read the key");
    bring(&bench, "other.example", 0600);
    assert_refused(&bench, "trust domain 'other.example'");
    bring(&bench, "remora.local", 0600);
    struct text pem = {0};
    EVP_PKEY *other = key_pair_make();
    key_pair_to_pem(other, &pem);
    write_text(bench.key_file, text_span(&pem), 0600);
    assert_refused(&bench, "the key is not that of the first certificate");
    write_text(bench.cert_file, SPAN("nonsense"), 0644);
    assert_refused(&bench, "--ca-cert");
    bench.spec.cert_file = "/nonexistent/ca.pem";
    assert_refused(&bench, "No such file");
    EVP_PKEY_free(other);
    text_done(&pem);
    bench_done(&bench);
}

static void the_port_has_a_certificate_of_its_own(void **unused)
{
    struct bench bench;
    int64_t not_after_s;
    bench_init(&bench);
    struct mesh_ca *ca = open_ca(&bench);
    struct leaf_verify *verify = leaf_verify_create(mesh_ca_bundle(ca));
    struct tls_config *tls =
        mesh_ca_server_tls(ca, leaf_verify_tls(verify), &not_after_s, bench.reason);
    assert_non_null(tls);
    int64_t left_s = not_after_s - clock_wall_ns() / NS_PER_S;
    assert_in_range(left_s, MESH_CA_OWN_LEAF_S - 5, MESH_CA_OWN_LEAF_S);
    tls_config_unref(tls);
    leaf_verify_destroy(verify);
    mesh_ca_close(ca);
    bench_done(&bench);
}

static void the_own_certificate_is_due_at_half_its_life_and_when_the_clock_went_back(void **unused)
{
    static const struct {
        int64_t now_s;
        bool due;
    } cases[] = {{1000, false}, {1001, false}, {1499, false}, {1500, true},
                 {2000, true},  {99999, true}, {999, true},   {0, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(mesh_ca_server_is_due(1000, 2000, cases[i].now_s), cases[i].due);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(the_root_survives_and_is_exported),
        cmocka_unit_test(an_export_that_others_changed_is_put_right),
        cmocka_unit_test(another_trust_domain_is_refused),
        cmocka_unit_test(files_that_others_may_read_are_refused),
        cmocka_unit_test(half_a_pair_is_refused_and_left_alone),
        cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(an_intermediate_near_its_end_is_made_anew),
        cmocka_unit_test(an_ended_root_is_told),
        cmocka_unit_test(an_authority_brought_along_is_taken),
        cmocka_unit_test(an_authority_brought_along_must_fit),
        cmocka_unit_test(the_own_certificate_is_due_at_half_its_life_and_when_the_clock_went_back),
        cmocka_unit_test(the_port_has_a_certificate_of_its_own),
    };
    return TEST_MAIN(cases, argc, argv);
}
