#include "bench/load/schedule.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"

#include <math.h>

void schedule_init(struct schedule *schedule, double rate, int64_t duration_ns, uint64_t seed,
                   size_t limit)
{
    size_t capacity = 0;
    double at_s = 0;
    double end_s = (double)duration_ns / (double)NS_PER_S;
    *schedule = (struct schedule){0};
    random_seed(seed);
    while (schedule->count < limit) {
        at_s += -log1p(-random_unit()) / rate;
        if (at_s >= end_s) {
            break;
        }
        mem_grow(&schedule->due_ns, &capacity, schedule->count + 1, sizeof(int64_t));
        schedule->due_ns[schedule->count++] = (int64_t)(at_s * (double)NS_PER_S);
    }
}

void schedule_done(struct schedule *schedule)
{
    mem_free(schedule->due_ns);
    *schedule = (struct schedule){0};
}
