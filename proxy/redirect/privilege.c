#include "proxy/redirect/privilege.h"

#include <sys/capability.h>
#include <unistd.h>

static bool has_capability(cap_value_t capability)
{
    cap_t mine = cap_get_proc();
    cap_flag_value_t value = CAP_CLEAR;
    if (mine != NULL) {
        cap_get_flag(mine, capability, CAP_EFFECTIVE, &value);
        cap_free(mine);
    }
    return value == CAP_SET;
}

bool privilege_may_filter(void)
{
    return has_capability(CAP_NET_ADMIN);
}

bool privilege_may_become(void)
{
    return has_capability(CAP_SETUID) && has_capability(CAP_SETGID);
}

bool privilege_is_host_network(void)
{
    /* A setting of the machine's network devices, which the kernel shows in the first namespace
     * only. */
    return access("/proc/sys/net/core/netdev_max_backlog", F_OK) == 0;
}
