#ifndef REMORA_CONTROL_MODEL_PROTOCOL_H
#define REMORA_CONTROL_MODEL_PROTOCOL_H

#include "control/object/object.h"
#include "control/object/service_spec.h"
#include "lib/xds/xds_type.h"

/*
 * appProtocol, then the annotation remora.dev/opaque-ports ("9000,9001"), then the port's name or
 * what stands in it before a "-". A word that nobody knows is no error: the first bytes will tell.
 */
enum xds_protocol protocol_of_port(const struct object *service, const struct service_port *port);
enum xds_protocol protocol_of_external(int8_t external_protocol);
static inline bool port_is_meshed(const struct service_port *port)
{
    return port->protocol == 0 || port->protocol == IP_PROTOCOL_TCP;
}
/*
 * The port that an annotation maps to: "8080:18080,9090:19090", or one number for all. 0 when there
 * is none. Explicit mode, without interception, has three of them:
 *   Service   remora.dev/local-port    service port : where callers' proxies listen on loopback
 *   Workload  remora.dev/inbound-port  application port : where its own proxy listens
 *   Workload  remora.dev/tunnel-port   the same for tunnels, in place of 15008
 */
uint16_t annotated_port(const struct object *object, const char *annotation, int64_t port);

#endif
