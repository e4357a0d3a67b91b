#ifndef REMORA_PROXY_OBSERVE_OBSERVE_H
#define REMORA_PROXY_OBSERVE_OBSERVE_H

/*
 * What a worker tells the world. One struct observe a worker; the statistics registry is the
 * process's.
 *
 *   observe ── series_cache: what a request's labels are made of -> cells
 *           ├─ access log writer: queue of 256 KiB, then drops and counts
 *           └─ flight recorder: ring of the last 256 slow or failed
 *
 * On the request path: one lookup in the cache and a handful of increments; no formatting unless
 * the access log is on for that request.
 */

#include "lib/net/loop.h"
#include "lib/stats/registry.h"
#include "proxy/config/workload_config.h"
#include "proxy/observe/request_record.h"

struct observe;

struct observe *observe_create(struct loop *loop, struct stats_registry *registry, uint32_t worker);
void observe_destroy(struct observe *observe);
/* Own names and log settings of the current snapshot. */
void observe_configure(struct observe *observe, const struct workload_config *workload);
/* A finished HTTP request. */
void observe_request(struct observe *observe, const struct request_record *record);
/*
 * An opaque connection. Its bytes are counted while they move (it may live for days); the totals of
 * the record are for the log. Cells are held between opened and closed.
 */
struct tcp_cells {
    struct stats_cell *received, *sent;
};
void observe_tcp_opened(struct observe *observe, const struct request_record *record,
                        struct tcp_cells *ret_cells);
void observe_tcp_moved(const struct tcp_cells *cells, uint64_t received_bytes, uint64_t sent_bytes);
void observe_tcp_closed(struct observe *observe, const struct request_record *record,
                        struct tcp_cells *cells);
/* A downstream connection that was refused before it became a request. */
void observe_refused(struct observe *observe, uint8_t direction, enum failure failure,
                     const struct address *from, uint16_t port);
/* Plain text that came in where it is allowed: who still needs it. */
void observe_plaintext(struct observe *observe, const struct address *from, uint16_t port);
/* Result of protocol detection ("http1", "http2", "tls", "opaque", "server_first", "timeout"). */
void observe_detected(struct observe *observe, const char *result, int64_t took_ns);
void observe_retry(struct observe *observe, const char *kind, const char *denied);

/* The worker's own writer, for gauges that it keeps beside. */
struct stats_writer *observe_writer(struct observe *observe);

/* The flight recorder as JSON, newest first; for /explain and /debug. Same thread only. */
void observe_recorded(const struct observe *observe, struct text *ret_json);

#endif
