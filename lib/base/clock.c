#include "lib/base/clock.h"

#include "lib/base/check.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

static atomic_bool faked;
static _Atomic int64_t fake_monotonic_ns;
static _Atomic int64_t fake_wall_ns;

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    CHECK(clock_gettime(id, &now) == 0);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t clock_now_ns(void)
{
    if (__builtin_expect(atomic_load_explicit(&faked, memory_order_relaxed), 0)) {
        return atomic_load(&fake_monotonic_ns);
    }
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
    if (__builtin_expect(atomic_load_explicit(&faked, memory_order_relaxed), 0)) {
        return atomic_load(&fake_wall_ns);
    }
    return read_clock(CLOCK_REALTIME);
}

void clock_fake(int64_t monotonic_ns, int64_t wall_ns)
{
    atomic_store(&fake_monotonic_ns, monotonic_ns);
    atomic_store(&fake_wall_ns, wall_ns);
    atomic_store(&faked, true);
}

void clock_fake_advance(int64_t ns)
{
    CHECK(atomic_load(&faked));
    atomic_fetch_add(&fake_monotonic_ns, ns);
    atomic_fetch_add(&fake_wall_ns, ns);
}

void clock_real(void)
{
    atomic_store(&faked, false);
}

void clock_format_wall(int64_t wall_ns, char *into)
{
    int64_t second = wall_ns / NS_PER_S;
    int64_t rest = wall_ns % NS_PER_S;
    if (rest < 0) {
        rest += NS_PER_S;
        second--;
    }
    time_t at = (time_t)second;
    struct tm parts;
    CHECK(gmtime_r(&at, &parts) != NULL);
    snprintf(into, CLOCK_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
             parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
             (int)(rest / NS_PER_MS));
}
