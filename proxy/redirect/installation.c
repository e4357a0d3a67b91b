#include "proxy/redirect/installation.h"

#include "proxy/redirect/netfilter.h"
#include "proxy/redirect/rules.h"
#include "proxy/redirect/source_address.h"

/*
 * The address comes first: a rule that exempts it does nothing without it, but rules without the
 * address would lead the inbound side's IPv6 connections back to itself.
 */
bool installation_apply(const struct redirect_plan *plan, struct text *ret_problem)
{
    bool added;
    if (!source_address_add(&added, ret_problem)) {
        return false;
    }
    struct text script = {0};
    rules_write(plan, &script);
    bool done = netfilter_apply(script.bytes, ret_problem);
    text_done(&script);
    if (!done && added) {
        struct text second = {0};
        if (!source_address_remove(&second)) {
            text_printf(ret_problem, "; and %s", second.bytes);
        }
        text_done(&second);
    }
    return done;
}

bool installation_try(const struct redirect_plan *plan, struct text *ret_problem)
{
    struct text script = {0};
    rules_write(plan, &script);
    bool accepted = netfilter_try(script.bytes, ret_problem);
    text_done(&script);
    return accepted;
}

bool installation_remove(struct text *ret_problem)
{
    struct text script = {0};
    rules_write_removal(RULES_TABLE, &script);
    /* A check that was killed may have left its table. */
    rules_write_removal(RULES_TWIN, &script);
    bool done = netfilter_apply(script.bytes, ret_problem);
    text_done(&script);
    return source_address_remove(ret_problem) && done;
}
