#include "proxy/redirect/cidr_set.h"

#include "lib/base/memory.h"

void cidr_set_init(struct cidr_set *set)
{
    *set = (struct cidr_set){0};
}

void cidr_set_done(struct cidr_set *set)
{
    mem_free(set->blocks);
    cidr_set_init(set);
}

static bool encloses(const struct cidr *outer, const struct cidr *inner)
{
    return outer->bits <= inner->bits && cidr_contains(outer, &inner->base);
}

void cidr_set_add(struct cidr_set *set, const struct cidr *block)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (encloses(&set->blocks[i], block)) {
            return;
        }
    }
    for (size_t i = 0; i < set->count; i++) {
        if (!encloses(block, &set->blocks[i])) {
            set->blocks[kept++] = set->blocks[i];
        }
    }
    mem_grow(&set->blocks, &set->capacity, kept + 1, sizeof(*set->blocks));
    set->blocks[kept] = *block;
    set->count = kept + 1;
}

bool cidr_set_parse(struct cidr_set *set, struct span list, struct text *ret_problem)
{
    struct cidr parsed[CIDR_SET_BLOCKS];
    size_t count = 0;
    if (list.length == 0) {
        text_add_text(ret_problem, "an empty list of address blocks");
        return false;
    }
    struct span rest = list;
    struct span piece;
    while (span_next(&rest, ',', &piece)) {
        if (count == CIDR_SET_BLOCKS) {
            text_printf(ret_problem, "more than %d address blocks", CIDR_SET_BLOCKS);
            return false;
        }
        piece = span_trim(piece);
        if (!cidr_parse(piece, &parsed[count])) {
            text_printf(ret_problem,
                        "'%.*s' is not an address block (10.0.0.0/8, fd00::/8; host "
                        "bits must be 0)",
                        SPAN_ARG(piece));
            return false;
        }
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        cidr_set_add(set, &parsed[i]);
    }
    return true;
}

bool cidr_set_contains(const struct cidr_set *set, const struct address *address)
{
    for (size_t i = 0; i < set->count; i++) {
        if (cidr_contains(&set->blocks[i], address)) {
            return true;
        }
    }
    return false;
}

bool cidr_set_has_family(const struct cidr_set *set, uint8_t family)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->blocks[i].base.family == family) {
            return true;
        }
    }
    return false;
}

void cidr_set_write(const struct cidr_set *set, uint8_t family, struct text *into)
{
    bool first = true;
    for (size_t i = 0; i < set->count; i++) {
        const struct cidr *block = &set->blocks[i];
        if (block->base.family != family) {
            continue;
        }
        char address[ADDRESS_TEXT_BYTES];
        address_format_ip(&block->base, address);
        text_printf(into, "%s%s/%u", first ? "" : ", ", address, block->bits);
        first = false;
    }
}
