#ifndef REMORA_PROXY_FRONT_DESTINATION_H
#define REMORA_PROXY_FRONT_DESTINATION_H

#include "proxy/front/client_conn.h"

/*
 * Where an outbound connection wants to go, in the words of the configuration. Each fills
 * conn->origin and conn->protocol from conn->snapshot.
 */

/* What the kernel says; FAILURE_NO_ORIGINAL_DST or FAILURE_LOOP where the connection must be
 * refused. */
enum failure destination_original(const struct front *front, int fd, const struct address *local,
                                  const struct address *peer, struct address *ret);
/* By the original destination: a service port or a workload. False: not of the mesh. */
bool destination_find(struct client_conn *conn);
/* By service name: "api.shop.svc.cluster.local", "api.shop", "shop/api". */
bool destination_service(struct client_conn *conn, struct span service, uint16_t port);
/* Not of the mesh: pass-through where egress is allowed, else only what the host name allows. */
void destination_outside(struct client_conn *conn);
/* Outside, egress denied, TLS: an ExternalService that the ClientHello's name belongs to. */
bool destination_by_hello(struct client_conn *conn);

#endif
