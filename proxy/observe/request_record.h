#ifndef REMORA_PROXY_OBSERVE_REQUEST_RECORD_H
#define REMORA_PROXY_OBSERVE_REQUEST_RECORD_H

#include "lib/base/failure.h"
#include "lib/net/address.h"

/*
 * All that statistics, trace and access log know of one request or one opaque connection. Filled
 * while it lives, stamped by request_enter, handed to observe_record once at its end. Spans point
 * into memory that lives until that call returns (the request's arena, the snapshot).
 */
enum record_direction { RECORD_OUTBOUND, RECORD_INBOUND };
enum record_protocol { RECORD_HTTP1, RECORD_HTTP2, RECORD_GRPC, RECORD_TCP, RECORD_TLS };

struct trace_ids {
    uint8_t trace[16];
    uint8_t parent[8]; /* span that we are a child of; zero = none */
    uint8_t span[8];   /* our own */
    bool present;      /* came with the request or started here */
    bool sampled;
    bool started_here;
    bool from_b3; /* came as B3: carried on as B3 too */
};

struct request_record {
    uint8_t direction; /* enum record_direction */
    uint8_t protocol;  /* enum record_protocol, as the downstream spoke */
    bool mtls_downstream, mtls_upstream;
    enum failure failure; /* NONE = an answer of the upstream was passed on whole */
    uint16_t status;      /* sent downstream; 0 = none or not HTTP */
    int16_t grpc_status;  /* -1 = not gRPC */
    uint8_t attempts;
    uint8_t attempt_in; /* attempt count that it came with */

    struct address downstream, original_dst, upstream;
    struct span source_workload, source_namespace; /* who called; inbound: from the peer */
    struct span source_identity,
        destination_identity; /* SPIFFE ids, empty where there was no TLS */
    struct span destination_service, destination_namespace, destination_workload;
    struct span destination_version; /* label version of the workload; may be empty */
    struct span route; /* name of the matched route; empty = the implicit one */
    struct span cluster;
    struct span method, authority, path;
    struct span user_agent, request_id;
    const char *retry_denied; /* word, or NULL */
    struct trace_ids trace;

    uint64_t bytes_in, bytes_out; /* bodies: from the downstream, to the downstream */
    /* Monotonic ns; 0 = did not happen. */
    int64_t opened_ns, routed_ns, upstream_ns, first_byte_ns, done_ns;
};

#endif
