#ifndef REMORA_PROXY_IDENTITY_IDENTITY_RUN_H
#define REMORA_PROXY_IDENTITY_IDENTITY_RUN_H

/* The inside of workload_identity, for the files that make it up. */

#include "lib/base/text.h"
#include "proxy/identity/identity_store.h"
#include "proxy/identity/workload_identity.h"

struct workload_identity {
    struct loop *loop;
    const struct workload_identity_events *events;
    void *owner;
    struct arena arena; /* texts of the options */
    struct spiffe_id id;
    struct span trust_domain;
    char *token_file; /* NULL = none */
    char *key_dir;    /* NULL = keys are not kept */
    bool source_trusted;
    bool restored;
    struct leaf_verify *verify;
    struct trust_bundle *bundle; /* NULL until one came */
    struct credential current;
    struct identity_store *store; /* NULL = keys are not kept */
    const struct certificate_source *source;
    struct rotation_window window;
    int64_t lifetime_s;
    int64_t renew_at_ms; /* wall clock; of current */
    struct timer timer;  /* looks whether it is time to ask */
    EVP_PKEY *asked_key; /* NULL = nothing is asked */
    bool asked_with_token;
    unsigned failures; /* in a row */
    uint64_t issued;
    uint64_t failed;
    char last_error[IDENTITY_ERROR_BYTES];
};

/* Wall clock. */
int64_t identity_now_ms(void);
bool identity_valid(const struct workload_identity *identity);

/* identity_ask.c: the timer's look, and giving up a question. */
void identity_look(struct timer *timer);
void identity_ask(struct workload_identity *identity);
void identity_stop_asking(struct workload_identity *identity);

/* workload_identity.c: takes a credential over as the one in force; since_ms as rotation.h says. */
bool identity_take(struct workload_identity *identity, struct credential *credential,
                   struct trust_bundle *first_bundle, int64_t since_ms, const char **ret_reason);

#endif
