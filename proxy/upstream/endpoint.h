#ifndef REMORA_PROXY_UPSTREAM_ENDPOINT_H
#define REMORA_PROXY_UPSTREAM_ENDPOINT_H

#include "lib/base/list.h"
#include "proxy/config/cluster_config.h"

struct pool;
struct cluster;
struct lease_outcome;

/*
 * One address at run time. Peak EWMA: a sample above the decayed value
 * replaces it, one below moves it by 1 - exp(-elapsed / decay).
 */
struct endpoint {
    struct cluster *cluster;
    struct endpoint_config config; /* its spans live as long as the endpoint */
    struct pool *pool;             /* NULL before its first connection */
    uint32_t active;               /* leases held or being connected */
    uint32_t connections;          /* open or opening */
    bool leaving;                  /* removed: no new leases */
    bool seen;                     /* while a new configuration is compared */
    double rtt_ns;                 /* peak EWMA at rtt_stamp_ns; 0 = no sample yet */
    int64_t rtt_stamp_ns;
    int64_t used_ns; /* last lease begun or ended */
    uint32_t consecutive_failures;
    uint64_t successes, failures;
    char *texts;
    struct link link; /* in the table's endpoints that left */
    char text[64];    /* "10.0.0.1:8080" for logs and explain */
};

struct endpoint *endpoint_create(struct cluster *cluster, const struct endpoint_config *config);
/* For one whose last lease and connection are gone. */
void endpoint_destroy(struct endpoint *endpoint);
/* The same endpoint: address, ports, identity and all that people know it by. */
bool endpoint_is(const struct endpoint *endpoint, const struct endpoint_config *config);
/* What may change without making it another: weight, health, priority. */
void endpoint_refresh(struct endpoint *endpoint, const struct endpoint_config *config);
/* No new leases; idle connections close at once, the others with their last stream. */
void endpoint_leave(struct endpoint *endpoint);

/* May take new leases. The one test: a breaker's word belongs here too. */
bool endpoint_in_rotation(const struct endpoint *endpoint);
/* It must show an identity: mutual TLS or nothing. */
bool endpoint_is_mesh(const struct endpoint *endpoint);
/* Decayed to now, at least 1 ms. */
double endpoint_rtt_ns(const struct endpoint *endpoint, int64_t now_ns);
void endpoint_sample(struct endpoint *endpoint, int64_t sample_ns, int64_t now_ns);
/* Counts and samples an attempt (a failure counts as 5 s at least). */
void endpoint_record(struct endpoint *endpoint, const struct lease_outcome *outcome,
                     int64_t now_ns);
/* A connection to it could not be made. */
void endpoint_unreachable(struct endpoint *endpoint, int64_t now_ns);

#endif
