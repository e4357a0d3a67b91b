#include "proxy/redirect/live_target.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

enum {
    FIRST_REMOTE_PORT = 20001,
    FIRST_SELF_PORT = 20002,
    PORTS_TRIED = 2000,
    HOSTS_TRIED = 16,
    DISCARD_PORT = 9,
};

/* RFC 5737, RFC 3849, RFC 9637: networks for documentation, which no route on the Internet leads
 * to. */
static const char *const documentation4[] = {"192.0.2.1", "198.51.100.1", "203.0.113.1"};
static const char *const documentation6[] = {"2001:db8::1", "3fff::1"};

static bool pick_port(const struct redirect_plan *plan, const struct address *host,
                      struct address *ret)
{
    struct address candidate = *host;
    for (uint32_t i = 0; i < PORTS_TRIED; i++) {
        candidate.port = (uint16_t)(FIRST_REMOTE_PORT + i);
        if (redirect_plan_takes_outbound(plan, &candidate)) {
            *ret = candidate;
            return true;
        }
    }
    for (size_t i = 0; i < plan->include_outbound_ports.count; i++) {
        candidate.port = plan->include_outbound_ports.ranges[i].first;
        if (redirect_plan_takes_outbound(plan, &candidate)) {
            *ret = candidate;
            return true;
        }
    }
    return false;
}

bool live_target_pick(const struct redirect_plan *plan, const struct address *hosts, size_t count,
                      struct address *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (pick_port(plan, &hosts[i], ret)) {
            return true;
        }
    }
    return false;
}

uint16_t live_target_self_port(const struct redirect_plan *plan)
{
    for (uint32_t i = 0; i < PORTS_TRIED; i++) {
        uint16_t port = (uint16_t)(FIRST_SELF_PORT + i);
        if (port != plan->hbone_port && !port_set_contains(&plan->exclude_outbound_ports, port)) {
            return port;
        }
    }
    return 0;
}

static bool is_link_local(const struct address *address)
{
    return address->family == 6 && address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

static bool find_own(uint8_t family, struct address *ret)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0) {
        return false;
    }
    bool found = false;
    for (const struct ifaddrs *each = all; each != NULL && !found; each = each->ifa_next) {
        struct address address;
        if (each->ifa_addr == NULL || (each->ifa_flags & IFF_LOOPBACK) != 0 ||
            !address_from_sockaddr(each->ifa_addr, &address)) {
            continue;
        }
        address.port = 0;
        if (address.family == family && !address_is_loopback(&address) &&
            !is_link_local(&address)) {
            *ret = address;
            found = true;
        }
    }
    freeifaddrs(all);
    return found;
}

/* Connecting a UDP socket looks the route up and sends nothing. */
static bool has_route(const struct address *host)
{
    struct address to = *host;
    to.port = DISCARD_PORT;
    struct sockaddr_storage storage;
    socklen_t length = address_to_sockaddr(&to, false, &storage);
    int fd = socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    bool routed = connect(fd, (struct sockaddr *)&storage, length) == 0;
    close(fd);
    return routed;
}

struct host_list {
    struct address hosts[HOSTS_TRIED];
    size_t count;
    bool some_unroutable;
};

static void add_host(struct host_list *list, const struct address *host)
{
    if (list->count == HOSTS_TRIED) {
        return;
    }
    if (has_route(host)) {
        list->hosts[list->count++] = *host;
    } else {
        list->some_unroutable = true;
    }
}

static void add_documentation(struct host_list *list, uint8_t family)
{
    size_t count = family == 4 ? sizeof(documentation4) / sizeof(documentation4[0])
                               : sizeof(documentation6) / sizeof(documentation6[0]);
    for (size_t i = 0; i < count; i++) {
        struct address host;
        if (address_parse_ip(span_of(family == 4 ? documentation4[i] : documentation6[i]), &host)) {
            add_host(list, &host);
        }
    }
}

/* Without a default route: the neighbour whose address differs in the last bit. */
static void add_neighbour(struct host_list *list, const struct address *own)
{
    struct address neighbour = *own;
    neighbour.bytes[own->family == 4 ? 3 : 15] ^= 1;
    add_host(list, &neighbour);
}

static void add_included(struct host_list *list, const struct redirect_plan *plan, uint8_t family)
{
    for (size_t i = 0; i < plan->include_outbound_cidrs.count; i++) {
        const struct cidr *block = &plan->include_outbound_cidrs.blocks[i];
        if (block->base.family == family) {
            struct address host = block->base;
            unsigned last = family == 4 ? 3 : 15;
            unsigned whole = family == 4 ? 32 : 128;
            host.bytes[last] = (uint8_t)(host.bytes[last] | (block->bits < whole ? 1 : 0));
            add_host(list, &host);
        }
    }
}

void live_target_find(const struct redirect_plan *plan, uint8_t family, struct live_target *ret)
{
    struct host_list list = {.count = 0};
    *ret = (struct live_target){0};
    ret->has_own = find_own(family, &ret->own);
    add_documentation(&list, family);
    ret->is_nobody = live_target_pick(plan, list.hosts, list.count, &ret->remote);
    ret->has_remote = ret->is_nobody;
    if (ret->has_remote) {
        return;
    }
    list.count = 0;
    if (ret->has_own) {
        add_neighbour(&list, &ret->own);
    }
    add_included(&list, plan, family);
    ret->has_remote = live_target_pick(plan, list.hosts, list.count, &ret->remote);
    if (!ret->has_remote) {
        ret->is_unroutable = list.count == 0 && list.some_unroutable;
        ret->why_not = ret->is_unroutable ? "no route leads anywhere in this family"
                                          : "the lists leave nothing to redirect in this family";
    }
}
