#ifndef REMORA_TESTS_SIM_SIM_H
#define REMORA_TESTS_SIM_SIM_H

#include "proxy/front/client_conn.h"
#include "tests/fakes/raw_peer.h"
#include "tests/unit/certs/tls_fixture.h"
#include "tests/unit/proxy/upstream/upstream_rig.h"

/*
 * One worker in memory: the real front, requests and upstream side over pipes that fail where they
 * are told to, on a clock that stands still. A client calls the service "api" at 10.1.0.1:80; its
 * endpoints are 10.0.0.1:80 and up.
 *
 *   client >--request--> front | near >--request--> far
 *          <--response--<      |      <--response--<
 *
 * sim_open -> sim_begin -> (whatever the test does) -> sim_end -> sim_close. sim_close checks what
 * must hold after every run, whatever happened: everything leased is given back, nothing lives, and
 * no chunk is in use.
 */
enum sim_leg {
    SIM_H1_H1,   /* HTTP/1 to a plain HTTP/1 endpoint */
    SIM_H1_MESH, /* HTTP/1 to a sidecar: HTTP/2 over mutual TLS */
    SIM_H2_H2,   /* HTTP/2 to a plain HTTP/2 endpoint */
    SIM_LEGS,
};

/* What upstreams do with a connection. */
enum sim_upstream {
    SIM_ANSWERS, /* when the request is whole */
    SIM_EARLY,   /* as soon as its head is there */
    SIM_SILENT,  /* takes everything, says nothing */
    SIM_REFUSES,
    SIM_HANGS, /* nobody answers a dial */
};

/* What the control plane has sent before the client comes; sim_apply is the rest. */
enum sim_known { SIM_KNOWS_ALL, SIM_KNOWS_ADDRESSES, SIM_KNOWS_NOTHING };

enum { SIM_UPSTREAMS = 16, SIM_TEXT = 160, SIM_STEP_MS = 50, SIM_SHORT_MS = 40000 };

struct sim_plan {
    enum sim_leg leg;
    enum sim_upstream upstream;
    enum sim_known known;
    uint32_t endpoints; /* 0 = 1 */
    /* HTTP/1: the client's bytes. HTTP/2: a POST with this many bytes of body, or (0) a GET. */
    const char *request;
    size_t body_bytes;
    const char *until;    /* HTTP/1 upstream: the request is whole with these bytes */
    const char *response; /* HTTP/1 upstream: NULL = 200 with "0123456789" */
    /* Of each side's writes: request bytes of client and near, response bytes of front and far. */
    struct pipe_options client, front, near, far;
    bool first_only; /* near and far misbehave on the first connection only */
    int64_t timeout_ms, per_try_ms;
    const char *retry_on; /* Envoy's words; NULL = the default */
    void (*change)(struct xds_cluster *facts);
};

struct sim_result {
    char records[SIM_TEXT]; /* "503 upstream_closed" each, joined by ", "; "" = none */
    uint32_t record_count;
    char statuses[SIM_TEXT]; /* of final responses that came whole: "200 200" */
    uint32_t whole;
    bool cut;          /* one began and did not end */
    bool over;         /* the client saw the end: of its connection, or (HTTP/2) of its stream */
    int64_t took_ms;   /* of virtual time, SIM_STEP_MS exact, until nothing was in flight */
    uint32_t dials;    /* connections begun to endpoints */
    uint64_t answered; /* requests that upstreams answered */
};

struct sim {
    struct sim_plan plan;
    struct rig rig;
    struct worker_scope scope;
    struct stats_registry *registry;
    struct front *front;
    struct cluster *cluster; /* NULL: not known yet */
    uint64_t version;
    int64_t began_ns;
    /* The client: bytes by hand, or a connection with one stream. */
    struct raw_peer peer;
    struct http_conn *http;
    struct http_stream *stream;
    struct arena arena;
    struct byte_queue body;
    bool sent, http_over, stream_over, stream_reset, head_ended;
    uint32_t heads, ends;
    uint16_t status;
    uint64_t body_bytes;
    /* Upstreams that are bytes by hand, by number of their dial. */
    struct raw_peer upstreams[SIM_UPSTREAMS];
    bool taken[SIM_UPSTREAMS], answered[RIG_STREAMS];
    uint64_t answers;
    int64_t dialled_ns[SIM_UPSTREAMS]; /* of dials that nobody answers */
};

/* NULL mesh: legs without TLS only. It must outlive the sim and be of this thread. */
void sim_open(struct sim *sim, const struct sim_plan *plan, struct tls_mesh *mesh);
/* The client connects and sends its request. */
void sim_begin(struct sim *sim);
/* Time passes, what can run runs. */
void sim_wait_ms(struct sim *sim, int64_t ms);
/* The client resets its connection. */
void sim_hang_up(struct sim *sim);
/* Runs what can run without time passing: connects, answers. */
void sim_go(struct sim *sim);
/* Runs until nothing is in flight and the client knows how it ended, at most so long. */
void sim_end(struct sim *sim, int64_t most_ms, struct sim_result *ret);
void sim_close(struct sim *sim);
/*
 * The result in one line: RECORDS | CLIENT xDIALS, as in "503 upstream_unsent | 503 x3". CLIENT is
 * the status of each whole response, "cut" for one that began and did not end, "closed" for an end
 * without any, "hangs" for neither, which is never right. " x1" is left out.
 */
enum { SIM_LINE = 512 };
void sim_line(const struct sim_result *result, char *into);
/* All of it. */
void sim_run(const struct sim_plan *plan, struct tls_mesh *mesh, int64_t most_ms,
             struct sim_result *ret);
/* The next snapshot: all is known, with so many endpoints. */
void sim_apply(struct sim *sim, uint32_t endpoints);
/* "web" calls "api", both sidecars. */
void sim_mesh_init(struct tls_mesh *mesh);

#endif
