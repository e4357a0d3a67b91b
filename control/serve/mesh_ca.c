#include "control/serve/mesh_ca.h"

#include "certs/certificate.h"
#include "certs/csr.h"
#include "certs/key_pair.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"

#include <openssl/evp.h>
#include <openssl/mem.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEM_FILE_BYTES = 1 << 20, EXPORT_MODE = 0644, PATH_TEXT_BYTES = 4096 };

struct mesh_ca {
    struct keystore *store;
    char *trust_domain;
    bool is_own;
    EVP_PKEY *root_key; /* NULL for one brought along */
    struct certificate_list root;
    struct authority *authority;
    struct trust_bundle *bundle;
    struct text roots_pem;
    int64_t root_not_after_s;
};

__attribute__((format(printf, 2, 3))) static bool refuse(char *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, MESH_CA_REASON_BYTES, format, arguments);
    va_end(arguments);
    return false;
}

static int64_t wall_s(void)
{
    return clock_wall_ns() / NS_PER_S;
}

/* ---- Keys and certificates in the keystore --------------------------------------------------- */

struct pair {
    EVP_PKEY *key;
    struct certificate_list chain;
};

static void pair_done(struct pair *pair)
{
    EVP_PKEY_free(pair->key);
    certificate_list_done(&pair->chain);
    *pair = (struct pair){0};
}

static enum keystore_status read_pair(struct mesh_ca *ca, const char *key_name,
                                      const char *cert_name, struct pair *ret, char *reason)
{
    struct text key = {0};
    struct text cert = {0};
    const char *why = "";
    char detail[KEYSTORE_REASON_BYTES] = "";
    enum keystore_status key_status = keystore_read(ca->store, key_name, &key, detail);
    enum keystore_status status = key_status;
    if (key_status != KEYSTORE_REFUSED) {
        status = keystore_read(ca->store, cert_name, &cert, detail);
        if (status != key_status && status != KEYSTORE_REFUSED) {
            /* One without the other: a half copied folder. Nothing is made anew over it. */
            snprintf(detail, sizeof(detail),
                     "of %s and %s only one is there: restore the other, or remove both, and every "
                     "proxy joins anew",
                     key_name, cert_name);
            status = KEYSTORE_REFUSED;
        }
    }
    if (status == KEYSTORE_OK) {
        ret->key = key_pair_from_pem(text_span(&key), &why);
        if (ret->key == NULL || !certificate_list_add_pem(&ret->chain, text_span(&cert), &why)) {
            snprintf(detail, sizeof(detail), "%s: %s", ret->key == NULL ? key_name : cert_name,
                     why);
            pair_done(ret);
            status = KEYSTORE_REFUSED;
        }
    }
    key_text_done(&key);
    text_done(&cert);
    if (status == KEYSTORE_REFUSED) {
        refuse(reason, "state folder: %s", detail);
    }
    return status;
}

static bool write_pair(struct mesh_ca *ca, const char *key_name, const char *cert_name,
                       const struct pair *pair, char *reason)
{
    struct text key = {0};
    struct text cert = {0};
    char detail[KEYSTORE_REASON_BYTES];
    key_pair_to_pem(pair->key, &key);
    certificate_list_to_pem(&pair->chain, &cert);
    /* The certificate last: it is what says that the pair is whole. */
    bool good = keystore_write(ca->store, key_name, text_span(&key), detail) &&
                keystore_write(ca->store, cert_name, text_span(&cert), detail);
    key_text_done(&key);
    text_done(&cert);
    return good || refuse(reason, "state folder: %s", detail);
}

/* ---- Own root and intermediate --------------------------------------------------------------- */

static bool is_of_domain(struct mesh_ca *ca, struct span der, char *reason)
{
    struct certificate root;
    struct spiffe_id id;
    const char *why;
    if (!certificate_parse(der, &root, &why)) {
        return refuse(reason, "root.crt: %s", why);
    }
    if (root.names.uris == 1 && spiffe_id_parse(root.names.uri, &id, &why) &&
        !span_equal_text(id.trust_domain, ca->trust_domain)) {
        return refuse(reason,
                      "the state folder's root is of trust domain '%.*s', not of '%.64s': give "
                      "--trust-domain, or another --state-dir",
                      SPAN_ARG(id.trust_domain), ca->trust_domain);
    }
    ca->root_not_after_s = root.not_after_s;
    return true;
}

