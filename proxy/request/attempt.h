#ifndef REMORA_PROXY_REQUEST_ATTEMPT_H
#define REMORA_PROXY_REQUEST_ATTEMPT_H

#include "lib/http/http_stream.h"
#include "proxy/upstream/lease.h"

/*
 * One try of a request at one endpoint: a lease, its stream, and what came of it. Born zeroed in
 * the request's arena, never reset; a retry is another one. Its callbacks store what happened and
 * tell the request, which decides.
 */
struct request;

enum attempt_state {
    ATTEMPT_NEW,
    ATTEMPT_LEASING,  /* waits for a stream */
    ATTEMPT_OPEN,     /* the request goes out, no answer yet */
    ATTEMPT_ANSWERED, /* the final response head is there */
    ATTEMPT_FAILED,   /* failure says why */
    ATTEMPT_ENDED,    /* given back */
};

struct attempt {
    struct request *request;
    struct attempt *previous;
    struct lease lease;
    struct http_stream *upstream;
    struct http_head *response; /* final head */
    enum failure failure;
    uint8_t state;   /* enum attempt_state */
    uint32_t number; /* 1 = first */
    bool to_mesh;
    int64_t started_ns, first_byte_ns;
};

struct attempt *attempt_create(struct request *request, struct attempt *previous);
/* Begins the lease. What comes of it is in state: LEASING, OPEN or FAILED. */
void attempt_start(struct attempt *attempt);
/* Gives everything back. cancelled: nobody is to blame. Harmless when it was given back before. */
void attempt_end(struct attempt *attempt, bool cancelled);

#endif
