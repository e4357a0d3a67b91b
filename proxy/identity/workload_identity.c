#include "proxy/identity/identity_run.h"

#include "certs/keystore.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"
#include "proxy/config/mesh_alpn.h"

#include <openssl/evp.h>

#include <stdio.h>

static const char *const alpn[] = MESH_ALPN_LIST;
static const int64_t TICKET_LIFETIME_S = 3600;

int64_t identity_now_ms(void)
{
    return clock_wall_ns() / NS_PER_MS;
}

bool identity_valid(const struct workload_identity *identity)
{
    return identity->current.key != NULL &&
           identity_now_ms() / 1000 <= identity->current.not_after_s;
}

static char *text_or_null(struct arena *arena, struct span text)
{
    return text.length > 0 ? arena_text(arena, text) : NULL;
}

struct workload_identity *workload_identity_create(struct loop *loop,
                                                   const struct workload_identity_options *options,
                                                   const struct workload_identity_events *events,
                                                   void *owner, const char **ret_reason)
{
    char text[SPIFFE_ID_BYTES + 1];
    struct spiffe_id id;
    if (!spiffe_id_make(options->trust_domain, options->namespace_name, options->service_account,
                        text, &id)) {
        *ret_reason = "trust domain, namespace and service account make no SPIFFE id";
        return NULL;
    }
    struct workload_identity *identity = NEW(struct workload_identity);
    struct arena *arena = &identity->arena;
    identity->loop = loop;
    identity->events = events;
    identity->owner = owner;
    (void)spiffe_id_parse(arena_span(arena, id.text), &identity->id, ret_reason);
    identity->trust_domain = identity->id.trust_domain;
    identity->token_file = text_or_null(arena, options->token_file);
    identity->key_dir = text_or_null(arena, options->key_dir);
    identity->source_trusted = options->source_trusted;
    identity->window = (struct rotation_window){0.5, 0.7};
    identity->verify = leaf_verify_create(NULL);
    timer_init(&identity->timer, loop, identity_look);
    return identity;
}

void workload_identity_destroy(struct workload_identity *identity)
{
    if (identity == NULL) {
        return;
    }
    identity_stop_asking(identity);
    timer_stop(&identity->timer);
    credential_done(&identity->current);
    identity_store_close(identity->store);
    leaf_verify_destroy(identity->verify);
    trust_bundle_unref(identity->bundle);
    arena_done(&identity->arena);
    mem_free(identity);
}

static struct tls_config *make_config(struct workload_identity *identity,
                                      const struct credential *credential, bool is_server,
                                      const char **ret_reason)
{
    int64_t left_s = credential->not_after_s - identity_now_ms() / 1000;
    int64_t ticket_s = left_s < TICKET_LIFETIME_S ? left_s : TICKET_LIFETIME_S;
    struct tls_config_spec spec = {
        .is_server = is_server,
        .chain = credential->chain.ders,
        .chain_count = credential->chain.count,
        .key = credential->key,
        .alpn = alpn,
        .verifier = leaf_verify_tls(identity->verify),
        .demand = TLS_PEER_REQUIRED,
        .tickets = true,
        .ticket_lifetime_s = ticket_s > 0 ? (uint64_t)ticket_s : 1,
    };
    return tls_config_create(&spec, ret_reason);
}

/* Tells the owner of mutual TLS with this credential. Fresh ticket keys come with fresh configs. */
static bool publish(struct workload_identity *identity, const struct credential *credential,
                    bool new_roots, const char **ret_reason)
{
    struct tls_config *client = make_config(identity, credential, false, ret_reason);
    struct tls_config *server = make_config(identity, credential, true, ret_reason);
    bool good = client != NULL && server != NULL;
    if (good) {
        identity->events->on_tls(identity->owner, client, server, new_roots);
    }
    tls_config_unref(client);
    tls_config_unref(server);
    return good;
}

static void keep(struct workload_identity *identity)
{
    char reason[KEYSTORE_REASON_BYTES];
    struct text roots = {0};
    if (identity->store == NULL || identity->current.key == NULL || identity->bundle == NULL) {
        return;
    }
    trust_bundle_to_pem(identity->bundle, identity->trust_domain, &roots);
    if (!identity_store_write(identity->store, &identity->current, text_span(&roots), reason)) {
        LOG_WARN("identity", "the certificate is not kept", LOG_TEXT("reason", reason));
    }
    text_done(&roots);
}

static void use_bundle(struct workload_identity *identity, struct trust_bundle *bundle)
{
    leaf_verify_set_bundle(identity->verify, bundle);
    trust_bundle_unref(identity->bundle);
    identity->bundle = trust_bundle_ref(bundle);
}

