#ifndef REMORA_PROXY_REQUEST_REQUEST_STATE_H
#define REMORA_PROXY_REQUEST_REQUEST_STATE_H

/* The inside of a request, for the files of this folder that move it: see request.h for the
 * picture. */

#include "proxy/policy/retry.h"
#include "proxy/request/attempt.h"
#include "proxy/request/config_wait.h"
#include "proxy/request/forward_head.h"
#include "proxy/request/relay.h"
#include "proxy/request/request.h"

enum request_state {
    REQUEST_RECEIVING,   /* no head yet */
    REQUEST_ROUTED,      /* the head is there; configuration and route are looked for */
    REQUEST_LIMITED,     /* route and cluster are known; limits are asked */
    REQUEST_TRYING,      /* an attempt is under way */
    REQUEST_BACKING_OFF, /* before the next attempt */
    REQUEST_RESPONDING,  /* the response began downstream: no retry any more */
    REQUEST_DONE,
    REQUEST_STATES,
};

struct request {
    struct arena arena; /* holds this struct too */
    struct request_origin origin;
    struct http_stream *downstream; /* NULL once released */
    struct snapshot *snapshot;
    struct http_head *head;
    struct request_wishes wishes;
    struct config_wait config_wait;
    const struct listener_config *listener; /* NULL: inbound, pass-through, workload */
    const struct route *route;              /* NULL = the implicit one */
    const struct xds_weighted_cluster *backend;
    struct cluster *cluster;
    struct attempt *attempt; /* the latest */
    struct replay_body body;
    struct relay up, down;
    struct retry_policy retry;
    int64_t deadline_ns; /* 0 = none */
    int64_t idle_ns;     /* 0 = none */
    int64_t moved_ns;    /* when a byte last moved */
    int64_t per_try_ns;  /* 0 = none */
    int64_t back_off_until_ns;
    struct timer timer;
    struct turn_task free_task;
    struct request_record record;
    struct span request_id; /* to be added */
    uint32_t extra_attempts;
    uint8_t state; /* enum request_state; only request_enter writes it */
    bool advancing;
    bool advance_again;
    bool downstream_gone;
    bool config_failed;
};

/* The one place that changes the state: legality, time stamp. */
void request_enter(struct request *request, enum request_state state);
/* Runs steps until one waits. Safe to call from any callback, also from inside a step. */
void request_advance(struct request *request);
/* Writes the head of this attempt and points the body at it. */
void request_send(struct request *request, struct attempt *attempt);
void request_informational(struct request *request, const struct attempt *attempt,
                           struct http_head *head);
/* Bytes came or room did: pumps that direction, looks for the end. */
void request_moved(struct request *request, struct relay *relay);
/*
 * The attempt's stream was reset. True where its answer is whole: only what is left of the request
 * has lost its receiver, and the answer goes on to the client. Not for upgrades, whose bytes go
 * both ways until the end.
 */
bool request_has_answer(struct request *request, const struct attempt *attempt);
bool request_wants_http2(const struct request *request);
/* From the trailers, or the head where there are only those; -1 = none. */
int16_t request_grpc_status(const struct request *request, const struct attempt *attempt);
/* Answers locally (or, after the response began, resets) and ends. */
void request_fail(struct request *request, enum failure failure, struct span detail);
/* Ends: gives back attempts, closes the record, frees after the turn. */
void request_finish(struct request *request);
/* Sets the timer to the earliest of all that can run out. */
void request_arm(struct request *request);

/* One step: true = another may follow, false = wait for an event. In request_steps.c. */
bool request_step(struct request *request);

#endif
