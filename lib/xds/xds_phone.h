#ifndef REMORA_XDS_XDS_PHONE_H
#define REMORA_XDS_XDS_PHONE_H

#include "lib/xds/xds_endpoints.h"

/*
 * One line of the phone book: which addresses a service (or an external host, or a single workload)
 * answers at, and how each port is spoken. remora.xds.v1.PhoneEntry.
 */
enum xds_phone_kind {
    XDS_PHONE_SERVICE,  /* a virtual address; ports lead to listeners HOST:PORT */
    XDS_PHONE_EXTERNAL, /* ExternalService: found by host name (SNI, authority) or by listed address
                         */
    XDS_PHONE_WORKLOAD, /* one address of one workload, asked on demand as "ip/ADDRESS" */
};

struct xds_phone_port {
    uint16_t port;
    uint8_t protocol;    /* enum xds_protocol */
    uint16_t local_port; /* explicit mode: where proxies without interception listen; 0 = nowhere */
};

struct xds_phone_entry {
    struct span name; /* resource name */
    struct span host; /* "api.shop.svc.cluster.local"; external: the host itself */
    struct span namespace_name;
    uint8_t kind;                    /* enum xds_phone_kind */
    const struct address *addresses; /* port 0 */
    uint32_t address_count;
    const struct span *hosts; /* EXTERNAL: all its names, "*.example" allowed */
    uint32_t host_count;
    const struct xds_phone_port *ports;
    uint32_t port_count;
    struct xds_endpoint workload; /* XDS_PHONE_WORKLOAD */
};

struct span xds_phone_encode(const struct xds_phone_entry *entry, struct arena *arena);
bool xds_phone_decode(struct span bytes, struct arena *arena, struct xds_phone_entry *ret,
                      struct xds_error *ret_error);

#endif