bool identity_take(struct workload_identity *identity, struct credential *credential,
                   struct trust_bundle *first_bundle, int64_t since_ms, const char **ret_reason)
{
    if (first_bundle != NULL) {
        use_bundle(identity, first_bundle);
    }
    if (!publish(identity, credential, first_bundle != NULL, ret_reason)) {
        return false;
    }
    credential_done(&identity->current);
    identity->current = *credential;
    *credential = (struct credential){0};
    identity->renew_at_ms = rotation_renew_at_ms(
        identity->window, since_ms, identity->current.not_after_s * 1000, random_unit());
    keep(identity);
    return true;
}

/* ---- start ----------------------------------------------------------------------------------- */

/* False and a text when what was kept is of no use any more. */
static bool take_kept(struct workload_identity *identity, EVP_PKEY *key, const struct text *chain,
                      const struct text *roots, char *reason)
{
    struct credential credential = {0};
    struct certificate_list unused = {0};
    struct trust_bundle *bundle = trust_bundle_create();
    struct span chain_pem = text_span(chain);
    const char *why = NULL;
    reason[0] = '\0';
    bool good = credential_read(key, identity->id.text, &chain_pem, 1, identity_now_ms() / 1000,
                                &credential, &unused, &why) &&
                trust_bundle_add_pem(bundle, identity->trust_domain, text_span(roots), &why) &&
                credential_holds(&credential, bundle, reason) &&
                identity_take(identity, &credential, bundle, credential.not_before_s * 1000, &why);
    if (!good && reason[0] == '\0') {
        snprintf(reason, TLS_REASON_BYTES, "%s", why);
    }
    credential_done(&credential);
    certificate_list_done(&unused);
    trust_bundle_unref(bundle);
    return good;
}

static void restore(struct workload_identity *identity)
{
    char reason[KEYSTORE_REASON_BYTES];
    struct text chain = {0};
    struct text roots = {0};
    EVP_PKEY *key = NULL;
    if (identity_store_read(identity->store, &key, &chain, &roots, reason)) {
        identity->restored = take_kept(identity, key, &chain, &roots, reason);
    }
    if (identity->restored) {
        LOG_INFO("identity", "certificate kept from before", LOG_SPAN("id", identity->id.text));
    } else if (reason[0] != '\0') {
        LOG_WARN("identity", "the kept certificate is of no use", LOG_TEXT("reason", reason));
        identity_store_forget(identity->store);
    }
    EVP_PKEY_free(key);
    text_done(&chain);
    text_done(&roots);
}

void workload_identity_start(struct workload_identity *identity)
{
    char reason[KEYSTORE_REASON_BYTES];
    if (identity->key_dir != NULL) {
        identity->store = identity_store_open(identity->key_dir, reason);
        if (identity->store == NULL) {
            LOG_WARN("identity", "keys are not kept", LOG_TEXT("reason", reason));
        } else {
            restore(identity);
        }
    }
    timer_start(&identity->timer, 0);
}

/* ---- told by others -------------------------------------------------------------------------- */

void workload_identity_set_source(struct workload_identity *identity,
                                  const struct certificate_source *source)
{
    bool was_asking = identity->asked_key != NULL;
    identity_stop_asking(identity);
    identity->source = source;
    if (was_asking) {
        timer_start(&identity->timer, 0);
    }
}

void workload_identity_ask_now(struct workload_identity *identity)
{
    if (identity->asked_key == NULL && timer_running(&identity->timer) &&
        (identity->failures > 0 || !identity_valid(identity))) {
        identity->failures = 1; /* the next wait is a short one again */
        identity_ask(identity);
    }
}

void workload_identity_set_window(struct workload_identity *identity, struct rotation_window window,
                                  int64_t lifetime_s)
{
    identity->window = window;
    identity->lifetime_s = lifetime_s > 0 ? lifetime_s : 0;
}

bool workload_identity_set_roots(struct workload_identity *identity, struct span roots_pem,
                                 const char **ret_reason)
{
    char reason[TLS_REASON_BYTES] = "";
    struct trust_bundle *bundle = trust_bundle_create();
    if (!trust_bundle_add_pem(bundle, identity->trust_domain, roots_pem, ret_reason)) {
        trust_bundle_unref(bundle);
        return false;
    }
    if (identity->bundle != NULL && trust_bundle_equal(identity->bundle, bundle)) {
        trust_bundle_unref(bundle);
        return true;
    }
    use_bundle(identity, bundle);
    bool holds =
        identity->current.key != NULL && credential_holds(&identity->current, bundle, reason);
    trust_bundle_unref(bundle);
    const char *why = "";
    if (identity->current.key != NULL && !publish(identity, &identity->current, true, &why)) {
        LOG_ERROR("identity", "no TLS for the new trust bundle", LOG_TEXT("reason", why));
    }
    keep(identity);
    LOG_INFO("identity", "trust bundle replaced", LOG_NUMBER("own_certificate_holds", holds),
             LOG_TEXT("reason", reason));
    if (!holds && timer_running(&identity->timer)) {
        identity_ask(identity);
    }
    return true;
}

struct leaf_verify *workload_identity_verifier(struct workload_identity *identity)
{
    return identity->verify;
}
