#ifndef REMORA_PROXY_ADMIN_ADMIN_PRIVATE_H
#define REMORA_PROXY_ADMIN_ADMIN_PRIVATE_H

/* The inside of admin, for the files that make it up. */

#include "lib/base/list.h"
#include "lib/http/http_server.h"
#include "proxy/admin/admin.h"
#include "proxy/admin/explain.h"
#include "proxy/admin/query.h"

/* One server; its owner in callbacks. */
struct admin_port {
    struct admin *admin;
    enum admin_server which;
    struct http_server *server; /* NULL = not opened */
};

struct admin {
    struct loop *loop;
    struct admin_options options;
    char *token; /* NULL = none asked */
    struct stats_registry *registry;
    const struct admin_process *process;
    void *owner;
    struct admin_port ports[ADMIN_SERVERS];
    struct list reports; /* of admin_report */
};

/* One request and what pages need of it. */
struct admin_visit {
    struct admin *admin;
    struct http_exchange *exchange;
    const struct http_request *request;
    struct span query;
};

enum admin_method { ADMIN_GET = 1, ADMIN_POST = 2 };
struct admin_page {
    const char *path;
    uint8_t servers;  /* bits of enum admin_server */
    uint8_t methods;  /* enum admin_method bits */
    const char *help; /* NULL = not listed */
    void (*show)(const struct admin_visit *visit);
};

/* admin_pages.c: NULL at the end of the table. */
extern const struct admin_page admin_pages[];

/* admin_report.c: what only workers can tell. */
enum admin_topic { ADMIN_CLUSTERS, ADMIN_RECORDER, ADMIN_EXPLAIN };
/* explain: what to explain, in the exchange's arena (copied); NULL for the other topics. */
void admin_report_start(const struct admin_visit *visit, enum admin_topic topic,
                        const struct explain_wish *explain);
/* The client left, or the servers are closing: the exchange is not touched any more. */
void admin_report_gone(struct admin *admin, const struct http_exchange *exchange);
void admin_report_drop_all(struct admin *admin);

#endif