static bool open_own_root(struct mesh_ca *ca, char *reason)
{
    struct pair pair = {0};
    enum keystore_status status = read_pair(ca, "root.key", "root.crt", &pair, reason);
    if (status == KEYSTORE_MISSING) {
        struct text der = {0};
        pair.key = key_pair_make();
        authority_make_root(pair.key, span_of(ca->trust_domain), &der);
        certificate_list_add(&pair.chain, text_span(&der));
        text_done(&der);
        if (!write_pair(ca, "root.key", "root.crt", &pair, reason)) {
            /* Half a pair would be refused at the next start, when there may be room. */
            char unused[KEYSTORE_REASON_BYTES];
            keystore_remove(ca->store, "root.key", unused);
            pair_done(&pair);
            return false;
        }
        LOG_INFO("ca", "made a new root", LOG_TEXT("trust_domain", ca->trust_domain));
    } else if (status != KEYSTORE_OK) {
        return false;
    }
    ca->root_key = pair.key;
    ca->root = pair.chain;
    return is_of_domain(ca, ca->root.ders[0], reason);
}

static struct authority *join(struct mesh_ca *ca, const struct pair *pair, const char **ret_why)
{
    struct certificate_list chain = {0};
    certificate_list_add(&chain, pair->chain.ders[0]);
    certificate_list_add(&chain, ca->root.ders[0]);
    struct authority *authority =
        authority_create(&(struct authority_spec){.trust_domain = span_of(ca->trust_domain),
                                                  .chain = chain.ders,
                                                  .chain_count = chain.count,
                                                  .key = pair->key},
                         ret_why);
    certificate_list_done(&chain);
    return authority;
}

static bool make_intermediate(struct mesh_ca *ca, char *reason)
{
    struct pair pair = {.key = key_pair_make()};
    struct text der = {0};
    const char *why = "";
    struct authority *authority = NULL;
    if (authority_make_intermediate(ca->root_key, ca->root.ders[0], pair.key,
                                    span_of(ca->trust_domain), &der, &why)) {
        certificate_list_add(&pair.chain, text_span(&der));
        authority = join(ca, &pair, &why);
    }
    text_done(&der);
    bool good =
        authority != NULL && write_pair(ca, "intermediate.key", "intermediate.crt", &pair, reason);
    if (authority == NULL) {
        refuse(reason, "cannot make an intermediate: %s", why);
    }
    pair_done(&pair);
    if (!good) {
        authority_destroy(authority);
        return false;
    }
    authority_destroy(ca->authority);
    ca->authority = authority;
    LOG_INFO("ca", "made a new intermediate",
             LOG_NUMBER("days", (authority_not_after_s(authority) - wall_s()) / (24 * 3600)));
    return true;
}

static bool open_intermediate(struct mesh_ca *ca, char *reason)
{
    struct pair pair = {0};
    const char *why = "";
    enum keystore_status status =
        read_pair(ca, "intermediate.key", "intermediate.crt", &pair, reason);
    if (status == KEYSTORE_REFUSED) {
        return false;
    }
    if (status == KEYSTORE_OK) {
        ca->authority = join(ca, &pair, &why);
        pair_done(&pair);
        if (ca->authority != NULL) {
            return true;
        }
        LOG_WARN("ca", "the intermediate is of no use any more", LOG_TEXT("reason", why));
    }
    return make_intermediate(ca, reason);
}

/* ---- One brought along ----------------------------------------------------------------------- */

/* In one read into one place: no copies of a key are left behind. */
static bool read_file(const char *path, bool is_secret, struct text *into, char *reason)
{
    struct stat facts;
    bool good = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &facts) != 0) {
        refuse(reason, "%.128s: %s", path, strerror(errno));
    } else if (!S_ISREG(facts.st_mode) || facts.st_size > PEM_FILE_BYTES) {
        refuse(reason, "%.128s: not a file of at most 1 MiB", path);
    } else if (is_secret && (facts.st_mode & 0077) != 0) {
        refuse(reason, "%.128s has mode %04o: others may read the key (chmod 600)", path,
               facts.st_mode & 07777U);
    } else {
        size_t length = (size_t)facts.st_size;
        char *bytes = mem_alloc(length + 1);
        good = read(fd, bytes, length) == (ssize_t)length;
        if (good) {
            text_add(into, span_make(bytes, length));
        } else {
            refuse(reason, "%.128s: cannot be read whole", path);
        }
        OPENSSL_cleanse(bytes, length);
        mem_free(bytes);
    }
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

