#include "proxy/identity/credential.h"

#include "certs/certificate_form.h"
#include "lib/base/memory.h"

#include <openssl/evp.h>

#include <stdio.h>

static bool fits_key(const struct certificate *leaf, const EVP_PKEY *key)
{
    struct text spki = {0};
    key_public_der(key, &spki);
    bool same = span_equal(leaf->spki, text_span(&spki));
    text_done(&spki);
    return same;
}

static bool leaf_fits(struct span der, const EVP_PKEY *key, struct span wanted, int64_t now_s,
                      struct certificate *ret, const char **ret_reason)
{
    struct spiffe_id id;
    if (!certificate_parse(der, ret, ret_reason) || !leaf_rules(ret, &id, ret_reason)) {
        return false;
    }
    if (!fits_key(ret, key)) {
        *ret_reason = "the certificate is for another key";
        return false;
    }
    if (!span_equal(id.text, wanted)) {
        *ret_reason = "the certificate is for another identity";
        return false;
    }
    if (now_s > ret->not_after_s) {
        *ret_reason = "the certificate has expired";
        return false;
    }
    if (now_s < ret->not_before_s) {
        *ret_reason = "the certificate is not valid yet";
        return false;
    }
    return true;
}

static bool is_root(struct span der, bool *ret_root, const char **ret_reason)
{
    struct certificate certificate;
    if (!certificate_parse(der, &certificate, ret_reason)) {
        return false;
    }
    *ret_root = certificate.is_ca && span_equal(certificate.subject, certificate.issuer);
    return true;
}

/* All but the leaf: each must be a certificate; the root moves to ret_root. */
static bool split_chain(const struct certificate_list *all, struct certificate_list *chain,
                        struct certificate_list *ret_root, const char **ret_reason)
{
    certificate_list_add(chain, all->ders[0]);
    for (size_t i = 1; i < all->count; i++) {
        bool root = false;
        if (!is_root(all->ders[i], &root, ret_reason)) {
            return false;
        }
        certificate_list_add(root ? ret_root : chain, all->ders[i]);
    }
    return true;
}

static void write_serial(struct span serial, char *into)
{
    size_t at = 0;
    into[0] = '\0';
    for (size_t i = 0; i < serial.length && at + 3 <= CREDENTIAL_SERIAL_BYTES; i++, at += 2) {
        snprintf(into + at, 3, "%02x", (unsigned char)serial.at[i]);
    }
}

static bool read_all(const struct span *parts, size_t count, struct certificate_list *all,
                     const char **ret_reason)
{
    for (size_t i = 0; i < count; i++) {
        if (!certificate_list_add_pem(all, parts[i], ret_reason)) {
            return false;
        }
        if (all->count > CREDENTIAL_CHAIN) {
            *ret_reason = "too many certificates";
            return false;
        }
    }
    if (all->count == 0) {
        *ret_reason = "no certificate";
        return false;
    }
    return true;
}

bool credential_read(EVP_PKEY *key, struct span id, const struct span *chain_pem, size_t count,
                     int64_t now_s, struct credential *ret, struct certificate_list *ret_root,
                     const char **ret_reason)
{
    struct certificate_list all = {0};
    struct certificate_list root = {0};
    struct credential credential = {0};
    struct certificate leaf;
    bool good = read_all(chain_pem, count, &all, ret_reason) &&
                leaf_fits(all.ders[0], key, id, now_s, &leaf, ret_reason) &&
                split_chain(&all, &credential.chain, &root, ret_reason);
    if (good) {
        EVP_PKEY_up_ref(key);
        credential.key = key;
        credential.not_before_s = leaf.not_before_s;
        credential.not_after_s = leaf.not_after_s;
        write_serial(leaf.serial, credential.serial);
        *ret = credential;
        for (size_t i = 0; i < root.count; i++) {
            certificate_list_add(ret_root, root.ders[i]);
        }
    } else {
        certificate_list_done(&credential.chain);
    }
    certificate_list_done(&root);
    certificate_list_done(&all);
    return good;
}

bool credential_holds(const struct credential *credential, struct trust_bundle *bundle,
                      char *reason)
{
    /* A verifier of its own: the process's counts peers, and may not have this bundle yet. */
    struct leaf_verify *verify = leaf_verify_create(bundle);
    struct tls_verdict verdict = {0};
    leaf_verify_chain(verify, credential->chain.ders, credential->chain.count, false, &verdict);
    leaf_verify_destroy(verify);
    if (verdict.failure != FAILURE_NONE) {
        snprintf(reason, TLS_REASON_BYTES, "%s", verdict.reason);
    }
    return verdict.failure == FAILURE_NONE;
}

void credential_done(struct credential *credential)
{
    EVP_PKEY_free(credential->key);
    certificate_list_done(&credential->chain);
    *credential = (struct credential){0};
}
