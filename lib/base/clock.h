#ifndef REMORA_BASE_CLOCK_H
#define REMORA_BASE_CLOCK_H

#include <stdint.h>

/*
 * Time. Deadlines and durations use the monotonic clock in nanoseconds (clock_now_ns); certificates
 * and logs use the wall clock. On the request path take the loop's cached time (loop_now_ns)
 * instead. Tests replace both with clock_fake; the fake is per process.
 */
#define NS_PER_MS 1000000LL
#define NS_PER_S 1000000000LL

int64_t clock_now_ns(void);
/* Wall clock since 1970 in nanoseconds. */
int64_t clock_wall_ns(void);

/* From now on both clocks stand still at these values until set again. */
void clock_fake(int64_t monotonic_ns, int64_t wall_ns);
void clock_fake_advance(int64_t ns);
void clock_real(void);

/* RFC 3339 in UTC with milliseconds: "2026-01-02T03:04:05.678Z". into needs 32 bytes. */
enum { CLOCK_TEXT_BYTES = 32 };
void clock_format_wall(int64_t wall_ns, char *into);

#endif
