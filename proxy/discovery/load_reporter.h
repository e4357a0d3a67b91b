#ifndef REMORA_PROXY_DISCOVERY_LOAD_REPORTER_H
#define REMORA_PROXY_DISCOVERY_LOAD_REPORTER_H

#include "lib/grpc/grpc_channel.h"
#include "proxy/observe/load_report.h"

/*
 * Streams load reports to the control plane, on the channel that discovery uses and only while that
 * is connected. Looks at the statistics as often as the server asks (LOAD_REPORTER_MS before it
 * did), connected or not, so that a report never tells of the time before its stream. At most one
 * message is queued: while one waits nothing is looked at, and the next report covers the longer
 * time; when it waits for LOAD_REPORTER_STALL_MS the stream begins anew. Main thread.
 */
enum {
    LOAD_REPORTER_MS = 1000,
    LOAD_REPORTER_LEAST_MS = 100, /* what a server may ask for */
    LOAD_REPORTER_MOST_MS = 60000,
    LOAD_REPORTER_HEARTBEAT_MS = 5000, /* a report goes out even when nothing has changed */
    LOAD_REPORTER_STALL_MS = 30000,
};

struct load_reporter;

/* The channel outlives the reporter; the report becomes the reporter's. */
struct load_reporter *load_reporter_create(struct grpc_channel *channel,
                                           struct load_report *report);
/* Takes NULL. */
void load_reporter_destroy(struct load_reporter *reporter);
/* Discovery is connected, or lost: then a stream that is open ends with its connection. */
void load_reporter_connected(struct load_reporter *reporter, bool connected);

#endif
