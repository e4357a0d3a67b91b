#ifndef REMORA_CONTROL_SERVE_SUBSCRIPTION_H
#define REMORA_CONTROL_SERVE_SUBSCRIPTION_H

#include "control/serve/node_claim.h"
#include "control/serve/supply.h"
#include "lib/base/map.h"

/*
 * What one stream wants of one type, and what it was told. Both variants of the protocol keep this;
 * subscriber.h moves it.
 */
enum {
    SUBSCRIPTION_NAMES = 20000,     /* of one type on one stream */
    SUBSCRIPTION_NAME_BYTES = 1024, /* of one name */
    SUBSCRIPTION_NACK_BYTES = 512,  /* kept of a client's words */
};

/* One name. told: version that it was told last, 0 = that there is none. */
struct wanted {
    uint64_t told;
    bool answered; /* it was told anything at all */
    bool owed;     /* it was asked for and must be answered, changed or not */
};

struct subscription {
    uint8_t type;             /* enum xds_type */
    bool begun;               /* a request came */
    bool all;                 /* wildcard */
    bool legacy;              /* SotW: wildcard by saying no name, which ends with the first name */
    bool due;                 /* what is told may differ from what there is */
    bool owed;                /* an answer must come, changed or not */
    bool waits;               /* the last response is not answered yet */
    struct map names;         /* -> struct wanted */
    struct listing *told_all; /* wildcard: what it was told */
    struct listing *next_all; /* what it is being told, in parts; NULL = no part is left */
    uint32_t old_at, new_at;  /* how far: places in both */
    struct map held;          /* wildcard, before the first answer: name -> struct wanted */
    uint64_t told_set;        /* SotW: hash of the last set */

    uint64_t nonce; /* of the last response; 0 = none yet */
    uint64_t sent, acks, nacks;
    int64_t sent_ns; /* monotonic: last response */
    int64_t nack_wall_ns;
    char *nack; /* text of the last one; NULL = none, or accepted since */
};

void subscription_init(struct subscription *subscription, enum xds_type type);
void subscription_done(struct subscription *subscription);
/* NULL when there are too many names, or it is too long. */
struct wanted *subscription_want(struct subscription *subscription, struct span name);
/* Listeners, clusters, phone book: they can be asked for as a whole, and in SotW are told so. */
bool subscription_can_be_whole(const struct subscription *subscription);
void subscription_drop(struct subscription *subscription, struct span name);
/* Forgets what the wildcard's client held, and was owed, by name. */
void subscription_forget_held(struct subscription *subscription);
/* Records an answer to the last response. */
void subscription_answered(struct subscription *subscription, const struct xds_request *request);
/* True when everything sent was accepted and nothing is due. */
bool subscription_synced(const struct subscription *subscription);

#endif
