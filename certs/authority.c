#include "certs/authority.h"

#include "certs/certificate.h"
#include "certs/certificate_form.h"
#include "certs/csr.h"
#include "certs/key_pair.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>

enum { CHAIN_LIMIT = 4, DNS_NAME_BYTES = 253 };

struct authority {
    char *trust_domain;
    struct certificate_list chain;
    struct certificate signer; /* of chain.ders[0] */
    EVP_PKEY *key;
    int64_t not_after_s; /* the earliest of the chain */
};

static int64_t wall_s(void)
{
    return clock_wall_ns() / NS_PER_S;
}

static bool key_belongs(const struct certificate *certificate, EVP_PKEY *key)
{
    EVP_PKEY *public_key = certificate_key(certificate);
    bool same = public_key != NULL && EVP_PKEY_cmp(public_key, key) == 1;
    EVP_PKEY_free(public_key);
    return same;
}

static bool signer_valid(const struct certificate *signer, const char **ret_reason)
{
    if (!signer->is_ca || (signer->has_key_usage && !(signer->key_usage & KEY_USAGE_CERT_SIGN))) {
        *ret_reason = "a certificate of the signer's chain may not sign";
        return false;
    }
    if (wall_s() > signer->not_after_s || wall_s() < signer->not_before_s) {
        *ret_reason = "a certificate of the signer's chain is not valid now";
        return false;
    }
    return true;
}

static bool chain_fits(const struct authority_spec *spec, int64_t *ret_not_after_s,
                       const char **ret_reason)
{
    struct certificate below;
    *ret_not_after_s = INT64_MAX;
    for (size_t i = 0; i < spec->chain_count; i++) {
        struct certificate current;
        if (!certificate_parse(spec->chain[i], &current, ret_reason) ||
            !signer_valid(&current, ret_reason)) {
            return false;
        }
        if (i == 0 && !key_belongs(&current, spec->key)) {
            *ret_reason = "the key is not that of the first certificate";
            return false;
        }
        if (i > 0) {
            EVP_PKEY *key = certificate_key(&current);
            bool good = key != NULL && span_equal(current.subject, below.issuer) &&
                        certificate_signed_by(&below, key);
            EVP_PKEY_free(key);
            if (!good) {
                *ret_reason = "the chain of the signer does not hold together";
                return false;
            }
        }
        if (current.not_after_s < *ret_not_after_s) {
            *ret_not_after_s = current.not_after_s;
        }
        below = current;
    }
    return true;
}

struct authority *authority_create(const struct authority_spec *spec, const char **ret_reason)
{
    int64_t not_after_s;
    if (!spiffe_trust_domain_valid(spec->trust_domain)) {
        *ret_reason = "the trust domain is not 1 to 255 of [a-z0-9._-]";
        return NULL;
    }
    if (spec->chain_count == 0 || spec->chain_count > CHAIN_LIMIT) {
        *ret_reason = "the signer needs 1 to 4 certificates";
        return NULL;
    }
    if (!key_is_p256(spec->key)) {
        *ret_reason = "the key of the signer is not EC P-256";
        return NULL;
    }
    if (!chain_fits(spec, &not_after_s, ret_reason)) {
        return NULL;
    }
    struct authority *authority = NEW(struct authority);
    authority->trust_domain = mem_text(spec->trust_domain.at, spec->trust_domain.length);
    for (size_t i = 0; i < spec->chain_count; i++) {
        certificate_list_add(&authority->chain, spec->chain[i]);
    }
    const char *unused;
    certificate_parse(authority->chain.ders[0], &authority->signer, &unused);
    EVP_PKEY_up_ref(spec->key);
    authority->key = spec->key;
    authority->not_after_s = not_after_s;
    return authority;
}

void authority_destroy(struct authority *authority)
{
    if (authority == NULL) {
        return;
    }
    EVP_PKEY_free(authority->key);
    certificate_list_done(&authority->chain);
    mem_free(authority->trust_domain);
    mem_free(authority);
}

int64_t authority_not_after_s(const struct authority *authority)
{
    return authority->not_after_s;
}

