#ifndef REMORA_TESTS_UNIT_PROXY_UPSTREAM_UPSTREAM_RIG_H
#define REMORA_TESTS_UNIT_PROXY_UPSTREAM_UPSTREAM_RIG_H

#include "lib/http/http_conn.h"
#include "lib/net/tcp.h"
#include "proxy/upstream/lease.h"
#include "proxy/upstream/upstream.h"
#include "tests/fakes/pipe_transport.h"

/*
 * An upstream on a clock that stands still, whose network is the test: every dial is a pipe that
 * waits to be connected or refused, with a server of either codec at its far end, and every
 * question for a name waits for its answer.
 */
enum { RIG_DIALS = 2048, RIG_QUERIES = 64, RIG_STREAMS = 4096 };

struct rig;

struct rig_stream {
    struct rig *rig;
    struct http_stream *stream; /* NULL once released */
    struct arena arena;
    struct http_head *head;
    uint64_t body_bytes; /* received */
    bool ended;          /* the request is whole */
};

/* One connection that the upstream began. */
struct rig_dial {
    struct rig *rig;
    struct address to, from;
    int64_t timeout_ms;
    struct transport *near, *far; /* far: NULL once a server or the test took it */
    struct http_conn *server;     /* NULL: none, or gone */
    bool settled;                 /* connected or refused */
    bool gone;                    /* the server's connection is closed */
};

struct rig_query {
    char host[RESOLVER_NAME_BYTES + 1];
    void (*on_answer)(void *owner, const struct resolver_answer *answer);
    void *owner;
    bool over; /* answered or cancelled */
    bool cancelled;
};

struct rig {
    struct loop *loop;
    struct upstream *upstream;
    struct http_limits server_limits;
    struct tls_config *server_tls; /* servers speak TLS first */
    enum http_codec codec;         /* of servers */
    bool connects;                 /* dials succeed by themselves, in the next turn */
    bool answers;                  /* servers answer each request with 200 at once */
    uint16_t status;               /* of answers; 0 = 200 */
    bool raw;                      /* far ends are left to the test */
    struct rig_dial dials[RIG_DIALS];
    size_t dial_count;
    struct rig_stream *streams[RIG_STREAMS]; /* at servers */
    size_t stream_count;
    struct rig_query queries[RIG_QUERIES];
    size_t query_count;
    uint64_t version;
    struct cluster_config *configs[16]; /* of the snapshot to come */
    size_t config_count;
};

void rig_init(struct rig *rig);
/* Destroys the upstream; every lease must have been ended. */
void rig_done(struct rig *rig);
void rig_go(struct rig *rig);
void rig_wait_ms(struct rig *rig, int64_t ms);
void rig_connect(struct rig *rig, size_t dial);
void rig_refuse(struct rig *rig, size_t dial, enum failure failure);
/* Answers the stream with a whole response. */
void rig_answer(struct rig *rig, size_t stream, uint16_t status);
/* addresses: "10.0.0.1 10.0.0.2"; "" = none. */
void rig_resolve(struct rig *rig, size_t query, enum resolver_status status, const char *addresses,
                 int64_t ttl_ms);

/* The next snapshot has this cluster; endpoint_count 0 with endpoints NULL = not known yet. */
void rig_cluster(struct rig *rig, const struct xds_cluster *facts,
                 const struct xds_endpoint *endpoints, uint32_t endpoint_count);
void rig_apply(struct rig *rig);
/* All at once: a cluster "c" of `count` plain endpoints 10.0.0.1:80 and up. */
struct cluster *rig_plain(struct rig *rig, uint32_t count, void (*change)(struct xds_cluster *));
void rig_http2(struct xds_cluster *facts);
void rig_two_by_two(struct xds_cluster *facts); /* two HTTP/2 connections of two streams */
void rig_one_connection(struct xds_cluster *facts);
void rig_all_given_back(const struct cluster *cluster);
struct xds_endpoint rig_endpoint(uint32_t last_byte);

/* An owner of a lease: sends a GET when it gets a stream. */
struct caller {
    struct rig *rig;
    struct lease lease;
    struct arena arena;
    struct http_head *head;
    enum lease_status status;
    enum failure failure; /* of the lease */
    enum failure reset;   /* of the stream */
    int readies, fails;
    bool ended; /* the response is whole */
    bool in_start;
    bool mute;                           /* sends nothing */
    void (*then)(struct caller *caller); /* after on_ready and on_failed */
};
enum lease_status caller_start(struct caller *caller, struct rig *rig, struct cluster *cluster,
                               const struct lease_wish *wish);
/* With a good outcome where the response is whole, else cancelled. */
void caller_end(struct caller *caller);
void caller_end_with(struct caller *caller, enum failure failure, uint16_t status,
                     int64_t latency_ns);

#endif
