#ifndef REMORA_PROXY_REDIRECT_CIDR_SET_H
#define REMORA_PROXY_REDIRECT_CIDR_SET_H

#include "lib/base/text.h"
#include "lib/net/address.h"

/*
 * A set of address blocks of both families, none of which contains another: two blocks either nest
 * or are apart, so leaving out the inner one is all the merging that nft needs. All zero bytes =
 * empty.
 */
enum { CIDR_SET_BLOCKS = 1024 };

struct cidr_set {
    struct cidr *blocks; /* in the order they were added */
    size_t count;
    size_t capacity;
};

void cidr_set_init(struct cidr_set *set);
void cidr_set_done(struct cidr_set *set);
void cidr_set_add(struct cidr_set *set, const struct cidr *block);
/*
 * Adds "10.0.0.0/8", "fd00::/8, 10.1.2.3". Blocks with host bits are refused: they are more often a
 * slip than a wish. False, the set untouched and *ret_problem saying why, otherwise.
 */
bool cidr_set_parse(struct cidr_set *set, struct span list, struct text *ret_problem);
bool cidr_set_contains(const struct cidr_set *set, const struct address *address);
/* family: 4 or 6. */
bool cidr_set_has_family(const struct cidr_set *set, uint8_t family);
/* The blocks of one family: "10.0.0.0/8, 10.1.2.3/32". */
void cidr_set_write(const struct cidr_set *set, uint8_t family, struct text *into);

#endif
