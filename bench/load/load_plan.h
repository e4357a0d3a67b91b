#ifndef REMORA_BENCH_LOAD_PLAN_H
#define REMORA_BENCH_LOAD_PLAN_H

#include "bench/load/samples.h"
#include "lib/base/span.h"

#include <netinet/in.h>

/* At most so many; a schedule of that length takes 400 MB. */
enum { LOAD_CONNECTIONS = 10000, LOAD_REQUESTS = 50000000, LOAD_PIDS = 16 };

/* What one run does. Filled by the options; owned by main. */
struct load_plan {
    struct sockaddr_in target;
    const char *host; /* Host field */
    const char *path;
    uint32_t connections;
    uint64_t body_bytes; /* what an answer must have */
    bool vary_ids;       /* another x-request-id and traceparent in each request */

    /* Open loop: rate > 0. */
    double rate; /* requests a second */
    int64_t duration_ns;
    int64_t discard_ns; /* what is due in the beginning is not measured */
    uint64_t seed;

    /* Closed loop: requests > 0. */
    uint64_t requests;
    uint64_t warmup; /* requests before the measured ones */

    /* Whose CPU time is read at both ends of the measured part. */
    int pids[LOAD_PIDS];
    size_t pid_count;
};

/* What came of it. latencies is initialised by the loop and belongs to the caller. */
struct load_report {
    struct samples latencies; /* open loop only: completion minus scheduled time */
    uint64_t measured;        /* answers in the measured part */
    uint64_t sent;            /* all requests */
    uint64_t errors;          /* all, measured part or not */
    uint64_t reconnects;
    uint64_t longest_queue; /* requests due while every connection was busy */
    int64_t measured_ns;    /* length of the measured part */
    int64_t cpu_ns;         /* of the pids over it */
    bool gave_up;           /* connections could not be opened */
};

/*
 * Both block until all is answered or over; false when the connections could not be opened in the
 * first place. Latency is measured from the moment when a request was due, so that a stall is
 * charged to every request that it delayed (no coordinated omission).
 */
bool open_loop_run(const struct load_plan *plan, struct load_report *ret_report);
/* connections requests in flight until `warmup + requests` were answered. */
bool closed_loop_run(const struct load_plan *plan, struct load_report *ret_report);

#endif
