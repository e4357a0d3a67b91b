#ifndef REMORA_PROXY_CONFIG_PHONE_BOOK_H
#define REMORA_PROXY_CONFIG_PHONE_BOOK_H

#include "lib/base/refcount.h"
#include "lib/xds/xds_phone.h"

/*
 * Addresses and host names to service ports, for the whole mesh. Built for size: 10,000 services of
 * two ports take about 2 MB. Immutable and counted.
 */
struct phone_book;

/*
 * One answer: a service port, an external host's port, or one workload. Valid as long as the book
 * and the arena that the question gave: names are composed in it, because the book does not keep
 * them.
 */
struct phone_number {
    struct span entry;    /* "shop/api" */
    struct span host;     /* "api.shop.svc.cluster.local" */
    struct span listener; /* "HOST:PORT", the name to ask for; empty for a workload */
    uint16_t port;
    uint8_t kind;                        /* enum xds_phone_kind */
    uint8_t protocol;                    /* enum xds_protocol */
    const struct xds_endpoint *workload; /* XDS_PHONE_WORKLOAD only */
};

/*
 * Entries are copied. An address or host that several claim goes to the first by name, workloads
 * last, whatever the order of the list; *ret_conflicts counts the claims that lost.
 */
struct phone_book *phone_book_create(const struct xds_phone_entry *const *entries, size_t count,
                                     size_t *ret_conflicts);
struct phone_book *phone_book_ref(struct phone_book *book);
void phone_book_unref(struct phone_book *book);
size_t phone_book_size(const struct phone_book *book);

/* By the original destination. False: not of the mesh. */
bool phone_book_find(const struct phone_book *book, const struct address *to, struct arena *arena,
                     struct phone_number *ret_number);
/* The address is known, whatever the port. */
bool phone_book_has_ip(const struct phone_book *book, const struct address *to);
/* EXTERNAL entries by host (exact, then the longest "*.suffix"), any case, and port. */
bool phone_book_find_host(const struct phone_book *book, struct span host, uint16_t port,
                          struct arena *arena, struct phone_number *ret_number);
/* By name for explicit mode and explain: "api.shop", "api.shop.svc.cluster.local", "shop/api". */
bool phone_book_find_service(const struct phone_book *book, struct span name, uint16_t port,
                             struct arena *arena, struct phone_number *ret_number);
/* Walks every port that has a local_port (explicit mode). Start with *at = 0. */
bool phone_book_next_local(const struct phone_book *book, size_t *at, struct arena *arena,
                           struct phone_number *ret_number, uint16_t *ret_local_port);

#endif
