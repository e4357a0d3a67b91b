#ifndef REMORA_CONTROL_SERVE_LIVE_CALLS_H
#define REMORA_CONTROL_SERVE_LIVE_CALLS_H

#include <stddef.h>

/* The calls of all methods of a server: what they point into lives until the last has gone. */
struct live_calls {
    size_t count;
    void (*on_none)(struct live_calls *calls);
};

static inline void live_calls_enter(struct live_calls *calls)
{
    calls->count++;
}

static inline void live_calls_leave(struct live_calls *calls)
{
    if (--calls->count == 0) {
        calls->on_none(calls);
    }
}

#endif
