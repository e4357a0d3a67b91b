#ifndef REMORA_PROXY_REDIRECT_NETFILTER_H
#define REMORA_PROXY_REDIRECT_NETFILTER_H

#include "lib/base/text.h"

/*
 * The kernel's packet filter of the network namespace that the caller is in, through libnftables.
 * Needs CAP_NET_ADMIN. On failure *ret_problem has libnftables' words, or the kernel's.
 */

/* Runs the text as one transaction: all of it holds afterwards, or nothing of it. */
bool netfilter_apply(const char *script, struct text *ret_problem);
/* The same without doing it: parsed, evaluated, checked against what is installed. */
bool netfilter_try(const char *script, struct text *ret_problem);
/*
 * What "list" gives for "chains" or "table inet x", as libnftables' JSON, added to *ret_json. Not
 * for "ruleset": libnftables 1.0.6 prints the flags of a foreign table from memory that is not
 * text.
 */
bool netfilter_list(const char *what, struct text *ret_json, struct text *ret_problem);

#endif