static bool open_given(struct mesh_ca *ca, const struct mesh_ca_spec *spec, char *reason)
{
    struct text key_pem = {0};
    struct text cert_pem = {0};
    struct pair pair = {0};
    const char *why = "";
    bool good = read_file(spec->key_file, true, &key_pem, reason) &&
                read_file(spec->cert_file, false, &cert_pem, reason);
    if (good) {
        pair.key = key_pair_from_pem(text_span(&key_pem), &why);
        good =
            pair.key != NULL && certificate_list_add_pem(&pair.chain, text_span(&cert_pem), &why);
        if (good) {
            ca->authority =
                authority_create(&(struct authority_spec){.trust_domain = span_of(ca->trust_domain),
                                                          .chain = pair.chain.ders,
                                                          .chain_count = pair.chain.count,
                                                          .key = pair.key},
                                 &why);
        }
        good = ca->authority != NULL || refuse(reason, "--ca-cert %.64s, --ca-key %.64s: %s",
                                               spec->cert_file, spec->key_file, why);
    }
    if (good) {
        certificate_list_add(&ca->root, pair.chain.ders[pair.chain.count - 1]);
        good = is_of_domain(ca, ca->root.ders[0], reason);
    }
    key_text_done(&key_pem);
    text_done(&cert_pem);
    pair_done(&pair);
    return good;
}

/* ---- Roots for others ------------------------------------------------------------------------ */

/* On a full disk a restart must not fail for a file that is right already. */
static bool is_exported(struct mesh_ca *ca, const char *path)
{
    struct text now = {0};
    struct stat facts;
    char unused[MESH_CA_REASON_BYTES];
    bool same = stat(path, &facts) == 0 && (facts.st_mode & 0777) == EXPORT_MODE &&
                read_file(path, false, &now, unused) &&
                span_equal(text_span(&now), text_span(&ca->roots_pem));
    text_done(&now);
    return same;
}

/* Atomic: a proxy that reads meanwhile sees the old file or the new one. */
static bool export_roots(struct mesh_ca *ca, const char *path, char *reason)
{
    char temporary[PATH_TEXT_BYTES];
    if (is_exported(ca, path)) {
        return true;
    }
    int length = snprintf(temporary, sizeof(temporary), "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof(temporary)) {
        return refuse(reason, "the path of the exported root is too long");
    }
    unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, EXPORT_MODE);
    if (fd < 0) {
        return refuse(reason, "%.128s: %s", temporary, strerror(errno));
    }
    struct span pem = text_span(&ca->roots_pem);
    /* A umask that hides it would make it useless. */
    bool good = fchmod(fd, EXPORT_MODE) == 0 &&
                write(fd, pem.at, pem.length) == (ssize_t)pem.length && fsync(fd) == 0;
    good = close(fd) == 0 && good && rename(temporary, path) == 0;
    return good || refuse(reason, "cannot write %.128s: %s", path, strerror(errno));
}

static bool make_bundle(struct mesh_ca *ca, char *reason)
{
    const char *why;
    ca->bundle = trust_bundle_create();
    if (!trust_bundle_add(ca->bundle, span_of(ca->trust_domain), ca->root.ders[0], &why)) {
        return refuse(reason, "the root cannot be trusted: %s", why);
    }
    trust_bundle_to_pem(ca->bundle, span_of(ca->trust_domain), &ca->roots_pem);
    return true;
}

/* ---- Life ------------------------------------------------------------------------------------ */

