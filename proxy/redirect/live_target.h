#ifndef REMORA_PROXY_REDIRECT_LIVE_TARGET_H
#define REMORA_PROXY_REDIRECT_LIVE_TARGET_H

#include "proxy/redirect/redirect_plan.h"

/* What a live check dials in one family. */
struct live_target {
    bool has_own;
    struct address
        own; /* the namespace's first address that is not loopback or link-local; port 0 */
    bool has_remote;
    struct address remote; /* an application's connection to it is to be redirected */
    bool is_nobody;        /* remote is in a documentation network: nobody answers there */
    const char *why_not;   /* static; why there is no remote */
    bool is_unroutable;    /* there is none because no route leads anywhere in this family */
};

/* Looks at addresses and routes; dials nobody. */
void live_target_find(const struct redirect_plan *plan, uint8_t family, struct live_target *ret);

/*
 * The first of the hosts, with a port, that the plan takes over for an application. False when it
 * takes over none of them. Pure.
 */
bool live_target_pick(const struct redirect_plan *plan, const struct address *hosts, size_t count,
                      struct address *ret);
/* A port for calls to the own address that no exclusion covers; 0 = all are excluded. Pure. */
uint16_t live_target_self_port(const struct redirect_plan *plan);

#endif
