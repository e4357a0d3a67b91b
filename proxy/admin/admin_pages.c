#include "proxy/admin/admin_private.h"

#include "lib/base/log.h"
#include "lib/stats/exposition.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#define JSON_TYPE "application/json"
#define TEXT_TYPE "text/plain; charset=utf-8"
enum { PAGE_BYTES = 64 << 20 };

/* Takes the text over. */
static void reply(const struct admin_visit *visit, uint16_t status, const char *type,
                  struct text *text)
{
    if (text->truncated) {
        http_exchange_reply(visit->exchange, 500, TEXT_TYPE, SPAN("longer than 64 MiB\n"));
    } else {
        http_exchange_reply(visit->exchange, status, type, text_span(text));
    }
    text_done(text);
}

static void show_live(const struct admin_visit *visit)
{
    http_exchange_reply(visit->exchange, 200, TEXT_TYPE, SPAN("live\n"));
}

static void show_ready(const struct admin_visit *visit)
{
    struct text why = {0};
    bool ready = visit->admin->process->ready(visit->admin->owner, &why);
    if (ready) {
        text_clear(&why);
        text_add_text(&why, "ready\n");
    } else {
        text_add_text(&why, why.length > 0 ? "\n" : "not ready\n");
    }
    reply(visit, ready ? 200 : 503, TEXT_TYPE, &why);
}

static void before_stats(const struct admin_visit *visit)
{
    if (visit->admin->process->before_stats != NULL) {
        visit->admin->process->before_stats(visit->admin->owner);
    }
}

static void show_metrics(const struct admin_visit *visit)
{
    struct text text = {.limit = PAGE_BYTES};
    before_stats(visit);
    stats_write_prometheus(visit->admin->registry, &text);
    reply(visit, 200, STATS_PROMETHEUS_TYPE, &text);
}

static void show_stats(const struct admin_visit *visit)
{
    struct text text = {.limit = PAGE_BYTES};
    struct span prefix = SPAN_EMPTY;
    query_value(visit->query, SPAN("prefix"), 0, visit->request->arena, &prefix);
    before_stats(visit);
    stats_write_listing(visit->admin->registry, prefix, &text);
    reply(visit, 200, TEXT_TYPE, &text);
}

static void show_config_dump(const struct admin_visit *visit)
{
    struct text text = {.limit = PAGE_BYTES};
    visit->admin->process->config_dump(visit->admin->owner, &text);
    reply(visit, 200, JSON_TYPE, &text);
}

static void show_certs(const struct admin_visit *visit)
{
    struct text text = {.limit = PAGE_BYTES};
    visit->admin->process->certs(visit->admin->owner, &text);
    reply(visit, 200, JSON_TYPE, &text);
}

static void show_clusters(const struct admin_visit *visit)
{
    admin_report_start(visit, ADMIN_CLUSTERS, NULL);
}

static void show_recorder(const struct admin_visit *visit)
{
    admin_report_start(visit, ADMIN_RECORDER, NULL);
}

static void show_explain(const struct admin_visit *visit)
{
    struct arena *arena = visit->request->arena;
    struct span fields[EXPLAIN_HEADERS + 1];
    struct explain_wish wish = {.fields = fields};
    bool named = query_value(visit->query, SPAN("url"), 0, arena, &wish.url) ||
                 query_value(visit->query, SPAN("to"), 0, arena, &wish.to);
    if (!named) {
        http_exchange_reply(visit->exchange, 400, TEXT_TYPE,
                            SPAN("say ?url=http://HOST:PORT/PATH or ?to=HOST:PORT\n"));
        return;
    }
    query_value(visit->query, SPAN("method"), 0, arena, &wish.method);
    while (wish.field_count <= EXPLAIN_HEADERS &&
           query_value(visit->query, SPAN("header"), wish.field_count, arena,
                       &fields[wish.field_count])) {
        wish.field_count++;
    }
    admin_report_start(visit, ADMIN_EXPLAIN, &wish);
}

static void do_drain(const struct admin_visit *visit)
{
    LOG_INFO("admin", "drain asked for");
    visit->admin->process->drain(visit->admin->owner);
    http_exchange_reply(visit->exchange, 200, TEXT_TYPE, SPAN("draining\n"));
}

static void do_quit(const struct admin_visit *visit)
{
    if (!visit->admin->options.quit_allowed) {
        http_exchange_reply(visit->exchange, 403, TEXT_TYPE, SPAN("not allowed here\n"));
        return;
    }
    LOG_INFO("admin", "end asked for");
    http_exchange_reply(visit->exchange, 200, TEXT_TYPE, SPAN("ending\n"));
    visit->admin->process->quit(visit->admin->owner);
}

