#ifndef REMORA_PROXY_UPSTREAM_ENDPOINT_H
#define REMORA_PROXY_UPSTREAM_ENDPOINT_H

#include "proxy/config/cluster_config.h"

struct pool;
struct cluster;

/* One address at run time. Peak EWMA of traffic.md's LB-1: cost = rtt * (pending + 1) / weight. */
struct endpoint {
    struct cluster *cluster;
    struct endpoint_config config; /* spans live in config_owner */
    struct cluster_config *config_owner;
    struct pool *pool;
    uint32_t active; /* leases held or being connected */
    bool leaving;    /* removed or draining: no new leases */
    double rtt_ns;   /* peak EWMA at rtt_stamp_ns; 0 = no sample yet */
    int64_t rtt_stamp_ns;
    uint32_t consecutive_failures;
    uint64_t successes, failures;
    char text[64]; /* "10.0.0.1:8080" for logs and explain */
};

#endif
