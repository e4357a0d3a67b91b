#include "lib/net/address.h"

#include "lib/base/check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const unsigned char mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static void set_ip4(struct address *address, const void *bytes)
{
    address->family = 4;
    memcpy(address->bytes, bytes, 4);
}

static void set_ip6(struct address *address, const unsigned char *bytes)
{
    if (memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        set_ip4(address, bytes + sizeof(mapped_prefix));
        return;
    }
    address->family = 6;
    memcpy(address->bytes, bytes, 16);
}

bool address_from_sockaddr(const struct sockaddr *from, struct address *ret)
{
    struct address address = {0};
    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof(in));
        set_ip4(&address, &in.sin_addr);
        address.port = ntohs(in.sin_port);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, from, sizeof(in6));
        set_ip6(&address, in6.sin6_addr.s6_addr);
        address.port = ntohs(in6.sin6_port);
    } else {
        return false;
    }
    *ret = address;
    return true;
}

socklen_t address_to_sockaddr(const struct address *address, bool to_v6,
                              struct sockaddr_storage *ret)
{
    CHECK(address->family == 4 || address->family == 6);
    memset(ret, 0, sizeof(*ret));
    if (address->family == 4 && !to_v6) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(address->port)};
        memcpy(&in.sin_addr, address->bytes, 4);
        memcpy(ret, &in, sizeof(in));
        return sizeof(in);
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    if (address->family == 4) {
        memcpy(in6.sin6_addr.s6_addr, mapped_prefix, sizeof(mapped_prefix));
        memcpy(in6.sin6_addr.s6_addr + sizeof(mapped_prefix), address->bytes, 4);
    } else {
        memcpy(in6.sin6_addr.s6_addr, address->bytes, 16);
    }
    memcpy(ret, &in6, sizeof(in6));
    return sizeof(in6);
}

bool address_parse_ip(struct span text, struct address *ret)
{
    char buffer[INET6_ADDRSTRLEN];
    if (text.length == 0 || text.length >= sizeof(buffer) ||
        memchr(text.at, '\0', text.length) != NULL) {
        return false;
    }
    memcpy(buffer, text.at, text.length);
    buffer[text.length] = '\0';
    /* inet_pton knows no scope id, so "fe80::1%eth0" is refused. */
    unsigned char bytes[16];
    struct address address = {0};
    if (inet_pton(AF_INET, buffer, bytes) == 1) {
        set_ip4(&address, bytes);
    } else if (inet_pton(AF_INET6, buffer, bytes) == 1) {
        set_ip6(&address, bytes);
    } else {
        return false;
    }
    *ret = address;
    return true;
}

/* "host:port" -> both; an IPv6 host must stand in brackets, an IPv4 host must not. */
static bool split(struct span text, struct span *ret_host, struct span *ret_port)
{
    if (text.length > 0 && text.at[0] == '[') {
        size_t end = span_find_byte(text, ']');
        if (end + 1 >= text.length || text.at[end + 1] != ':') {
            return false;
        }
        *ret_host = span_cut(text, 1, end);
        *ret_port = span_cut(text, end + 2, text.length);
        return span_find_byte(*ret_host, ':') < ret_host->length;
    }
    size_t colon = span_find_byte(text, ':');
    if (colon == text.length) {
        return false;
    }
    *ret_host = span_cut(text, 0, colon);
    *ret_port = span_cut(text, colon + 1, text.length);
    return true;
}

bool address_parse(struct span text, struct address *ret)
{
    struct span host;
    struct span port_text;
    struct address address;
    uint64_t port;
    if (!split(text, &host, &port_text) || port_text.length > 5 ||
        !span_to_u64(port_text, UINT16_MAX, &port) || !address_parse_ip(host, &address)) {
        return false;
    }
    address.port = (uint16_t)port;
    *ret = address;
    return true;
}

/* By hand, because every request tells its client's address and inet_ntop goes through printf. */
static char *format_ip4(const struct address *address, char *at)
{
    for (size_t i = 0; i < 4; i++) {
        char digits[SPAN_U64_BYTES];
        struct span number = span_from_u64(address->bytes[i], digits);
        memcpy(at, number.at, number.length);
        at[number.length] = i < 3 ? '.' : '\0';
        at += number.length + (i < 3);
    }
    return at;
}

