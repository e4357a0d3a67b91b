#include "certs/leaf_verify.h"

#include "certs/key_pair.h"
#include "certs/leaf_cache.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <openssl/evp.h>
#include <openssl/sha2.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct leaf_verify {
    pthread_mutex_t lock; /* of all that follows */
    struct trust_bundle *bundle;
    uint64_t generation; /* of the bundle: a result of an older one is not remembered */
    struct leaf_cache cache;
    struct leaf_verify_counters counters;
    leaf_denied *denied;
    void *denied_owner;
};

/* The period in which a whole chain is valid. */
struct period {
    int64_t not_before_s;
    int64_t not_after_s;
};

static void narrow(struct period *period, const struct certificate *certificate)
{
    if (certificate->not_before_s > period->not_before_s) {
        period->not_before_s = certificate->not_before_s;
    }
    if (certificate->not_after_s < period->not_after_s) {
        period->not_after_s = certificate->not_after_s;
    }
}

static void refuse(struct tls_verdict *verdict, enum failure failure, const char *reason)
{
    verdict->failure = failure;
    snprintf(verdict->reason, sizeof(verdict->reason), "%s", reason);
}

static bool usage_allowed(const struct certificate *leaf, const char **ret_reason)
{
    if (leaf->is_ca) {
        *ret_reason = "the leaf is a CA";
    } else if (!leaf->has_key_usage || !(leaf->key_usage & KEY_USAGE_DIGITAL_SIGNATURE)) {
        *ret_reason = "the leaf has no key usage digitalSignature";
    } else if (leaf->key_usage & (KEY_USAGE_CERT_SIGN | KEY_USAGE_CRL_SIGN)) {
        *ret_reason = "the leaf may sign certificates or CRLs";
    } else if (leaf->has_ext_key_usage && !(leaf->for_server && leaf->for_client)) {
        *ret_reason = "the extended key usage lacks serverAuth or clientAuth";
    } else {
        return true;
    }
    return false;
}

bool leaf_rules(const struct certificate *leaf, struct spiffe_id *ret_id, const char **ret_reason)
{
    const struct certificate_names *names = &leaf->names;
    if (names->uris == 0) {
        *ret_reason = "the leaf has no URI SAN";
        return false;
    }
    if (names->uris > 1) {
        *ret_reason = "the leaf has more than one URI SAN";
        return false;
    }
    if (names->others > 0) {
        *ret_reason = "the leaf has a SAN that is neither URI nor DNS name";
        return false;
    }
    if (leaf->subject_empty && !names->critical) {
        *ret_reason = "the subject is empty and the SAN is not critical";
        return false;
    }
    struct spiffe_id id;
    if (!spiffe_id_parse(names->uri, &id, ret_reason) || !usage_allowed(leaf, ret_reason)) {
        return false;
    }
    if (id.path.length == 0) {
        *ret_reason = "the SPIFFE id of the leaf has no path";
        return false;
    }
    EVP_PKEY *key = certificate_key(leaf);
    bool good = key != NULL && key_is_p256(key);
    EVP_PKEY_free(key);
    if (!good) {
        *ret_reason = "the key of the leaf is not EC P-256";
        return false;
    }
    *ret_id = id;
    return true;
}

/* below: how many intermediates stand under this signer. */
static bool signer_allowed(const struct certificate *signer, int below, struct span trust_domain,
                           const char **ret_reason)
{
    if (!signer->is_ca) {
        *ret_reason = "an intermediate is not a CA";
        return false;
    }
    if (signer->has_key_usage && !(signer->key_usage & KEY_USAGE_CERT_SIGN)) {
        *ret_reason = "an intermediate lacks keyCertSign";
        return false;
    }
    if (signer->path_length >= 0 && below > signer->path_length) {
        *ret_reason = "the chain is longer than a signer's path length allows";
        return false;
    }
    if (signer->names.uris == 0) {
        return true;
    }
    struct spiffe_id id;
    if (signer->names.uris > 1 || !spiffe_id_parse(signer->names.uri, &id, ret_reason) ||
        id.path.length > 0 || !span_equal(id.trust_domain, trust_domain)) {
        *ret_reason = "a signer's own SPIFFE id is not that of the trust domain";
        return false;
    }
    return true;
}

/* True when a root of the domain signed the certificate; then the period is narrowed to the root's.
 */
static bool ends_at_root(const struct certificate *certificate, int below,
                         const struct trust_domain_roots *domain, struct period *period,
                         const char **ret_reason)
{
    for (size_t i = 0; i < domain->count; i++) {
        const struct trust_root *root = &domain->roots[i];
        if (span_equal(root->certificate.subject, certificate->issuer) &&
            certificate_signed_by(certificate, root->key) &&
            signer_allowed(&root->certificate, below, domain->name, ret_reason)) {
            narrow(period, &root->certificate);
            return true;
        }
    }
    return false;
}

