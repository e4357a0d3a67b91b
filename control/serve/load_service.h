#ifndef REMORA_CONTROL_SERVE_LOAD_SERVICE_H
#define REMORA_CONTROL_SERVE_LOAD_SERVICE_H

#include "control/serve/caller.h"
#include "control/serve/control_stats.h"
#include "control/serve/live_calls.h"
#include "control/serve/load_table.h"
#include "lib/grpc/grpc_server.h"
#include "lib/xds/xds_type.h"

/*
 * Load reports: Remora's own stream (latencies as buckets) and Envoy's LRS (counts only). Each
 * report is answered with how often the next ones are wanted, where that changed.
 */
#define LRS_PATH "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats"
enum { LOAD_REPORT_BYTES = 4 << 20 };

struct load_service {
    struct loop *loop;
    struct join_tokens *tokens;
    struct span trust_domain;
    struct control_stats *stats;
    struct load_table *table;
    struct live_calls *calls;
    size_t reporters; /* streams that are open */
};

/* Takes in one report of either kind. False when it is malformed, with a text. */
bool load_service_take(struct load_service *service, bool lrs, struct span source,
                       struct span *node, struct arena *node_arena, struct span message,
                       struct xds_error *ret_error);

struct grpc_method load_service_method(struct load_service *service);
struct grpc_method load_service_lrs_method(struct load_service *service);

#endif
