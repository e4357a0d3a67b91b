#include "lib/base/failure.h"

#include "lib/base/check.h"

static const struct failure_facts table[FAILURE_COUNT] = {
#define FAILURE(symbol, word, http, grpc, class, flag, text)                                       \
    [FAILURE_##symbol] = {{word, sizeof(word) - 1}, http, grpc, RETRY_CLASS_##class, flag, text},
#include "lib/base/failure.def"
#undef FAILURE
};

const struct failure_facts *failure_facts(enum failure failure)
{
    CHECK((unsigned)failure < FAILURE_COUNT);
    return &table[failure];
}