static bool step_up(const struct certificate *current, struct span der, int below,
                    const struct trust_domain_roots *domain, struct certificate *ret_signer,
                    const char **ret_reason)
{
    struct certificate signer;
    if (!certificate_parse(der, &signer, ret_reason) ||
        !signer_allowed(&signer, below, domain->name, ret_reason)) {
        return false;
    }
    if (!span_equal(signer.subject, current->issuer)) {
        *ret_reason = "the chain is broken: issuer and the next subject differ";
        return false;
    }
    EVP_PKEY *key = certificate_key(&signer);
    bool good = key != NULL && certificate_signed_by(current, key);
    EVP_PKEY_free(key);
    if (!good) {
        *ret_reason = "a signature in the chain is wrong";
        return false;
    }
    *ret_signer = signer;
    return true;
}

static bool chain_holds(const struct certificate *leaf, const struct span *chain, size_t count,
                        const struct trust_domain_roots *domain, struct period *period,
                        const char **ret_reason)
{
    struct certificate current = *leaf;
    for (size_t i = 0;; i++) {
        const char *at_root = NULL;
        if (ends_at_root(&current, (int)i, domain, period, &at_root)) {
            return true;
        }
        if (i + 1 == count) {
            *ret_reason =
                at_root != NULL ? at_root : "no root of the trust domain signed the chain";
            return false;
        }
        if (!step_up(&current, chain[i + 1], (int)i, domain, &current, ret_reason)) {
            return false;
        }
        narrow(period, &current);
    }
}

static bool in_period(const struct period *period, int64_t now_s, struct tls_verdict *verdict)
{
    if (now_s < period->not_before_s) {
        refuse(verdict, FAILURE_PEER_UNVERIFIED, "a certificate of the chain is not valid yet");
        return false;
    }
    if (now_s > period->not_after_s) {
        refuse(verdict, FAILURE_PEER_UNVERIFIED, "a certificate of the chain has expired");
        return false;
    }
    return true;
}

static void accept_as(struct leaf_verify *verify, struct span identity, struct span serial,
                      int64_t leaf_not_after_s, struct tls_verdict *verdict)
{
    struct spiffe_id id;
    const char *reason;
    CHECK(spiffe_id_parse(identity, &id, &reason));
    memcpy(verdict->identity, identity.at, identity.length);
    verdict->identity[identity.length] = '\0';
    verdict->not_after_ms = leaf_not_after_s * 1000;
    if (verify->denied != NULL && verify->denied(verify->denied_owner, &id, serial)) {
        refuse(verdict, FAILURE_PEER_UNVERIFIED, "the identity is on the deny list");
    }
}

/* False when the cache does not know the leaf. */
static bool from_cache(struct leaf_verify *verify, const unsigned char *key, int64_t now_s,
                       struct tls_verdict *verdict)
{
    char serial[LEAF_CACHE_SERIAL_BYTES];
    char identity[SPIFFE_ID_BYTES];
    struct leaf_entry copy;
    pthread_mutex_lock(&verify->lock);
    const struct leaf_entry *entry = leaf_cache_find(&verify->cache, key);
    if (entry != NULL && (now_s < entry->not_before_s || now_s > entry->not_after_s)) {
        leaf_cache_drop(&verify->cache, entry);
        entry = NULL;
    }
    if (entry != NULL) {
        copy = *entry;
        memcpy(serial, entry->serial, entry->serial_length);
        memcpy(identity, entry->identity, entry->identity_length);
        verify->counters.from_cache++;
    }
    pthread_mutex_unlock(&verify->lock);
    if (entry == NULL) {
        return false;
    }
    accept_as(verify, span_make(identity, copy.identity_length),
              span_make(serial, copy.serial_length), copy.leaf_not_after_s, verdict);
    return true;
}

static void remember(struct leaf_verify *verify, const unsigned char *key,
                     const struct certificate *leaf, const struct period *period,
                     struct span identity, uint64_t generation)
{
    struct leaf_entry entry = {.not_before_s = period->not_before_s,
                               .not_after_s = period->not_after_s,
                               .leaf_not_after_s = leaf->not_after_s,
                               .serial_length = leaf->serial.length};
    memcpy(entry.key, key, LEAF_CACHE_KEY_BYTES);
    memcpy(entry.serial, leaf->serial.at, leaf->serial.length);
    pthread_mutex_lock(&verify->lock);
    if (generation == verify->generation) {
        leaf_cache_add(&verify->cache, &entry, identity);
    }
    pthread_mutex_unlock(&verify->lock);
}

