#ifndef REMORA_PROXY_REQUEST_FORWARD_HEAD_H
#define REMORA_PROXY_REQUEST_FORWARD_HEAD_H

#include "lib/http/http_head.h"
#include "proxy/config/route_config.h"
#include "proxy/observe/request_record.h"

/*
 * Heads on their way through: what is taken away, changed and added. Pure; a head that is made
 * shares the spans of the one that came, so both arenas must live as long.
 */

/* What a request said to us in headers, read before they are taken away. */
struct request_wishes {
    uint32_t attempt_in;         /* 1 = first; the largest of all names that carry it */
    int64_t timeout_ms;          /* x-remora-timeout, outbound only; 0 = none */
    int64_t grpc_timeout_ms;     /* 0 = none; 1 at least where one was given */
    bool from_http1;             /* x-remora-http, from a mesh peer only */
    struct span source_workload; /* x-remora-source, from a mesh peer only */
};

void request_wishes_read(const struct http_head *head, uint8_t direction, bool from_mesh,
                         struct request_wishes *ret);

struct forward_facts {
    uint8_t direction; /* enum record_direction */
    bool to_mesh;      /* the endpoint is a mesh peer: private fields may go there */
    bool from_mesh;
    bool https;                                 /* the client spoke TLS to us */
    const struct route *route;                  /* NULL = the implicit one */
    const struct xds_weighted_cluster *cluster; /* NULL = no changes of the backend's own */
    const struct request_wishes *wishes;
    uint32_t attempt;     /* 1 = first */
    int64_t time_left_ms; /* to the deadline; 0 = none */
    const struct trace_ids *trace;
    struct span request_id;                  /* to add; empty = the request has one */
    struct span own_workload;                /* for x-remora-source: NAMESPACE/WORKLOAD */
    struct span own_identity, peer_identity; /* for x-forwarded-client-cert */
    const struct address *downstream;
    const struct address *original_dst; /* outbound: the authority of a head without one */
};

/* The request head of one attempt. */
struct http_head *forward_request(const struct http_head *head, const struct forward_facts *facts,
                                  struct arena *arena);
/*
 * The response head that goes downstream. from_mesh: the upstream is a mesh peer, whose
 * x-remora-reason and x-remora-retry are believed and kept.
 */
struct http_head *forward_response(const struct http_head *head, const struct route *route,
                                   const struct xds_weighted_cluster *cluster, bool from_mesh,
                                   struct arena *arena);

/* RFC-less but fixed by gRPC: 1 to 8 digits and one of H M S m u n. False on anything else. */
bool grpc_timeout_read(struct span value, int64_t *ret_ms);

#endif
