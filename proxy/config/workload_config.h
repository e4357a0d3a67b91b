#ifndef REMORA_PROXY_CONFIG_WORKLOAD_CONFIG_H
#define REMORA_PROXY_CONFIG_WORKLOAD_CONFIG_H

#include "lib/base/refcount.h"
#include "lib/xds/xds_workload.h"

/* This proxy itself. Immutable and counted; all spans live in it. */
struct workload_config {
    struct refcount references;
    struct arena arena;
    struct xds_workload facts;
};

/* NULL, and a text, when a value is out of range (duplicate port, renew_from > renew_to ...). */
struct workload_config *workload_config_create(const struct xds_workload *facts,
                                               struct xds_error *ret_error);
struct workload_config *workload_config_ref(struct workload_config *workload);
void workload_config_unref(struct workload_config *workload);

/* The line for an application port; never NULL: ports not listed get the defaults. */
struct xds_inbound_port workload_config_port(const struct workload_config *workload, uint16_t port);
/* The port is named, and not only covered by what holds for all. */
bool workload_config_has_port(const struct workload_config *workload, uint16_t port);

#endif