static bool dns_name_valid(struct span name)
{
    if (name.length == 0 || name.length > DNS_NAME_BYTES) {
        return false;
    }
    for (size_t i = 0; i < name.length; i++) {
        char byte = name.at[i];
        if (!((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
              byte == '.')) {
            return false;
        }
    }
    return true;
}

/* NULL when the wish may be granted. */
static const char *refuse_wish(const struct authority *authority, const struct csr *csr,
                               const struct authority_wish *wish)
{
    if (!span_equal_text(wish->id.trust_domain, authority->trust_domain)) {
        return "the identity is of another trust domain";
    }
    if (wish->id.path.length == 0) {
        return "the identity has no path";
    }
    if (csr->wants_ca) {
        return "the request wants to be a CA";
    }
    if (csr->names.uris > 1 || csr->names.dns > 0 || csr->names.others > 0) {
        return "the request asks for more names than one URI";
    }
    if (csr->names.uris == 1 && !span_equal(csr->names.uri, wish->id.text)) {
        return "the request asks for an identity that the requester does not have";
    }
    if (wish->dns_count > AUTHORITY_DNS_NAMES) {
        return "more than 16 DNS names";
    }
    for (size_t i = 0; i < wish->dns_count; i++) {
        if (!dns_name_valid(wish->dns_names[i])) {
            return "a DNS name is malformed";
        }
    }
    return wish->lifetime_s < 0 ? "the lifetime is negative" : NULL;
}

static bool give_up(char *reason, const char *why)
{
    snprintf(reason, AUTHORITY_REASON_BYTES, "%s", why);
    return false;
}

bool authority_sign(const struct authority *authority, const struct authority_wish *wish,
                    struct certificate_list *ret_chain, int64_t *ret_not_after_s, char *reason)
{
    struct csr csr;
    const char *why;
    if (!csr_check(wish->csr, &csr, &why)) {
        return give_up(reason, why);
    }
    why = refuse_wish(authority, &csr, wish);
    int64_t now_s = wall_s();
    int64_t lifetime_s = wish->lifetime_s;
    if (lifetime_s == 0 || lifetime_s > AUTHORITY_LEAF_S) {
        lifetime_s = AUTHORITY_LEAF_S;
    }
    int64_t not_after_s = now_s + lifetime_s;
    if (not_after_s > authority->not_after_s) {
        not_after_s = authority->not_after_s;
    }
    if (why == NULL && not_after_s - now_s < AUTHORITY_LEAF_LEAST_S) {
        why = "the signer's own certificate has ended";
    }
    if (why != NULL) {
        csr_done(&csr);
        return give_up(reason, why);
    }
    int64_t not_before_s = now_s - AUTHORITY_BACKDATE_S;
    if (not_before_s < authority->signer.not_before_s) {
        not_before_s = authority->signer.not_before_s;
    }
    struct certificate_form form = {.issuer = authority->signer.subject,
                                    .issuer_key_id = authority->signer.subject_key_id,
                                    .not_before_s = not_before_s,
                                    .not_after_s = not_after_s,
                                    .subject_key = csr.key,
                                    .path_length = -1,
                                    .uri = wish->id.text,
                                    .dns_names = wish->dns_names,
                                    .dns_count = wish->dns_count};
    struct text der = {0};
    certificate_form_sign(&form, authority->key, &der);
    certificate_list_add(ret_chain, text_span(&der));
    text_done(&der);
    for (size_t i = 0; i < authority->chain.count; i++) {
        certificate_list_add(ret_chain, authority->chain.ders[i]);
    }
    csr_done(&csr);
    *ret_not_after_s = not_after_s;
    return true;
}

static void make_signer(struct certificate_form *form, const char *name, struct span trust_domain,
                        EVP_PKEY *signer, struct text *ret_der)
{
    char uri[SPIFFE_ID_BYTES];
    int length = snprintf(uri, sizeof(uri), "spiffe://%.*s", SPAN_ARG(trust_domain));
    form->uri = span_make(uri, (size_t)length);
    form->common_name = span_of(name);
    form->is_ca = true;
    certificate_form_sign(form, signer, ret_der);
}

void authority_make_root(EVP_PKEY *key, struct span trust_domain, struct text *ret_der)
{
    struct certificate_form form = {.not_before_s = wall_s() - AUTHORITY_BACKDATE_S,
                                    .not_after_s = wall_s() + AUTHORITY_ROOT_S,
                                    .subject_key = key,
                                    .path_length = 1};
    make_signer(&form, "Remora root", trust_domain, key, ret_der);
}

bool authority_make_intermediate(EVP_PKEY *root_key, struct span root_der, EVP_PKEY *key,
                                 struct span trust_domain, struct text *ret_der,
                                 const char **ret_reason)
{
    struct certificate root;
    if (!certificate_parse(root_der, &root, ret_reason) || !signer_valid(&root, ret_reason)) {
        return false;
    }
    if (!key_belongs(&root, root_key)) {
        *ret_reason = "the key is not that of the root";
        return false;
    }
    int64_t not_after_s = wall_s() + AUTHORITY_INTERMEDIATE_S;
    int64_t not_before_s = wall_s() - AUTHORITY_BACKDATE_S;
    struct certificate_form form = {
        .issuer = root.subject,
        .issuer_key_id = root.subject_key_id,
        .not_before_s = not_before_s > root.not_before_s ? not_before_s : root.not_before_s,
        .not_after_s = not_after_s < root.not_after_s ? not_after_s : root.not_after_s,
        .subject_key = key,
        .path_length = 0};
    make_signer(&form, "Remora intermediate", trust_domain, root_key, ret_der);
    return true;
}
