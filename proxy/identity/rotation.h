#ifndef REMORA_PROXY_IDENTITY_ROTATION_H
#define REMORA_PROXY_IDENTITY_ROTATION_H

#include <stdint.h>

/*
 * When a certificate is renewed, and when a failed renewal is tried again. Pure: times in, times
 * out. A draw is uniform in [0, 1), so that a mesh that started at once does not renew at once.
 */
enum {
    ROTATION_LEAST_MS = 250, /* between an answer and the next request */
    ROTATION_RETRY_LEAST_MS = 1000,
    ROTATION_RETRY_MOST_MS = 60000,
};

/* Parts of a leaf's life, 0.5 and 0.7 unless the mesh says otherwise. */
struct rotation_window {
    double from;
    double to;
};

/*
 * Wall clock. since_ms: when its life began here: authorities date leaves back, so that not_before
 * of a leaf that has just come would put a short one past its time at once. Never before
 * since_ms + ROTATION_LEAST_MS. A window that is no part of a life (from > to, outside 0..1, NaN)
 * counts as 0.5 to 0.7.
 */
int64_t rotation_renew_at_ms(struct rotation_window window, int64_t since_ms, int64_t not_after_ms,
                             double draw);

/* failures >= 1. Between 1 s and a bound that doubles from 2 s to 60 s. */
int64_t rotation_retry_ms(unsigned failures, double draw);

#endif
