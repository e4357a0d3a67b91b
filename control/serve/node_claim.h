#ifndef REMORA_CONTROL_SERVE_NODE_CLAIM_H
#define REMORA_CONTROL_SERVE_NODE_CLAIM_H

#include "lib/xds/xds_discovery.h"

/*
 * What a client says of itself, in the node of its first request: believed only where its identity
 * says the same. Metadata as Remora's proxies write it (WORKLOAD, ADDRESS) or Istio's agents
 * (WORKLOAD_NAME, INSTANCE_IPS).
 */
enum { NODE_ADDRESSES = 8 };

struct node_claim {
    struct span id;
    struct span cluster;
    struct span agent;
    struct span namespace_name;
    struct span service_account;
    struct span workload;
    struct span version;
    struct address addresses[NODE_ADDRESSES]; /* port 0 */
    size_t address_count;
};

/* Copies the texts into the arena. */
void node_claim_read(const struct xds_caller *caller, struct arena *arena, struct node_claim *ret);

#endif
