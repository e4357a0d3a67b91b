#ifndef REMORA_NET_ADDRESS_H
#define REMORA_NET_ADDRESS_H

#include "lib/base/span.h"

#include <sys/socket.h>

/*
 * An IP address with a port, in 20 bytes, comparable with address_equal. An IPv4-mapped IPv6
 * address is always turned into its IPv4 form, so that one client has one spelling. All zero = no
 * address.
 */
struct address {
    uint8_t family; /* 0 = none, 4, 6 */
    uint8_t reserved;
    uint16_t port;     /* host order */
    uint8_t bytes[16]; /* network order; IPv4 uses the first four, the rest is zero */
};

enum { ADDRESS_TEXT_BYTES = 64 };

bool address_from_sockaddr(const struct sockaddr *from, struct address *ret);
/* Returns the length of what was written. to_v6: IPv4 is written as its mapped IPv6 form. */
socklen_t address_to_sockaddr(const struct address *address, bool to_v6,
                              struct sockaddr_storage *ret);
/* "10.0.0.1:80", "[fd00::1]:80". A scope id ("%eth0") is refused. */
bool address_parse(struct span text, struct address *ret);
/* An address without a port: "10.0.0.1", "fd00::1". The port of *ret becomes 0. */
bool address_parse_ip(struct span text, struct address *ret);
/* As address_parse reads it; without the port: address_format_ip. into needs ADDRESS_TEXT_BYTES. */
void address_format(const struct address *address, char *into);
void address_format_ip(const struct address *address, char *into);
bool address_equal(const struct address *a, const struct address *b);
bool address_equal_ip(const struct address *a, const struct address *b);
uint64_t address_hash(const struct address *address);
bool address_is_loopback(const struct address *address);
bool address_is_wildcard(const struct address *address);

/* An address block: "10.0.0.0/8", "fd00::/8"; a plain address is its /32 or /128. Host bits must be
 * 0. */
struct cidr {
    struct address base; /* port 0 */
    uint8_t bits;
};
bool cidr_parse(struct span text, struct cidr *ret);
bool cidr_contains(const struct cidr *cidr, const struct address *address);
void cidr_format(const struct cidr *cidr, char *into);

#endif
