#include "proxy/admin/admin_private.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "proxy/admin/clusters.h"

/*
 * A report asks every worker (explain: the first) and answers when all have, or when its time is
 * over. It lives until the last worker has given its question back, whatever became of the client.
 */
enum { REPORT_MS = 5000, REPORTS = 64, REPORT_BYTES = 64 << 20 };

struct admin_question {
    struct admin_report *report;
    enum admin_topic topic;
    struct explain_question explain;
    struct text json;
};

struct admin_report {
    struct link link;               /* in admin.reports, while somebody waits for it */
    struct http_exchange *exchange; /* NULL = nobody waits any more */
    struct arena arena;
    struct timer timer;
    uint32_t pending;
    uint32_t count;
    enum admin_topic topic;
    struct admin_question questions[];
};

static void report_free_if_done(struct admin_report *report)
{
    if (report->exchange != NULL || report->pending > 0) {
        return;
    }
    for (uint32_t i = 0; i < report->count; i++) {
        text_done(&report->questions[i].json);
    }
    arena_done(&report->arena);
    mem_free(report);
}

static void report_forget(struct admin_report *report)
{
    list_remove(&report->link);
    timer_stop(&report->timer);
    report->exchange = NULL;
}

static void report_reply(struct admin_report *report)
{
    struct text json = {.limit = REPORT_BYTES};
    const char *comma = "";
    uint32_t told = 0;
    bool single = report->topic == ADMIN_EXPLAIN;
    text_add_text(&json, single ? "" : "{\"workers\":[");
    for (uint32_t i = 0; i < report->count; i++) {
        if (report->questions[i].json.length > 0) {
            text_add_text(&json, comma);
            text_add(&json, text_span(&report->questions[i].json));
            comma = ",";
            told++;
        }
    }
    text_add_text(&json, single ? "\n" : "]}\n");
    struct http_exchange *exchange = report->exchange;
    report_forget(report);
    if (told == 0) {
        http_exchange_reply(exchange, 503, "text/plain", SPAN("no worker answers\n"));
    } else if (json.truncated) {
        http_exchange_reply(exchange, 500, "text/plain", SPAN("longer than 64 MiB\n"));
    } else {
        http_exchange_reply(exchange, 200, "application/json", text_span(&json));
    }
    text_done(&json);
}

static void report_late(struct timer *timer)
{
    struct admin_report *report = CONTAINER_OF(timer, struct admin_report, timer);
    struct http_exchange *exchange = report->exchange;
    report_forget(report);
    http_exchange_reply(exchange, 504, "text/plain", SPAN("a worker does not answer in time\n"));
    report_free_if_done(report);
}

static size_t reports_waiting(const struct admin *admin)
{
    size_t count = 0;
    LIST_EACH(&admin->reports, link)
    {
        count++;
    }
    return count;
}

static bool read_explain(const struct explain_wish *wish, struct admin_report *report,
                         const struct admin_visit *visit)
{
    const char *reason = NULL;
    struct span fields[EXPLAIN_HEADERS];
    struct arena *arena = &report->arena;
    struct explain_wish copy = {.url = arena_span(arena, wish->url),
                                .to = arena_span(arena, wish->to),
                                .method = arena_span(arena, wish->method),
                                .fields = fields,
                                .field_count = wish->field_count};
    for (size_t i = 0; i < wish->field_count && i < EXPLAIN_HEADERS; i++) {
        fields[i] = arena_span(arena, wish->fields[i]);
    }
    if (explain_question_read(&copy, arena, &report->questions[0].explain, &reason)) {
        return true;
    }
    char *text = arena_printf(visit->request->arena, "%s\n", reason);
    http_exchange_reply(visit->exchange, 400, "text/plain", span_of(text));
    return false;
}

void admin_report_start(const struct admin_visit *visit, enum admin_topic topic,
                        const struct explain_wish *explain)
{
    struct admin *admin = visit->admin;
    if (reports_waiting(admin) >= REPORTS) {
        http_exchange_reply(visit->exchange, 503, "text/plain", SPAN("too many questions\n"));
        return;
    }
    uint32_t count = topic == ADMIN_EXPLAIN ? 1 : admin->options.workers;
    struct admin_report *report =
        mem_zalloc(sizeof(*report) + count * sizeof(report->questions[0]));
    report->count = count;
    report->topic = topic;
    if (explain != NULL && !read_explain(explain, report, visit)) {
        report_free_if_done(report);
        return;
    }
    report->exchange = visit->exchange;
    list_push_back(&admin->reports, &report->link);
    timer_init(&report->timer, admin->loop, report_late);
    timer_start(&report->timer, REPORT_MS * NS_PER_MS);
    report->pending = count + 1; /* one more: no answer may end it while questions are asked */
    for (uint32_t i = 0; i < count; i++) {
        report->questions[i].report = report;
        report->questions[i].topic = topic;
        admin->process->ask_worker(admin->owner, i, &report->questions[i]);
    }
    report->pending--;
    if (report->pending == 0 && report->exchange != NULL) {
        report_reply(report);
    }
    report_free_if_done(report);
}

void admin_question_write(const struct admin_question *question, struct worker_scope *scope,
                          struct text *json)
{
    switch (question->topic) {
    case ADMIN_CLUSTERS:
        clusters_write(scope, json);
        break;
    case ADMIN_RECORDER:
        observe_recorded(scope->observe, json);
        break;
    case ADMIN_EXPLAIN:
        explain_write(&question->explain, scope, json);
        break;
    }
}

void admin_answer(struct admin_question *question, const struct text *json)
{
    struct admin_report *report = question->report;
    if (json != NULL && report->exchange != NULL) {
        text_add(&question->json, text_span(json));
    }
    report->pending--;
    if (report->pending == 0 && report->exchange != NULL) {
        report_reply(report);
    }
    report_free_if_done(report);
}

void admin_report_gone(struct admin *admin, const struct http_exchange *exchange)
{
    LIST_EACH(&admin->reports, link)
    {
        struct admin_report *report = CONTAINER_OF(link, struct admin_report, link);
        if (report->exchange == exchange) {
            report_forget(report);
            report_free_if_done(report);
            return;
        }
    }
}

void admin_report_drop_all(struct admin *admin)
{
    for (struct link *link; (link = list_first(&admin->reports)) != NULL;) {
        struct admin_report *report = CONTAINER_OF(link, struct admin_report, link);
        report_forget(report);
        report_free_if_done(report);
    }
}
