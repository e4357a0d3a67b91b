#include "bench/load/cpu_watch.h"
#include "bench/load/crowd.h"
#include "bench/load/load_plan.h"

#include "lib/base/clock.h"

/* Without any answer for so long the run ends, and what is open is an error. Generous: a server
 * that runs under valgrind is some fifty times slower. */
enum { STALL_SECONDS = 30 };

struct closed_loop {
    const struct load_plan *plan;
    struct load_report *report;
    struct crowd crowd;
    uint64_t total; /* warm-up and measured */
    uint64_t answered;
    int64_t from_ns;
    int64_t cpu_from_ns;
};

static void begin_measuring(struct closed_loop *loop)
{
    loop->from_ns = clock_now_ns();
    loop->cpu_from_ns = cpu_watch_ns(loop->plan->pids, loop->plan->pid_count);
}

static void on_answered(void *owner, int64_t due_ns, bool good)
{
    struct closed_loop *loop = owner;
    loop->answered++;
    if (!good) {
        loop->report->errors++;
    }
    if (loop->answered == loop->plan->warmup) {
        begin_measuring(loop);
    } else if (good && loop->answered > loop->plan->warmup) {
        loop->report->measured++;
    }
}

static void run(struct closed_loop *loop)
{
    int64_t last_ns = clock_now_ns();
    uint64_t seen = 0;
    if (loop->plan->warmup == 0) {
        begin_measuring(loop);
    }
    while (loop->answered < loop->total && !loop->crowd.gave_up) {
        while (loop->crowd.sent < loop->total && loop->crowd.idle_count > 0) {
            crowd_send(&loop->crowd, 0);
        }
        crowd_wait(&loop->crowd, NS_PER_S);
        int64_t now_ns = clock_now_ns();
        if (loop->answered != seen) {
            seen = loop->answered;
            last_ns = now_ns;
        } else if (now_ns - last_ns > STALL_SECONDS * NS_PER_S) {
            break;
        }
    }
    if (loop->from_ns > 0) {
        loop->report->measured_ns = clock_now_ns() - loop->from_ns;
        loop->report->cpu_ns =
            cpu_watch_ns(loop->plan->pids, loop->plan->pid_count) - loop->cpu_from_ns;
    }
    loop->report->errors += loop->total - loop->answered;
}

bool closed_loop_run(const struct load_plan *plan, struct load_report *ret_report)
{
    struct closed_loop loop = {
        .plan = plan, .report = ret_report, .total = plan->warmup + plan->requests};
    *ret_report = (struct load_report){0};
    bool opened = crowd_open(&loop.crowd, plan, on_answered, &loop);
    if (opened) {
        run(&loop);
        ret_report->sent = loop.crowd.sent;
        ret_report->reconnects = loop.crowd.reconnects;
        ret_report->gave_up = loop.crowd.gave_up;
    }
    crowd_done(&loop.crowd);
    return opened;
}
