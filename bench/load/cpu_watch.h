#ifndef REMORA_BENCH_CPU_WATCH_H
#define REMORA_BENCH_CPU_WATCH_H

#include <stddef.h>
#include <stdint.h>

/*
 * CPU time that the processes have used so far: field 1 of /proc/PID/task/TID/schedstat, in ns,
 * summed over their threads. A process that is gone counts 0.
 */
int64_t cpu_watch_ns(const int *pids, size_t count);

#endif
