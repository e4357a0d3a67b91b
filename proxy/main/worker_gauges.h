#ifndef REMORA_PROXY_MAIN_WORKER_GAUGES_H
#define REMORA_PROXY_MAIN_WORKER_GAUGES_H

#include "lib/stats/writer.h"
#include "proxy/front/front.h"

/*
 * What a worker samples once a second instead of counting on the request path: connections,
 * clusters, handshakes. Worker's thread.
 */
struct worker_gauges {
    struct stats_writer *writer;
    struct stats_cell *sides[FRONT_SIDES];
    struct stats_cell *requests;
    struct stats_cell *allocations;
};

void worker_gauges_init(struct worker_gauges *gauges, struct stats_writer *writer, uint32_t worker);
void worker_gauges_sample(struct worker_gauges *gauges, struct front *front);
void worker_gauges_done(struct worker_gauges *gauges, int64_t now_ns);

#endif
