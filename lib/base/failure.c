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

enum failure failure_of_word(struct span word)
{
    for (int i = 0; i < FAILURE_COUNT; i++) {
        if (span_equal(failure_word((enum failure)i), word)) {
            return (enum failure)i;
        }
    }
    return FAILURE_NONE;
}
