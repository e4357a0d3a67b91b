#include "certs/trust_bundle.h"

#include "certs/certificate_list.h"
#include "certs/spiffe_id.h"
#include "lib/base/memory.h"
#include "lib/base/refcount.h"

#include <openssl/evp.h>

struct trust_bundle {
    struct refcount references;
    struct trust_domain_roots *domains;
    size_t count;
    size_t capacity;
};

struct trust_bundle *trust_bundle_create(void)
{
    struct trust_bundle *bundle = NEW(struct trust_bundle);
    refcount_init(&bundle->references);
    return bundle;
}

struct trust_bundle *trust_bundle_ref(struct trust_bundle *bundle)
{
    refcount_up(&bundle->references);
    return bundle;
}

void trust_bundle_unref(struct trust_bundle *bundle)
{
    if (bundle == NULL || !refcount_down(&bundle->references)) {
        return;
    }
    for (size_t i = 0; i < bundle->count; i++) {
        struct trust_domain_roots *domain = &bundle->domains[i];
        for (size_t j = 0; j < domain->count; j++) {
            EVP_PKEY_free(domain->roots[j].key);
            mem_free((void *)(uintptr_t)domain->roots[j].certificate.der.at);
        }
        mem_free(domain->roots);
        mem_free((void *)(uintptr_t)domain->name.at);
    }
    mem_free(bundle->domains);
    mem_free(bundle);
}

const struct trust_domain_roots *trust_bundle_find(const struct trust_bundle *bundle,
                                                   struct span trust_domain)
{
    for (size_t i = 0; i < bundle->count; i++) {
        if (span_equal(bundle->domains[i].name, trust_domain)) {
            return &bundle->domains[i];
        }
    }
    return NULL;
}

size_t trust_bundle_domains(const struct trust_bundle *bundle,
                            const struct trust_domain_roots **ret_domains)
{
    *ret_domains = bundle->domains;
    return bundle->count;
}

static bool holds(const struct trust_domain_roots *domain, struct span der)
{
    for (size_t i = 0; i < domain->count; i++) {
        if (span_equal(domain->roots[i].certificate.der, der)) {
            return true;
        }
    }
    return false;
}

static bool may_sign(const struct certificate *certificate, const char **ret_reason)
{
    if (!certificate->is_ca) {
        *ret_reason = "a root must be CA:TRUE";
        return false;
    }
    if (certificate->has_key_usage && !(certificate->key_usage & KEY_USAGE_CERT_SIGN)) {
        *ret_reason = "a root must have keyCertSign";
        return false;
    }
    return true;
}

static struct trust_domain_roots *domain_of(struct trust_bundle *bundle, struct span name)
{
    const struct trust_domain_roots *found = trust_bundle_find(bundle, name);
    if (found != NULL) {
        return &bundle->domains[found - bundle->domains];
    }
    mem_grow(&bundle->domains, &bundle->capacity, bundle->count + 1, sizeof(*bundle->domains));
    struct trust_domain_roots *domain = &bundle->domains[bundle->count++];
    *domain = (struct trust_domain_roots){
        .name = span_make(mem_dup(name.at, name.length), name.length),
        .roots = mem_array(TRUST_BUNDLE_ROOTS, sizeof(struct trust_root))};
    return domain;
}

bool trust_bundle_add(struct trust_bundle *bundle, struct span trust_domain, struct span der,
                      const char **ret_reason)
{
    if (!spiffe_trust_domain_valid(trust_domain)) {
        *ret_reason = "the trust domain is not 1 to 255 of [a-z0-9._-]";
        return false;
    }
    struct certificate certificate;
    if (!certificate_parse(der, &certificate, ret_reason) || !may_sign(&certificate, ret_reason)) {
        return false;
    }
    const struct trust_domain_roots *found = trust_bundle_find(bundle, trust_domain);
    if (found != NULL && holds(found, der)) {
        return true;
    }
    if (found != NULL ? found->count == TRUST_BUNDLE_ROOTS
                      : bundle->count == TRUST_BUNDLE_DOMAINS) {
        *ret_reason = "more than 64 roots of a trust domain, or more than 256 trust domains";
        return false;
    }
    EVP_PKEY *key = certificate_key(&certificate);
    if (key == NULL) {
        *ret_reason = "the key of the root is not EC P-256, P-384 or RSA 2048 to 4096";
        return false;
    }
    struct trust_domain_roots *domain = domain_of(bundle, trust_domain);
    struct trust_root *root = &domain->roots[domain->count++];
    root->key = key;
    struct span copy = span_make(mem_dup(der.at, der.length), der.length);
    const char *unused;
    certificate_parse(copy, &root->certificate, &unused);
    return true;
}

bool trust_bundle_add_pem(struct trust_bundle *bundle, struct span trust_domain, struct span pem,
                          const char **ret_reason)
{
    struct certificate_list list = {0};
    bool good = certificate_list_add_pem(&list, pem, ret_reason);
    for (size_t i = 0; good && i < list.count; i++) {
        good = trust_bundle_add(bundle, trust_domain, list.ders[i], ret_reason);
    }
    certificate_list_done(&list);
    return good;
}

void trust_bundle_to_pem(const struct trust_bundle *bundle, struct span trust_domain,
                         struct text *ret_pem)
{
    const struct trust_domain_roots *domain = trust_bundle_find(bundle, trust_domain);
    for (size_t i = 0; domain != NULL && i < domain->count; i++) {
        certificate_to_pem(domain->roots[i].certificate.der, ret_pem);
    }
}

bool trust_bundle_equal(const struct trust_bundle *a, const struct trust_bundle *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        const struct trust_domain_roots *mine = &a->domains[i];
        const struct trust_domain_roots *other = trust_bundle_find(b, mine->name);
        if (other == NULL || other->count != mine->count) {
            return false;
        }
        for (size_t j = 0; j < mine->count; j++) {
            if (!holds(other, mine->roots[j].certificate.der)) {
                return false;
            }
        }
    }
    return true;
}
