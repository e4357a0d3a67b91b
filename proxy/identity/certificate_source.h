#ifndef REMORA_PROXY_IDENTITY_CERTIFICATE_SOURCE_H
#define REMORA_PROXY_IDENTITY_CERTIFICATE_SOURCE_H

#include "lib/base/span.h"
#include "lib/grpc/grpc_status.h"

/*
 * Where certificates are asked for: the control plane (certificate_call), or what a test puts here.
 * One question at a time.
 */
enum { CERTIFICATE_TIMEOUT_MS = 10000, CERTIFICATE_ANSWER_PARTS = 8 };

struct certificate_question {
    struct span csr_pem;
    struct span token;  /* empty = none: the caller is known by its client certificate */
    int64_t lifetime_s; /* 0 = as the authority likes */
};

/* Lives until the callback returns. */
struct certificate_answer {
    enum grpc_code code;          /* OK = there is a chain */
    struct span message;          /* why not: "UNAUTHENTICATED: the token is used up" */
    const struct span *chain_pem; /* leaf first */
    uint32_t chain_count;
};

struct certificate_source {
    /*
     * Copies the question. True: on_answer comes exactly once, from the loop, within
     * CERTIFICATE_TIMEOUT_MS, unless cancel comes first. False: there is no connection now.
     */
    bool (*send)(void *owner, const struct certificate_question *question,
                 void (*on_answer)(void *answer_owner, const struct certificate_answer *answer),
                 void *answer_owner);
    /* No answer comes any more; no error when nothing is asked. */
    void (*cancel)(void *owner);
    void *owner;
};

#endif
