#include "proxy/policy/retry_budget.h"

#include "lib/base/clock.h"

/* Slots are numbered without end; a number's place in the ring is its remainder. */
static int64_t slot_number(const struct retry_budget_policy *policy, int64_t now_ns)
{
    int64_t window_ms = policy->window_ms > 0 ? policy->window_ms : 1;
    return now_ns / (window_ms * NS_PER_MS / RETRY_BUDGET_SLOTS);
}

/* Stamps are kept one higher, so that zeroed memory is a budget without any past. */
static uint32_t current(struct retry_budget *budget, int64_t number)
{
    uint32_t at = (uint32_t)(number % RETRY_BUDGET_SLOTS);
    if (budget->stamps[at] != number + 1) {
        budget->stamps[at] = number + 1;
        budget->originals[at] = 0;
        budget->extras[at] = 0;
    }
    return at;
}

/* How many extra attempts the window holds and how many it may hold. */
static void sums(const struct retry_budget *budget, const struct retry_budget_policy *policy,
                 int64_t number, uint64_t *ret_extras, uint64_t *ret_allowed)
{
    uint64_t originals = 0;
    uint64_t extras = 0;
    for (uint32_t i = 0; i < RETRY_BUDGET_SLOTS; i++) {
        int64_t stamp = budget->stamps[i] - 1;
        if (stamp >= 0 && stamp <= number && stamp > number - RETRY_BUDGET_SLOTS) {
            originals += budget->originals[i];
            extras += budget->extras[i];
        }
    }
    uint64_t window_ms = policy->window_ms > 0 ? (uint64_t)policy->window_ms : 0;
    *ret_extras = extras;
    *ret_allowed = (policy->percent * originals + policy->min_per_s * window_ms / 10) / 100;
}

void retry_budget_original(struct retry_budget *budget, const struct retry_budget_policy *policy,
                           int64_t now_ns)
{
    uint32_t at = current(budget, slot_number(policy, now_ns));
    if (budget->originals[at] < UINT32_MAX) {
        budget->originals[at]++;
    }
}

bool retry_budget_take(struct retry_budget *budget, const struct retry_budget_policy *policy,
                       int64_t now_ns)
{
    int64_t number = slot_number(policy, now_ns);
    uint64_t extras;
    uint64_t allowed;
    sums(budget, policy, number, &extras, &allowed);
    if (extras >= allowed) {
        return false;
    }
    budget->extras[current(budget, number)]++;
    return true;
}

uint32_t retry_budget_left(const struct retry_budget *budget,
                           const struct retry_budget_policy *policy, int64_t now_ns)
{
    uint64_t extras;
    uint64_t allowed;
    sums(budget, policy, slot_number(policy, now_ns), &extras, &allowed);
    uint64_t left = allowed > extras ? allowed - extras : 0;
    return left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
}
