#ifndef REMORA_PROXY_FRONT_ORIGINAL_DST_H
#define REMORA_PROXY_FRONT_ORIGINAL_DST_H

#include "lib/base/failure.h"
#include "lib/net/address.h"

/*
 * Where a redirected client wanted to go, and the guard against connections that would lead back to
 * this proxy. The answer is never an identity: any pod can dial any port.
 */

/* What belongs to this proxy. Borrowed; plain values of the configuration. */
struct own_places {
    const struct address *addresses; /* of the pod; ports are ignored */
    size_t address_count;
    const uint16_t *ports; /* of every listener of the proxy, the loopback ones too */
    size_t port_count;
};

/*
 * True when a connection to dst would come back: it equals local (the client dialled the listener
 * itself, nothing was redirected), or it is a listener's port at one of the pod's addresses or at
 * loopback. A peer that dials POD:15001 is redirected to the inbound listener with original port
 * 15001; passing that on would go round for ever. Pure.
 */
bool original_dst_is_loop(const struct address *dst, const struct address *local,
                          const struct own_places *own);

/*
 * Asks the kernel, once, directly after accept. local and peer are the accepted connection's.
 * FAILURE_NONE and *ret_dst; FAILURE_LOOP; FAILURE_NO_ORIGINAL_DST when the kernel knows of no
 * redirect. On failure close at once, without an answer, and count. One system call.
 */
enum failure original_dst_find(int fd, const struct address *local, const struct address *peer,
                               const struct own_places *own, struct address *ret_dst);

#endif
