#include "proxy/redirect/source_address.h"

#include "proxy/redirect/rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WHOLE_ADDRESS = 128, REPLY_BYTES = 4096, REPLY_TIMEOUT_S = 2 };

struct request {
    struct nlmsghdr head;
    struct ifaddrmsg address;
    struct rtattr local;
    struct in6_addr local_bytes;
};

static struct request make_request(uint16_t type, uint16_t flags)
{
    struct request request = {
        .head = {.nlmsg_len = sizeof(request),
                 .nlmsg_type = type,
                 .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags),
                 .nlmsg_seq = 1},
        .address = {.ifa_family = AF_INET6,
                    .ifa_prefixlen = WHOLE_ADDRESS,
                    .ifa_index = if_nametoindex("lo")},
        .local = {.rta_len = RTA_LENGTH(sizeof(struct in6_addr)), .rta_type = IFA_LOCAL},
    };
    inet_pton(AF_INET6, RULES_SOURCE6, &request.local_bytes);
    return request;
}

/* The kernel's answer: 0, or an errno. */
static int exchange(int fd, const struct request *request)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (sendto(fd, request, sizeof(*request), 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0) {
        return errno;
    }
    union {
        struct nlmsghdr head;
        char bytes[REPLY_BYTES];
    } reply;
    ssize_t got = recv(fd, &reply, sizeof(reply), 0);
    if (got < 0) {
        return errno;
    }
    if ((size_t)got < NLMSG_LENGTH(sizeof(struct nlmsgerr)) ||
        reply.head.nlmsg_type != NLMSG_ERROR) {
        return EPROTO;
    }
    const struct nlmsgerr *error = NLMSG_DATA(&reply.head);
    return -error->error;
}

static int ask_kernel(uint16_t type, uint16_t flags)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) {
        return errno;
    }
    struct timeval patience = {.tv_sec = REPLY_TIMEOUT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    struct request request = make_request(type, flags);
    int error = exchange(fd, &request);
    close(fd);
    return error;
}

/* EACCES is the kernel's word for "disable_ipv6 is set"; a want of rights is EPERM. */
static bool is_without_ipv6(int error)
{
    return error == EACCES || error == EAFNOSUPPORT || error == EOPNOTSUPP;
}

bool source_address_add(bool *ret_added, struct text *ret_problem)
{
    int error = ask_kernel(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    if (error != 0 && error != EEXIST && !is_without_ipv6(error)) {
        text_printf(ret_problem, "cannot add %s to the loopback interface: %s", RULES_SOURCE6,
                    strerror(error));
        return false;
    }
    *ret_added = error == 0;
    return true;
}

bool source_address_remove(struct text *ret_problem)
{
    int error = ask_kernel(RTM_DELADDR, 0);
    if (error != 0 && error != EADDRNOTAVAIL && !is_without_ipv6(error)) {
        text_printf(ret_problem, "cannot remove %s from the loopback interface: %s", RULES_SOURCE6,
                    strerror(error));
        return false;
    }
    return true;
}