static void show_log_level(const struct admin_visit *visit)
{
    struct text text = {0};
    struct span word = SPAN_EMPTY;
    enum log_level level;
    if (visit->request->head->method_token == HTTP_METHOD_POST) {
        query_value(visit->query, SPAN("level"), 0, visit->request->arena, &word);
        if (!log_level_parse(word, &level)) {
            http_exchange_reply(visit->exchange, 400, TEXT_TYPE,
                                SPAN("say ?level=debug, info, warn, error or off\n"));
            return;
        }
        log_set_level(level);
    }
    text_printf(&text, "%s\n", log_level_name(log_get_level()));
    reply(visit, 200, TEXT_TYPE, &text);
}

/* Pages of the process that are in memory; 0 when the kernel does not say. */
static uint64_t resident_bytes(void)
{
    unsigned long long total = 0;
    unsigned long long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) {
        return 0;
    }
    int got = fscanf(file, "%llu %llu", &total, &resident);
    fclose(file);
    return got == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static void show_memory(const struct admin_visit *visit)
{
    struct text text = {0};
    struct mallinfo2 heap = mallinfo2();
    text_printf(&text,
                "{\"resident_bytes\":%llu,\"heap_used_bytes\":%zu,\"heap_free_bytes\":%zu"
                ",\"heap_mapped_bytes\":%zu,\"series\":%zu,\"series_folded\":%llu}\n",
                (unsigned long long)resident_bytes(), heap.uordblks, heap.fordblks, heap.hblkhd,
                stats_series_count(visit->admin->registry),
                (unsigned long long)stats_folded(visit->admin->registry));
    reply(visit, 200, JSON_TYPE, &text);
}

static void show_index(const struct admin_visit *visit)
{
    struct text text = {0};
    text_printf(&text, "remora-proxy %s\n\n",
                visit->admin->options.version != NULL ? visit->admin->options.version : "");
    for (const struct admin_page *page = admin_pages; page->path != NULL; page++) {
        if ((page->servers & (1U << ADMIN_LOOPBACK)) != 0 && page->help != NULL) {
            text_printf(&text, "%-14s %-9s %s\n", page->path,
                        page->methods == ADMIN_GET    ? "GET"
                        : page->methods == ADMIN_POST ? "POST"
                                                      : "GET, POST",
                        page->help);
        }
    }
    reply(visit, 200, TEXT_TYPE, &text);
}

#define METRICS (1U << ADMIN_METRICS)
#define HEALTH (1U << ADMIN_HEALTH)
#define LOOPBACK (1U << ADMIN_LOOPBACK)

const struct admin_page admin_pages[] = {
    {"/", LOOPBACK, ADMIN_GET, NULL, show_index},
    {"/ready", HEALTH | LOOPBACK, ADMIN_GET, "200 when traffic may come, else 503 and why",
     show_ready},
    {"/healthz/ready", HEALTH, ADMIN_GET, NULL, show_ready},
    {"/live", HEALTH | LOOPBACK, ADMIN_GET, "200 while the main loop turns", show_live},
    {"/healthz/live", HEALTH, ADMIN_GET, NULL, show_live},
    {"/healthz", METRICS, ADMIN_GET, NULL, show_live},
    {"/metrics", METRICS | LOOPBACK, ADMIN_GET, "statistics in Prometheus' text format",
     show_metrics},
    {"/stats", LOOPBACK, ADMIN_GET, "statistics for people; ?prefix=remora_tls", show_stats},
    {"/config_dump", LOOPBACK, ADMIN_GET, "the configuration in force", show_config_dump},
    {"/clusters", LOOPBACK, ADMIN_GET, "clusters and endpoints as each worker sees them",
     show_clusters},
    {"/certs", LOOPBACK, ADMIN_GET, "own certificate and trust bundle", show_certs},
    {"/explain", LOOPBACK, ADMIN_GET,
     "?url=http://HOST:PORT/PATH or ?to=HOST:PORT (&method=, &header=name:value): what would "
     "happen",
     show_explain},
    {"/recorder", LOOPBACK, ADMIN_GET, "the last requests that were slow or failed", show_recorder},
    {"/memory", LOOPBACK, ADMIN_GET, "memory in use", show_memory},
    {"/log_level", LOOPBACK, ADMIN_GET | ADMIN_POST, "shows it; POST ?level=debug sets it",
     show_log_level},
    {"/drain", LOOPBACK, ADMIN_POST, "lets inbound connections finish and takes no new ones",
     do_drain},
    {"/quitquitquit", LOOPBACK, ADMIN_POST, "ends the process, where that is allowed", do_quit},
    {NULL, 0, 0, NULL, NULL},
};