/* The whole judgement, without the cache. */
static void verify_whole(struct leaf_verify *verify, const struct span *chain, size_t count,
                         const unsigned char *key, struct tls_verdict *verdict)
{
    pthread_mutex_lock(&verify->lock);
    uint64_t generation = verify->generation;
    struct trust_bundle *bundle = verify->bundle;
    if (bundle != NULL) {
        trust_bundle_ref(bundle);
    }
    pthread_mutex_unlock(&verify->lock);

    struct certificate leaf;
    struct spiffe_id id;
    const char *reason = "there is no trust bundle yet";
    const struct trust_domain_roots *domain = NULL;
    struct period period = {INT64_MIN, INT64_MAX};
    bool good = bundle != NULL && certificate_parse(chain[0], &leaf, &reason) &&
                leaf_rules(&leaf, &id, &reason);
    if (good) {
        domain = trust_bundle_find(bundle, id.trust_domain);
        reason = "the trust domain of the peer is not trusted";
        narrow(&period, &leaf);
        good = domain != NULL && chain_holds(&leaf, chain, count, domain, &period, &reason);
    }
    if (!good) {
        refuse(verdict, FAILURE_PEER_UNVERIFIED, reason);
    } else if (in_period(&period, clock_wall_ns() / NS_PER_S, verdict)) {
        remember(verify, key, &leaf, &period, id.text, generation);
        accept_as(verify, id.text, leaf.serial, leaf.not_after_s, verdict);
    }
    trust_bundle_unref(bundle);
}

void leaf_verify_chain(struct leaf_verify *verify, const struct span *chain, size_t count,
                       bool resumed, struct tls_verdict *ret_verdict)
{
    (void)resumed;
    if (count == 0) {
        refuse(ret_verdict, FAILURE_PEER_UNVERIFIED, "the peer showed no certificate");
    } else if (count > LEAF_CHAIN_CERTIFICATES) {
        refuse(ret_verdict, FAILURE_PEER_UNVERIFIED, "the chain has more than 4 certificates");
    } else {
        unsigned char key[SHA256_DIGEST_LENGTH];
        SHA256((const uint8_t *)chain[0].at, chain[0].length, key);
        if (!from_cache(verify, key, clock_wall_ns() / NS_PER_S, ret_verdict)) {
            verify_whole(verify, chain, count, key, ret_verdict);
        }
    }
    pthread_mutex_lock(&verify->lock);
    *(ret_verdict->failure == FAILURE_NONE ? &verify->counters.accepted
                                           : &verify->counters.refused) += 1;
    pthread_mutex_unlock(&verify->lock);
}

static void verify_tls(void *owner, const struct span *chain, size_t count, bool resumed,
                       struct tls_verdict *ret_verdict)
{
    leaf_verify_chain(owner, chain, count, resumed, ret_verdict);
}

struct tls_verifier leaf_verify_tls(struct leaf_verify *verify)
{
    return (struct tls_verifier){verify_tls, verify};
}

struct leaf_verify *leaf_verify_create(struct trust_bundle *bundle)
{
    struct leaf_verify *verify = NEW(struct leaf_verify);
    pthread_mutex_init(&verify->lock, NULL);
    leaf_cache_init(&verify->cache, LEAF_CACHE_ENTRIES);
    verify->bundle = bundle != NULL ? trust_bundle_ref(bundle) : NULL;
    return verify;
}

void leaf_verify_destroy(struct leaf_verify *verify)
{
    if (verify == NULL) {
        return;
    }
    leaf_cache_done(&verify->cache);
    trust_bundle_unref(verify->bundle);
    pthread_mutex_destroy(&verify->lock);
    mem_free(verify);
}

void leaf_verify_set_bundle(struct leaf_verify *verify, struct trust_bundle *bundle)
{
    struct trust_bundle *fresh = bundle != NULL ? trust_bundle_ref(bundle) : NULL;
    pthread_mutex_lock(&verify->lock);
    struct trust_bundle *old = verify->bundle;
    verify->bundle = fresh;
    verify->generation++;
    leaf_cache_clear(&verify->cache);
    pthread_mutex_unlock(&verify->lock);
    trust_bundle_unref(old);
}

void leaf_verify_set_deny(struct leaf_verify *verify, leaf_denied *denied, void *owner)
{
    verify->denied = denied;
    verify->denied_owner = owner;
}

void leaf_verify_count(struct leaf_verify *verify, struct leaf_verify_counters *ret)
{
    pthread_mutex_lock(&verify->lock);
    *ret = verify->counters;
    pthread_mutex_unlock(&verify->lock);
}
