#ifndef REMORA_PROXY_REDIRECT_READ_BACK_H
#define REMORA_PROXY_REDIRECT_READ_BACK_H

#include "lib/base/text.h"

/*
 * What is installed, read back from libnftables' JSON. Pure.
 *
 * What the rules should be is not spelled out in JSON here, which differs between versions of
 * nftables: the plan is loaded a second time into a table that nothing leads to (RULES_TWIN), and
 * the listings of both tables are compared.
 */
struct read_back;

/* NULL, and *ret_problem saying why, when the text is not such a listing. */
struct read_back *read_back_parse(struct span json, struct text *ret_problem);
void read_back_destroy(struct read_back *listing);

enum { READ_BACK_NAME_BYTES = 64 };

/* The first difference: where, and in words. */
struct read_back_difference {
    char name[READ_BACK_NAME_BYTES]; /* of the rule, set or chain */
    struct text words;               /* the caller's to text_done */
};
/*
 * True when both listings of a table hold the same sets and rules in the same order, counters
 * aside, and the installed one's chains are hooked as rules.h says.
 */
bool read_back_same(const struct read_back *installed, const struct read_back *twin,
                    struct read_back_difference *ret_difference);

/* Packets counted by all rules whose name begins with this. */
uint64_t read_back_packets(const struct read_back *listing, const char *name_prefix);

/*
 * One line for each nat chain of another table that decides before ours or at the same priority:
 * what it translates we never see. Returns how many.
 */
size_t read_back_strangers(const struct read_back *chains, struct text *ret_lines);

#endif
