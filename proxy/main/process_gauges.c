#include "proxy/main/process_gauges.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "proxy/observe/proxy_stats.h"

#include <stdio.h>
#include <unistd.h>

static const int64_t day_s = 24 * 3600;

static void set(struct process *process, enum proxy_stat stat, int64_t value)
{
    int64_t now = loop_now_ns(process->loop);
    stats_set(stats_find(process->writer, stat, NULL, 0, now), value);
}

static void set_one(struct process *process, enum proxy_stat stat, const char *label, int64_t value)
{
    int64_t now = loop_now_ns(process->loop);
    stats_set(STATS_FIND(process->writer, now, stat, span_of(label)), value);
}

static int64_t resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "%*d %ld", &pages) != 1) {
        pages = 0;
    }
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static void sample_control(struct process *process)
{
    struct apply *apply = control_link_apply(process->link);
    struct xds_client *client = apply_client(apply);
    set(process, PROXY_STAT_XDS_CONNECTED, control_link_connected(process->link));
    set(process, PROXY_STAT_SNAPSHOT_VERSION, (int64_t)apply_snapshot(apply)->version);
    if (client == NULL) {
        return;
    }
    const struct xds_client_counters *counters = xds_client_counters(client);
    set_one(process, PROXY_STAT_XDS_RESPONSES, "accepted", (int64_t)counters->acks);
    set_one(process, PROXY_STAT_XDS_RESPONSES, "rejected", (int64_t)counters->nacks);
    if (counters->last_response_ns > 0) {
        set(process, PROXY_STAT_XDS_AGE,
            (loop_now_ns(process->loop) - counters->last_response_ns) / NS_PER_S);
    }
}

static void sample_identity(struct process *process)
{
    struct workload_identity_state state;
    workload_identity_state(control_link_identity(process->link), &state);
    set(process, PROXY_STAT_CERT_EXPIRY, state.not_after_s);
    if (state.not_after_s > 0) {
        int64_t left = state.not_after_s - clock_wall_ns() / NS_PER_S;
        set(process, PROXY_STAT_CERT_DAYS_LEFT, left > 0 ? left / day_s : 0);
    }
    set_one(process, PROXY_STAT_CERT_RENEWALS, "issued", (int64_t)state.issued);
    set_one(process, PROXY_STAT_CERT_RENEWALS, "failed", (int64_t)state.failed);
}

void process_gauges_sample(struct process *process)
{
    sample_control(process);
    sample_identity(process);
    set_one(process, PROXY_STAT_MEMORY, "resident", resident_bytes());
    set(process, PROXY_STAT_LOG_DROPPED, (int64_t)log_dropped_lines());
    set(process, PROXY_STAT_SERIES_FOLDED, (int64_t)stats_folded(process->registry));
    set_one(process, PROXY_STAT_BUILD, REMORA_VERSION, 1);
}
