#ifndef REMORA_BASE_FAILURE_H
#define REMORA_BASE_FAILURE_H

#include "lib/base/span.h"

/*
 * The one list of failures (failure.def). Every locally made response, reset and refused connection
 * carries one of these, and all outputs print its word.
 */
enum failure {
#define FAILURE(symbol, word, http, grpc, class, flag, text) FAILURE_##symbol,
#include "lib/base/failure.def"
#undef FAILURE
    FAILURE_COUNT
};

enum retry_class { RETRY_CLASS_NO, RETRY_CLASS_MAYBE, RETRY_CLASS_NEVER_PROCESSED };

struct failure_facts {
    struct span word;
    uint16_t http_status; /* 0 = none can be sent */
    uint8_t grpc_code;
    uint8_t retry_class; /* enum retry_class */
    const char *flag;
    const char *explanation;
};

/* Never NULL; failure must be below FAILURE_COUNT. */
const struct failure_facts *failure_facts(enum failure failure);

static inline struct span failure_word(enum failure failure)
{
    return failure_facts(failure)->word;
}

/* The failure of that word; NONE for any other text. */
enum failure failure_of_word(struct span word);

#endif
