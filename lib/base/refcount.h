#ifndef REMORA_BASE_REFCOUNT_H
#define REMORA_BASE_REFCOUNT_H

#include "lib/base/check.h"

#include <stdatomic.h>
#include <stdbool.h>

/*
 * A reference count that threads share. For things published between threads (snapshots, bundles);
 * not for the request path, where counts are plain.
 */
struct refcount {
    atomic_uint count;
};

static inline void refcount_init(struct refcount *refcount)
{
    atomic_init(&refcount->count, 1);
}

static inline void refcount_up(struct refcount *refcount)
{
    unsigned before = atomic_fetch_add_explicit(&refcount->count, 1, memory_order_relaxed);
    CHECK(before > 0);
}

/* True when this was the last reference: the caller destroys the thing. */
static inline bool refcount_down(struct refcount *refcount)
{
    unsigned before = atomic_fetch_sub_explicit(&refcount->count, 1, memory_order_acq_rel);
    CHECK(before > 0);
    return before == 1;
}

#endif
