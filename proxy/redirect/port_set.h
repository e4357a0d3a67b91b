#ifndef REMORA_PROXY_REDIRECT_PORT_SET_H
#define REMORA_PROXY_REDIRECT_PORT_SET_H

#include "lib/base/text.h"

/*
 * A set of TCP ports, kept as sorted ranges that neither overlap nor touch: nft refuses an interval
 * set whose elements overlap. All zero bytes = empty.
 */
struct port_range {
    uint16_t first;
    uint16_t last; /* inclusive */
};

enum { PORT_SET_RANGES = 1024 };

struct port_set {
    struct port_range *ranges;
    size_t count;
    size_t capacity;
};

void port_set_init(struct port_set *set);
void port_set_done(struct port_set *set);
/* first..last, both 1-65535 and in order. */
void port_set_add(struct port_set *set, uint16_t first, uint16_t last);
/*
 * Adds "80", "8000-8100", "80,443,8000-8100"; blanks around a piece are allowed. At most
 * PORT_SET_RANGES pieces. False, the set untouched and *ret_problem saying why, otherwise.
 */
bool port_set_parse(struct port_set *set, struct span list, struct text *ret_problem);
bool port_set_contains(const struct port_set *set, uint16_t port);
/* "80, 443, 8000-8100". */
void port_set_write(const struct port_set *set, struct text *into);

#endif
