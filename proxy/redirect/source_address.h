#ifndef REMORA_PROXY_REDIRECT_SOURCE_ADDRESS_H
#define REMORA_PROXY_REDIRECT_SOURCE_ADDRESS_H

#include "lib/base/text.h"

/*
 * ::6 on the loopback interface, the IPv6 source of the inbound side's connections to the
 * application (IPv4 needs none: all of 127.0.0.0/8 is local). By rtnetlink; needs CAP_NET_ADMIN.
 * Where IPv6 is switched off there is nothing to do, which is success.
 */
/* *ret_added: false when it was there already, or IPv6 is off. */
bool source_address_add(bool *ret_added, struct text *ret_problem);
/* No address to remove is success. */
bool source_address_remove(struct text *ret_problem);

#endif