struct mesh_ca *mesh_ca_open(const struct mesh_ca_spec *spec, char *reason)
{
    struct mesh_ca *ca = NEW(struct mesh_ca);
    ca->store = spec->store;
    ca->trust_domain = mem_text(spec->trust_domain.at, spec->trust_domain.length);
    ca->is_own = spec->cert_file == NULL;
    bool good = ca->is_own ? open_own_root(ca, reason) && open_intermediate(ca, reason)
                           : open_given(ca, spec, reason);
    good = good && make_bundle(ca, reason) &&
           (spec->export_file == NULL || export_roots(ca, spec->export_file, reason));
    if (!good) {
        mesh_ca_close(ca);
        return NULL;
    }
    return ca;
}

void mesh_ca_close(struct mesh_ca *ca)
{
    if (ca == NULL) {
        return;
    }
    EVP_PKEY_free(ca->root_key);
    certificate_list_done(&ca->root);
    authority_destroy(ca->authority);
    trust_bundle_unref(ca->bundle);
    text_done(&ca->roots_pem);
    mem_free(ca->trust_domain);
    mem_free(ca);
}

struct span mesh_ca_trust_domain(const struct mesh_ca *ca)
{
    return span_of(ca->trust_domain);
}

const struct authority *mesh_ca_authority(const struct mesh_ca *ca)
{
    return ca->authority;
}

struct trust_bundle *mesh_ca_bundle(const struct mesh_ca *ca)
{
    return ca->bundle;
}

struct span mesh_ca_roots_pem(const struct mesh_ca *ca)
{
    return text_span(&ca->roots_pem);
}

int64_t mesh_ca_root_not_after_s(const struct mesh_ca *ca)
{
    return ca->root_not_after_s;
}

int64_t mesh_ca_signer_not_after_s(const struct mesh_ca *ca)
{
    return authority_not_after_s(ca->authority);
}

bool mesh_ca_is_own(const struct mesh_ca *ca)
{
    return ca->is_own;
}

bool mesh_ca_renew(struct mesh_ca *ca, char *reason)
{
    reason[0] = '\0';
    if (!ca->is_own || authority_not_after_s(ca->authority) - wall_s() > MESH_CA_RENEW_S) {
        return false;
    }
    return make_intermediate(ca, reason);
}

struct tls_config *mesh_ca_server_tls(const struct mesh_ca *ca, struct tls_verifier verifier,
                                      int64_t *ret_not_after_s, char *reason)
{
    static const char *const alpn[] = {"h2", NULL};
    const struct span names[] = {
        SPAN("remora-control"),
        SPAN("remora-control.remora-system"),
        SPAN("remora-control.remora-system.svc"),
        SPAN("remora-control.remora-system.svc.cluster.local"),
        SPAN("localhost"),
    };
    char into[SPIFFE_ID_BYTES + 1];
    struct authority_wish wish = {.dns_names = names,
                                  .dns_count = sizeof(names) / sizeof(names[0]),
                                  .lifetime_s = MESH_CA_OWN_LEAF_S};
    EVP_PKEY *key = key_pair_make();
    struct text csr = {0};
    struct certificate_list chain = {0};
    struct tls_config *config = NULL;
    char why[AUTHORITY_REASON_BYTES];
    const char *text = why;
    spiffe_id_make(span_of(ca->trust_domain), SPAN(MESH_CA_OWN_NAMESPACE),
                   SPAN(MESH_CA_OWN_ACCOUNT), into, &wish.id);
    csr_make(key, wish.id.text, &csr);
    wish.csr = text_span(&csr);
    if (authority_sign(ca->authority, &wish, &chain, ret_not_after_s, why)) {
        config = tls_config_create(&(struct tls_config_spec){.is_server = true,
                                                             .chain = chain.ders,
                                                             .chain_count = chain.count,
                                                             .key = key,
                                                             .alpn = alpn,
                                                             .verifier = verifier,
                                                             .demand = TLS_PEER_OPTIONAL},
                                   &text);
    }
    if (config == NULL) {
        refuse(reason, "the control plane's own certificate: %s", text);
    }
    certificate_list_done(&chain);
    text_done(&csr);
    EVP_PKEY_free(key);
    return config;
}

bool mesh_ca_server_is_due(int64_t made_s, int64_t not_after_s, int64_t now_s)
{
    return now_s < made_s || now_s >= made_s + (not_after_s - made_s) / 2;
}
