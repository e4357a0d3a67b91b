#include "lib/http/http1_counters.h"

struct http1_counters *http1_counters_write(void)
{
    static _Thread_local struct http1_counters counters;
    return &counters;
}

const struct http1_counters *http1_counters(void)
{
    return http1_counters_write();
}
