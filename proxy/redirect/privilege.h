#ifndef REMORA_PROXY_REDIRECT_PRIVILEGE_H
#define REMORA_PROXY_REDIRECT_PRIVILEGE_H

#include <stdbool.h>

/* What this process may do, and where it is. */

/* CAP_NET_ADMIN: reading and changing the packet filter. */
bool privilege_may_filter(void);
/* CAP_SETUID and CAP_SETGID: acting as another user. */
bool privilege_may_become(void);
/* Whether this is the machine's own network namespace, not that of a pod. */
bool privilege_is_host_network(void);

#endif