void address_format_ip(const struct address *address, char *into)
{
    if (address->family == 4) {
        format_ip4(address, into);
        return;
    }
    if (address->family == 0 ||
        inet_ntop(AF_INET6, address->bytes, into, ADDRESS_TEXT_BYTES) == NULL) {
        memcpy(into, "-", 2);
    }
}

void address_format(const struct address *address, char *into)
{
    char ip[INET6_ADDRSTRLEN + 1];
    char digits[SPAN_U64_BYTES];
    if (address->family == 0) {
        memcpy(into, "-", 2);
        return;
    }
    if (address->family == 4) {
        struct span port = span_from_u64(address->port, digits);
        char *at = format_ip4(address, into);
        *at++ = ':';
        memcpy(at, port.at, port.length);
        at[port.length] = '\0';
        return;
    }
    CHECK(inet_ntop(AF_INET6, address->bytes, ip, sizeof(ip)) != NULL);
    snprintf(into, ADDRESS_TEXT_BYTES, "[%s]:%u", ip, (unsigned)address->port);
}

bool address_equal(const struct address *a, const struct address *b)
{
    return address_equal_ip(a, b) && a->port == b->port;
}

bool address_equal_ip(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

uint64_t address_hash(const struct address *address)
{
    return span_hash(span_make(address->bytes, sizeof(address->bytes)),
                     (uint64_t)address->port << 8 | address->family);
}

static bool is_zero(const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

bool address_is_loopback(const struct address *address)
{
    if (address->family == 4) {
        return address->bytes[0] == 127;
    }
    return address->family == 6 && is_zero(address->bytes, 15) && address->bytes[15] == 1;
}

bool address_is_wildcard(const struct address *address)
{
    return address->family != 0 && is_zero(address->bytes, sizeof(address->bytes));
}

static unsigned family_bits(const struct address *address)
{
    return address->family == 4 ? 32 : 128;
}

/* Bits of the address from `bits` on. */
static bool host_bits_zero(const struct address *address, unsigned bits)
{
    for (unsigned i = bits; i < family_bits(address); i++) {
        if (address->bytes[i / 8] & (0x80u >> (i % 8))) {
            return false;
        }
    }
    return true;
}

bool cidr_parse(struct span text, struct cidr *ret)
{
    size_t slash = span_find_byte(text, '/');
    struct span ip = span_cut(text, 0, slash);
    struct address base;
    if (!address_parse_ip(ip, &base)) {
        return false;
    }
    uint64_t bits = family_bits(&base);
    if (slash < text.length) {
        /* "::ffff:10.0.0.0/104" counts its bits in the IPv6 form. */
        uint64_t shift = base.family == 4 && span_find_byte(ip, ':') < ip.length ? 96 : 0;
        struct span digits = span_cut(text, slash + 1, text.length);
        if (digits.length > 3 || !span_to_u64(digits, bits + shift, &bits) || bits < shift) {
            return false;
        }
        bits -= shift;
    }
    if (!host_bits_zero(&base, (unsigned)bits)) {
        return false;
    }
    *ret = (struct cidr){base, (uint8_t)bits};
    return true;
}

bool cidr_contains(const struct cidr *cidr, const struct address *address)
{
    if (cidr->base.family == 0 || cidr->base.family != address->family) {
        return false;
    }
    unsigned whole = cidr->bits / 8u;
    unsigned rest = cidr->bits % 8u;
    if (memcmp(cidr->base.bytes, address->bytes, whole) != 0) {
        return false;
    }
    unsigned differ = rest > 0 ? (unsigned)(cidr->base.bytes[whole] ^ address->bytes[whole]) : 0;
    return rest == 0 || (differ >> (8 - rest)) == 0;
}

void cidr_format(const struct cidr *cidr, char *into)
{
    address_format_ip(&cidr->base, into);
    size_t length = strlen(into);
    snprintf(into + length, ADDRESS_TEXT_BYTES - length, "/%u", (unsigned)cidr->bits);
}
