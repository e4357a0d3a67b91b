#ifndef REMORA_CONTROL_SERVE_LOAD_TABLE_H
#define REMORA_CONTROL_SERVE_LOAD_TABLE_H

#include "lib/base/arena.h"
#include "lib/base/list.h"
#include "lib/base/text.h"
#include "lib/stats/digest.h"

/*
 * What proxies reported in the last seconds, for `remoractl top`. Reports are kept as they came
 * (latencies as filled buckets only) and added up when somebody looks; what is older than the
 * window, or beyond LOAD_BYTES, is dropped, the oldest first. One thread.
 */
enum {
    LOAD_WINDOW_MS = 10000,
    LOAD_BYTES = 64 << 20,
    LOAD_SERVICES = 4096,    /* in one report */
    LOAD_INTERVAL_MS = 1000, /* between reports of one proxy, while there are few */
    LOAD_INTERVAL_MOST_MS = 10000,
    LOAD_PROXIES_A_SECOND = 200,
};

/* Of one service in one report. Spans are the giver's. */
struct load_facts {
    struct span source;  /* "shop/web": who reports */
    struct span node;    /* which of its proxies */
    struct span service; /* "shop/api" or a host */
    struct span version; /* of the peer; may be empty */
    bool inbound;
    uint64_t interval_ms;
    uint64_t requests, failures;
    uint64_t latency_sum_us;
    uint64_t bytes_sent, bytes_received;
    uint64_t connections;
    const struct digest_entry *latency; /* rising */
    size_t latency_count;
};

struct load_table;

struct load_table *load_table_create(void);
void load_table_destroy(struct load_table *table);
/* False when it is malformed: then nothing is added. */
bool load_table_add(struct load_table *table, int64_t now_ns, const struct load_facts *facts);
void load_table_expire(struct load_table *table, int64_t now_ns);
size_t load_table_bytes(const struct load_table *table);
/* How often a proxy is to report where there are so many. */
uint64_t load_interval_ms(size_t proxies);

/* Sums over the window. */
struct load_sum {
    double requests_per_s, failures_per_s;
    double bytes_sent_per_s, bytes_received_per_s;
    uint64_t connections;
    struct distribution latency;
};

/* One service as its callers see it, or as it sees itself where no caller has a proxy. */
struct load_row {
    struct span service;
    bool inbound;
    struct load_sum sum;
    const struct load_part *versions; /* by version of the peer */
    size_t version_count;
    const struct load_part *sources; /* by reporting workload */
    size_t source_count;
};
struct load_part {
    struct span name;
    struct load_sum sum;
};

/* Sorted by service; everything in the arena. */
struct load_row *load_table_rows(struct load_table *table, int64_t now_ns, struct arena *arena,
                                 size_t *ret_count);

#endif
