#ifndef REMORA_PROXY_REDIRECT_VERIFY_REPORT_H
#define REMORA_PROXY_REDIRECT_VERIFY_REPORT_H

#include "lib/base/text.h"

/* What was checked and what came of it. Embedded; all zero = empty. */
enum verify_result { VERIFY_PASSED, VERIFY_FAILED, VERIFY_SKIPPED, VERIFY_WARNED };

enum { VERIFY_CHECKS = 48, VERIFY_WORDS_BYTES = 400, VERIFY_RULE_BYTES = 64 };

struct verify_check {
    const char *name; /* static: "outbound", "self-call", ... */
    uint8_t family;   /* 0 = of no family, 4, 6 */
    enum verify_result result;
    char rule[VERIFY_RULE_BYTES];   /* that this check proves, "" = none */
    char words[VERIFY_WORDS_BYTES]; /* why, when not passed; cut when too long */
};

struct verify_report {
    struct verify_check checks[VERIFY_CHECKS];
    size_t count;
};

void verify_report_add(struct verify_report *report, enum verify_result result, const char *name,
                       uint8_t family, const char *rule, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
bool verify_report_failed(const struct verify_report *report);
/* For people: a line a check. */
void verify_report_write(const struct verify_report *report, struct text *into);
/* {"ok": ..., "checks": [{"name", "family", "rule", "result", "detail"}]}. */
void verify_report_write_json(const struct verify_report *report, struct text *into);

#endif
