#include "proxy/redirect/port_set.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"

#include <string.h>

void port_set_init(struct port_set *set)
{
    *set = (struct port_set){0};
}

void port_set_done(struct port_set *set)
{
    mem_free(set->ranges);
    port_set_init(set);
}

/* Ranges that touch are one: 80-81 and 82 give 80-82. */
static bool reaches(struct port_range left, struct port_range right)
{
    return right.first <= (uint32_t)left.last + 1;
}

void port_set_add(struct port_set *set, uint16_t first, uint16_t last)
{
    CHECK(first > 0 && first <= last);
    struct port_range added = {first, last};
    size_t from = 0;
    while (from < set->count && !reaches(set->ranges[from], added)) {
        from++;
    }
    size_t to = from;
    while (to < set->count && reaches(added, set->ranges[to])) {
        if (set->ranges[to].first < added.first) {
            added.first = set->ranges[to].first;
        }
        if (set->ranges[to].last > added.last) {
            added.last = set->ranges[to].last;
        }
        to++;
    }
    mem_grow(&set->ranges, &set->capacity, set->count + 1, sizeof(*set->ranges));
    memmove(&set->ranges[from + 1], &set->ranges[to], (set->count - to) * sizeof(*set->ranges));
    set->ranges[from] = added;
    set->count = set->count + 1 - (to - from);
}

static bool port_parse(struct span text, uint16_t *ret)
{
    uint64_t number;
    if (!span_to_u64(text, 65535, &number) || number == 0) {
        return false;
    }
    *ret = (uint16_t)number;
    return true;
}

static bool range_parse(struct span piece, struct port_range *ret, struct text *ret_problem)
{
    size_t dash = span_find_byte(piece, '-');
    struct port_range range;
    if (!port_parse(span_cut(piece, 0, dash), &range.first)) {
        text_printf(ret_problem, "'%.*s' is not a port (1-65535) or a range of ports",
                    SPAN_ARG(piece));
        return false;
    }
    range.last = range.first;
    if (dash < piece.length && (!port_parse(span_cut(piece, dash + 1, piece.length), &range.last) ||
                                range.last < range.first)) {
        text_printf(ret_problem, "'%.*s' is not a range of ports (1-65535, low-high)",
                    SPAN_ARG(piece));
        return false;
    }
    *ret = range;
    return true;
}

bool port_set_parse(struct port_set *set, struct span list, struct text *ret_problem)
{
    struct port_range parsed[PORT_SET_RANGES];
    size_t count = 0;
    if (list.length == 0) {
        text_add_text(ret_problem, "an empty list of ports");
        return false;
    }
    struct span rest = list;
    struct span piece;
    while (span_next(&rest, ',', &piece)) {
        if (count == PORT_SET_RANGES) {
            text_printf(ret_problem, "more than %d ports or ranges", PORT_SET_RANGES);
            return false;
        }
        if (!range_parse(span_trim(piece), &parsed[count], ret_problem)) {
            return false;
        }
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        port_set_add(set, parsed[i].first, parsed[i].last);
    }
    return true;
}

bool port_set_contains(const struct port_set *set, uint16_t port)
{
    for (size_t i = 0; i < set->count; i++) {
        if (port >= set->ranges[i].first && port <= set->ranges[i].last) {
            return true;
        }
    }
    return false;
}

void port_set_write(const struct port_set *set, struct text *into)
{
    for (size_t i = 0; i < set->count; i++) {
        struct port_range range = set->ranges[i];
        text_printf(into, "%s%u", i > 0 ? ", " : "", range.first);
        if (range.last > range.first) {
            text_printf(into, "-%u", range.last);
        }
    }
}
