#ifndef REMORA_BENCH_CROWD_H
#define REMORA_BENCH_CROWD_H

#include "bench/load/load_plan.h"
#include "bench/load/reply.h"
#include "bench/load/request_text.h"

/*
 * The connections of one run, each with at most one request in flight, on one epoll. Those that are
 * idle wait in a ring, so that work goes round over all of them. One thread.
 */
enum caller_state { CALLER_CONNECTING, CALLER_IDLE, CALLER_WAITING };

struct caller {
    int fd;
    enum caller_state state;
    int64_t due_ns; /* of the request in flight */
    struct reply reply;
};

/* Called from crowd_wait, once for each request; good = it was answered as it should. */
typedef void crowd_answered(void *owner, int64_t due_ns, bool good);

struct crowd {
    const struct load_plan *plan;
    struct request_text request;
    struct caller *callers;
    struct caller **idle; /* ring of plan->connections */
    size_t idle_head;
    size_t idle_count;
    size_t connecting;
    int epoll_fd;
    uint64_t sent;
    uint64_t reconnects;
    bool gave_up; /* it makes no sense to go on: nobody takes our connections */
    crowd_answered *answered;
    void *owner;
};

/* Opens every connection; false when that is not done in 5 s. crowd_done in both cases. */
bool crowd_open(struct crowd *crowd, const struct load_plan *plan, crowd_answered *answered,
                void *owner);
void crowd_done(struct crowd *crowd);
/*
 * Sends on the connection that is idle longest; one must be (idle_count). A send that fails is
 * answered at once, as bad.
 */
void crowd_send(struct crowd *crowd, int64_t due_ns);
/* Sleeps until something arrives or the timeout ends, and deals with all that arrived. */
void crowd_wait(struct crowd *crowd, int64_t timeout_ns);

#endif
