#ifndef REMORA_NET_NAT_H
#define REMORA_NET_NAT_H

#include "lib/net/address.h"

/*
 * What the kernel's address translation did to a connection that was accepted. One look-up in the
 * connection-tracking table; ask once, directly after accept, for the entry may go away.
 */

/*
 * Where the client wanted to go before the connection was redirected here. The peer's family
 * decides how to ask, so one dual-stack listener serves both. A connection that was not redirected
 * gives its own local address. False and *ret_errno: ENOENT when the kernel does not track the
 * connection.
 */
bool nat_original(int fd, const struct address *peer, struct address *ret_original, int *ret_errno);

#endif
