#ifndef REMORA_TESTS_UNIT_CPU_TIME_H
#define REMORA_TESTS_UNIT_CPU_TIME_H

#include "lib/base/clock.h"

#include <time.h>

/* What this process has computed so far: unlike the time of day it does not grow while others run,
 * so bounds on it hold on a busy machine. */
static inline int64_t cpu_time_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

#endif
