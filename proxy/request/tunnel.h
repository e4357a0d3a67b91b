#ifndef REMORA_PROXY_REQUEST_TUNNEL_H
#define REMORA_PROXY_REQUEST_TUNNEL_H

#include "proxy/request/request.h"

/*
 * One opaque connection: bytes that Remora does not read, to an endpoint of a service (through
 * HBONE where it has a sidecar), to an address outside, or to the local application.
 *
 * A tunnel may be started before anybody knows that the connection is opaque (zero-wait detection):
 * it connects, and tells when the upstream speaks first. It is then joined with the downstream, or
 * abandoned. The origin is as for requests and copied.
 */
struct tunnel;

struct tunnel_events {
    /* Not joined yet: the upstream has sent bytes, or (false) has ended without any. */
    void (*on_spoken)(void *owner, bool with_bytes);
    /* Not joined yet: it cannot be. The tunnel is gone after this call. */
    void (*on_failed)(void *owner, enum failure failure);
    /* Joined: the connection is over and the record closed. The tunnel is gone. May be NULL. */
    void (*on_over)(void *owner);
};

/* protocol: enum record_protocol for the record (TCP or TLS). Never calls back from inside. */
struct tunnel *tunnel_start(const struct request_origin *origin, uint8_t protocol,
                            const struct tunnel_events *events, void *owner);
/* Takes over the downstream, bytes already read given back by transport_unread. */
void tunnel_join(struct tunnel *tunnel, struct transport *downstream);
/* Closes and frees after the turn; no callback. Joined tunnels are cut. */
void tunnel_abandon(struct tunnel *tunnel);

#endif
