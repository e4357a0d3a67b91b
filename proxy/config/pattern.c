#define PCRE2_CODE_UNIT_WIDTH 8
#include "proxy/config/pattern.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"

#include <pcre2.h>
#include <stdio.h>

/* Steps of the matcher: well below a millisecond on 10 KiB of hostile text. */
enum { STEP_LIMIT = 20000, DEPTH_LIMIT = 250, HEAP_LIMIT_KIB = 64 };

struct pattern {
    pcre2_code *code;
};

/* Working memory of this thread, made once. */
struct scratch {
    pcre2_match_data *found;
    pcre2_match_context *limits;
};

static struct scratch *thread_scratch(void)
{
    static _Thread_local struct scratch scratch;
    if (scratch.found == NULL) {
        scratch.found = pcre2_match_data_create(1, NULL);
        scratch.limits = pcre2_match_context_create(NULL);
        CHECK(scratch.found != NULL && scratch.limits != NULL);
        pcre2_set_match_limit(scratch.limits, STEP_LIMIT);
        pcre2_set_depth_limit(scratch.limits, DEPTH_LIMIT);
        pcre2_set_heap_limit(scratch.limits, HEAP_LIMIT_KIB);
    }
    return &scratch;
}

struct pattern *pattern_create(struct span expression, struct xds_error *ret_error)
{
    int error = 0;
    PCRE2_SIZE at = 0;
    if (expression.length > PATTERN_BYTES) {
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "a regular expression is longer than %d bytes", PATTERN_BYTES);
        return NULL;
    }
    uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NO_AUTO_CAPTURE |
                       PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)expression.at, expression.length, options, &error, &at, NULL);
    if (code == NULL) {
        char why[120];
        pcre2_get_error_message(error, (PCRE2_UCHAR *)why, sizeof(why));
        snprintf(ret_error->text, sizeof(ret_error->text),
                 "regular expression \"%.*s\": %s at byte %zu",
                 (int)(expression.length < 60 ? expression.length : 60), expression.at, why, at);
        return NULL;
    }
    struct pattern *pattern = NEW(struct pattern);
    pattern->code = code;
    return pattern;
}

void pattern_destroy(struct pattern *pattern)
{
    if (pattern != NULL) {
        pcre2_code_free(pattern->code);
        mem_free(pattern);
    }
}

bool pattern_matches(const struct pattern *pattern, struct span text)
{
    if (text.length > PATTERN_TEXT_BYTES) {
        return false;
    }
    struct scratch *scratch = thread_scratch();
    const char *at = text.at != NULL ? text.at : "";
    return pcre2_match(pattern->code, (PCRE2_SPTR)at, text.length, 0, 0, scratch->found,
                       scratch->limits) >= 0;
}
