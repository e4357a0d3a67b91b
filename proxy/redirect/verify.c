#include "proxy/redirect/verify.h"

#include "proxy/redirect/live_check.h"
#include "proxy/redirect/netfilter.h"
#include "proxy/redirect/read_back.h"
#include "proxy/redirect/rules.h"

/* NULL, and *ret_problem saying why, when it cannot be had. */
static struct read_back *list(const char *what, struct text *ret_problem)
{
    struct text json = {0};
    struct read_back *listing = NULL;
    if (netfilter_list(what, &json, ret_problem)) {
        listing = read_back_parse(text_span(&json), ret_problem);
    }
    text_done(&json);
    return listing;
}

/* The listing of the plan as it should be. */
static struct read_back *list_twin(const struct redirect_plan *plan, struct text *ret_problem)
{
    struct text script = {0};
    struct text removal = {0};
    struct read_back *twin = NULL;
    rules_write_twin(plan, &script);
    rules_write_removal(RULES_TWIN, &removal);
    if (netfilter_apply(script.bytes, ret_problem)) {
        twin = list("table inet " RULES_TWIN, ret_problem);
        if (!netfilter_apply(removal.bytes, ret_problem)) {
            read_back_destroy(twin);
            twin = NULL;
        }
    }
    text_done(&script);
    text_done(&removal);
    return twin;
}

static void compare(const struct read_back *installed, const struct read_back *twin,
                    struct verify_report *report)
{
    struct read_back_difference difference = {0};
    if (read_back_same(installed, twin, &difference)) {
        verify_report_add(report, VERIFY_PASSED, "rules", 0, "", "%s", "");
    } else {
        verify_report_add(report, VERIFY_FAILED, "rules", 0, difference.name, "%s",
                          difference.words.bytes);
    }
    text_done(&difference.words);
}

static void warn_of_strangers(struct verify_report *report)
{
    struct text words = {0};
    struct read_back *chains = list("chains", &words);
    if (chains == NULL || read_back_strangers(chains, &words) > 0) {
        verify_report_add(report, VERIFY_WARNED, "strangers", 0, "", "%s", words.bytes);
    }
    read_back_destroy(chains);
    text_done(&words);
}

void verify_rules(const struct redirect_plan *plan, struct verify_report *report)
{
    struct text problem = {0};
    struct read_back *installed = list("table inet " RULES_TABLE, &problem);
    struct read_back *twin = installed != NULL ? list_twin(plan, &problem) : NULL;
    if (installed == NULL) {
        verify_report_add(report, VERIFY_FAILED, "rules", 0, "",
                          "table inet " RULES_TABLE " cannot be listed: %s", problem.bytes);
    } else if (twin == NULL) {
        verify_report_add(report, VERIFY_FAILED, "rules", 0, "", "cannot compare: %s",
                          problem.bytes);
    } else {
        compare(installed, twin, report);
    }
    read_back_destroy(installed);
    read_back_destroy(twin);
    text_done(&problem);
    warn_of_strangers(report);
}

void verify_all(const struct redirect_plan *plan, int64_t timeout_ms, struct verify_report *report)
{
    verify_rules(plan, report);
    live_check_run(plan, timeout_ms, report);
}
