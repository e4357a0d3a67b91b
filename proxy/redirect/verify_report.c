#include "proxy/redirect/verify_report.h"

#include "lib/base/check.h"

#include <stdio.h>

static const char *const result_words[] = {
    [VERIFY_PASSED] = "passed",
    [VERIFY_FAILED] = "FAILED",
    [VERIFY_SKIPPED] = "skipped",
    [VERIFY_WARNED] = "warning",
};

static const char *const result_json[] = {
    [VERIFY_PASSED] = "passed",
    [VERIFY_FAILED] = "failed",
    [VERIFY_SKIPPED] = "skipped",
    [VERIFY_WARNED] = "warning",
};

static const char *family_word(uint8_t family)
{
    return family == 4 ? "IPv4" : family == 6 ? "IPv6" : "";
}

void verify_report_add(struct verify_report *report, enum verify_result result, const char *name,
                       uint8_t family, const char *rule, const char *format, ...)
{
    CHECK(report->count < VERIFY_CHECKS);
    struct verify_check *check = &report->checks[report->count++];
    *check = (struct verify_check){.name = name, .family = family, .result = result};
    snprintf(check->rule, sizeof(check->rule), "%s", rule);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(check->words, sizeof(check->words), format, arguments);
    va_end(arguments);
}

bool verify_report_failed(const struct verify_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        if (report->checks[i].result == VERIFY_FAILED) {
            return true;
        }
    }
    return false;
}

void verify_report_write(const struct verify_report *report, struct text *into)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct verify_check *check = &report->checks[i];
        text_printf(into, "%-8s %-20s %-4s", result_words[check->result], check->name,
                    family_word(check->family));
        if (check->rule[0] != '\0') {
            text_printf(into, "  [%s]", check->rule);
        }
        if (check->words[0] != '\0') {
            text_printf(into, "%s %s", check->rule[0] != '\0' ? "" : " ", check->words);
        }
        text_add_byte(into, '\n');
    }
}

static void add_member(struct text *into, const char *name, const char *value)
{
    text_printf(into, ", \"%s\": ", name);
    text_add_json(into, span_of(value));
}

void verify_report_write_json(const struct verify_report *report, struct text *into)
{
    text_printf(into, "{\"ok\": %s, \"checks\": [",
                verify_report_failed(report) ? "false" : "true");
    for (size_t i = 0; i < report->count; i++) {
        const struct verify_check *check = &report->checks[i];
        text_printf(into, "%s\n  {\"name\": \"%s\"", i > 0 ? "," : "", check->name);
        add_member(into, "family", family_word(check->family));
        add_member(into, "rule", check->rule);
        add_member(into, "result", result_json[check->result]);
        add_member(into, "detail", check->words);
        text_add_byte(into, '}');
    }
    text_add_text(into, "]}\n");
}
