#ifndef REMORA_PROXY_UPSTREAM_CLUSTER_DNS_H
#define REMORA_PROXY_UPSTREAM_CLUSTER_DNS_H

#include "proxy/upstream/cluster.h"

/*
 * The endpoints of a cluster whose configuration has names: each name becomes as many endpoints as
 * it has addresses (LOGICAL_DNS: the first alone). An answer is renewed shortly before its time is
 * over while the cluster is used, else with the next use. An answer without addresses and one that
 * did not come change nothing: the last good set stays.
 */
struct cluster_dns;

/* Of the cluster's current config; dns: what there was, or NULL. Keeps the answers of names that
 * stay. Sets the endpoints. */
struct cluster_dns *cluster_dns_update(struct cluster_dns *dns, struct cluster *cluster,
                                       bool all_new);
void cluster_dns_destroy(struct cluster_dns *dns);
/* A lease begins: asks for what is too old. */
void cluster_dns_used(struct cluster_dns *dns);
/* No name has ever had an answer, and each has been asked. */
bool cluster_dns_failed(const struct cluster_dns *dns);

#endif
