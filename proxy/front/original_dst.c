#include "proxy/front/original_dst.h"

#include "lib/net/nat.h"

static bool is_own_port(uint16_t port, const struct own_places *own)
{
    for (size_t i = 0; i < own->port_count; i++) {
        if (own->ports[i] == port) {
            return true;
        }
    }
    return false;
}

/* A connection to the wildcard address arrives at the machine that made it: it is loopback too. */
static bool is_own_address(const struct address *address, const struct own_places *own)
{
    if (address_is_loopback(address) || address_is_wildcard(address)) {
        return true;
    }
    for (size_t i = 0; i < own->address_count; i++) {
        if (address_equal_ip(address, &own->addresses[i])) {
            return true;
        }
    }
    return false;
}

bool original_dst_is_loop(const struct address *dst, const struct address *local,
                          const struct own_places *own)
{
    return address_equal(dst, local) || (is_own_port(dst->port, own) && is_own_address(dst, own));
}

enum failure original_dst_find(int fd, const struct address *local, const struct address *peer,
                               const struct own_places *own, struct address *ret_dst)
{
    struct address dst;
    int error;
    if (!nat_original(fd, peer, &dst, &error)) {
        return FAILURE_NO_ORIGINAL_DST;
    }
    if (original_dst_is_loop(&dst, local, own)) {
        return FAILURE_LOOP;
    }
    *ret_dst = dst;
    return FAILURE_NONE;
}
