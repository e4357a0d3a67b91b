#ifndef REMORA_PROXY_POLICY_RETRY_BUDGET_H
#define REMORA_PROXY_POLICY_RETRY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How many extra attempts a caller may make to one service: one more is allowed while
 * 100 * (extra + 1) <= percent * originals + 100 * minimum * window_seconds, both counted over the
 * window in ten slots. One worker's own; with several workers each has its share of the minimum.
 */
enum { RETRY_BUDGET_SLOTS = 10 };
struct retry_budget_policy {
    uint32_t percent;   /* 20 */
    uint32_t min_per_s; /* 10 */
    int64_t window_ms;  /* 10 s */
};
struct retry_budget {
    int64_t stamps[RETRY_BUDGET_SLOTS];
    uint32_t originals[RETRY_BUDGET_SLOTS];
    uint32_t extras[RETRY_BUDGET_SLOTS];
};

void retry_budget_original(struct retry_budget *budget, const struct retry_budget_policy *policy,
                           int64_t now_ns);
/* True, and counted, when one more extra attempt may be made. */
bool retry_budget_take(struct retry_budget *budget, const struct retry_budget_policy *policy,
                       int64_t now_ns);
/* How many would be allowed now. */
uint32_t retry_budget_left(const struct retry_budget *budget,
                           const struct retry_budget_policy *policy, int64_t now_ns);

#endif
