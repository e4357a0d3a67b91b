#include "bench/load/cpu_watch.h"
#include "bench/load/crowd.h"
#include "bench/load/load_plan.h"
#include "bench/load/schedule.h"

#include "lib/base/clock.h"

/* What is still open so long after the last request was due is an error. */
enum { LINGER_SECONDS = 5 };

struct open_loop {
    const struct load_plan *plan;
    struct load_report *report;
    struct crowd crowd;
    struct schedule schedule;
    int64_t start_ns;
    size_t due;      /* of the schedule: how many requests are due by now */
    size_t sent;     /* how many of them have found a connection */
    size_t answered; /* well or badly */
    bool measuring;
    int64_t measure_from_ns;
    int64_t cpu_from_ns;
};

static void on_answered(void *owner, int64_t due_ns, bool good)
{
    struct open_loop *loop = owner;
    loop->answered++;
    if (!good) {
        loop->report->errors++;
    } else if (due_ns >= loop->plan->discard_ns) {
        samples_add(&loop->report->latencies, clock_now_ns() - loop->start_ns - due_ns);
    }
    if (good && loop->measuring) {
        loop->report->measured++;
    }
}

static void begin_measuring(struct open_loop *loop, int64_t now_ns)
{
    if (!loop->measuring && now_ns >= loop->plan->discard_ns) {
        loop->measuring = true;
        loop->measure_from_ns = now_ns;
        loop->cpu_from_ns = cpu_watch_ns(loop->plan->pids, loop->plan->pid_count);
    }
}

/* Queues what is due and sends what has a connection. */
static void send_due(struct open_loop *loop, int64_t now_ns)
{
    const struct schedule *schedule = &loop->schedule;
    while (loop->due < schedule->count && schedule->due_ns[loop->due] <= now_ns) {
        loop->due++;
    }
    while (loop->sent < loop->due && loop->crowd.idle_count > 0) {
        crowd_send(&loop->crowd, schedule->due_ns[loop->sent++]);
    }
    size_t queue = loop->due - loop->sent;
    if (queue > loop->report->longest_queue) {
        loop->report->longest_queue = queue;
    }
}

static void run(struct open_loop *loop)
{
    const struct schedule *schedule = &loop->schedule;
    int64_t end_ns = loop->plan->duration_ns + LINGER_SECONDS * NS_PER_S;
    int64_t now_ns = 0;
    loop->start_ns = clock_now_ns();
    while (loop->answered < schedule->count && now_ns < end_ns && !loop->crowd.gave_up) {
        now_ns = clock_now_ns() - loop->start_ns;
        begin_measuring(loop, now_ns);
        send_due(loop, now_ns);
        int64_t next_ns = loop->due < schedule->count ? schedule->due_ns[loop->due] : end_ns;
        crowd_wait(&loop->crowd, loop->start_ns + next_ns - clock_now_ns());
    }
    if (loop->measuring) {
        loop->report->cpu_ns =
            cpu_watch_ns(loop->plan->pids, loop->plan->pid_count) - loop->cpu_from_ns;
        loop->report->measured_ns = clock_now_ns() - loop->start_ns - loop->measure_from_ns;
    }
    loop->report->errors += schedule->count - loop->answered;
}

bool open_loop_run(const struct load_plan *plan, struct load_report *ret_report)
{
    struct open_loop loop = {.plan = plan, .report = ret_report};
    *ret_report = (struct load_report){0};
    bool opened = crowd_open(&loop.crowd, plan, on_answered, &loop);
    if (opened) {
        schedule_init(&loop.schedule, plan->rate, plan->duration_ns, plan->seed, LOAD_REQUESTS);
        run(&loop);
        samples_sort(&ret_report->latencies);
        ret_report->sent = loop.crowd.sent;
        ret_report->reconnects = loop.crowd.reconnects;
        ret_report->gave_up = loop.crowd.gave_up;
        schedule_done(&loop.schedule);
    }
    crowd_done(&loop.crowd);
    return opened;
}
