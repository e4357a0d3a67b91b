#ifndef REMORA_PROXY_OBSERVE_LOAD_REPORT_H
#define REMORA_PROXY_OBSERVE_LOAD_REPORT_H

#include "lib/stats/registry.h"
#include "lib/xds/xds_load.h"

/*
 * What the control plane is told of this proxy's traffic: the difference between two looks at the
 * statistics, by service, direction and version. Reader thread of the registry; no I/O.
 *
 *   load_report ── per series: what it said at the last look
 *               └─ per service: differences since then; kept while it had traffic in the last
 *                  LOAD_REPORT_WINDOW_MS or has connections
 *
 * A series that was not there before counts from zero, and so does one that shows less than before
 * (it expired and came again). What the registry folded into "other" is one service named "other",
 * and so is what goes beyond LOAD_REPORT_SERVICES.
 *
 * Failures are answers of 500 and above, the ends that failure.def answers so, and where there are
 * more of them, gRPC statuses that blame the server. Who gave up or broke the rules as a client is
 * none.
 */
enum {
    LOAD_REPORT_SERVICES = 1000, /* with full digests below 2 MiB: half of what is taken */
    LOAD_REPORT_WINDOW_MS = 10000,
};

/* What the labels of the statistics do not say. */
struct load_names {
    /* The service behind an upstream cluster; false when it is none of a service. */
    bool (*service_of)(void *owner, struct span cluster, bool *ret_inbound,
                       struct span *ret_service, struct span *ret_namespace);
    /* Version of an endpoint's workload; empty when it is not known or not one. */
    struct span (*version_of)(void *owner, struct span namespace_name, struct span service,
                              struct span workload);
};

struct load_report;

/*
 * The registry, made of proxy_stats, outlives the report, and so do the spans: who we are and which
 * version of it. Begins with what the statistics say now.
 */
struct load_report *load_report_create(const struct stats_registry *registry, struct span node_id,
                                       struct span version, const struct load_names *names,
                                       void *owner, int64_t now_ns);
/* Takes NULL. */
void load_report_destroy(struct load_report *report);
/*
 * Looks. The report is in the arena and has every service that had traffic in the last window, also
 * with zeros, so that rates over it come out right, and every one with connections. Returns whether
 * there was traffic in the window: otherwise nothing is lost when it is not sent.
 */
bool load_report_look(struct load_report *report, int64_t now_ns, struct arena *arena,
                      struct xds_load_report *ret);

#endif
