#include "proxy/main/process_admin.h"

#include "lib/base/memory.h"
#include "lib/http/http_server.h"
#include "lib/stats/exposition.h"

#include <stdio.h>
#include <string.h>

struct process_admin {
    struct process *process;
    struct http_server *metrics, *health, *admin;
};

static void on_request(void *owner, struct http_exchange *exchange,
                       const struct http_request *request)
{
    struct process_admin *admin = owner;
    struct text text = {0};
    const char *why = "";
    uint16_t status = 200;
    if (span_equal(request->head->path, SPAN("/metrics"))) {
        stats_write_prometheus(admin->process->registry, &text);
    } else if (span_equal(request->head->path, SPAN("/ready")) ||
               span_equal(request->head->path, SPAN("/healthz/ready"))) {
        status = process_ready(admin->process, &why) ? 200 : 503;
        text_add_text(&text, status == 200 ? "ready\n" : why);
    } else if (span_equal(request->head->path, SPAN("/certs"))) {
        workload_identity_write(control_link_identity(admin->process->link), &text);
    } else if (span_equal(request->head->path, SPAN("/config_dump"))) {
        apply_dump(control_link_apply(admin->process->link), &text);
    } else {
        status = 404;
    }
    http_exchange_reply(exchange, status, "text/plain", text_span(&text));
    text_done(&text);
}

static const struct http_server_events events = {.on_request = on_request};

static struct http_server *open_at(struct process_admin *admin, const struct address *at,
                                   char *reason, size_t reason_bytes)
{
    struct http_server_options options = {.at = *at};
    int error = 0;
    struct http_server *server =
        http_server_open(admin->process->loop, &options, &events, admin, &error);
    if (server == NULL) {
        char text[ADDRESS_TEXT_BYTES];
        address_format(at, text);
        snprintf(reason, reason_bytes, "cannot listen at %s: %s", text, strerror(error));
    }
    return server;
}

struct process_admin *process_admin_create(struct process *process, char *reason,
                                           size_t reason_bytes)
{
    const struct proxy_options *options = process->options;
    struct process_admin *admin = NEW(struct process_admin);
    admin->process = process;
    admin->metrics = open_at(admin, &options->metrics_at, reason, reason_bytes);
    admin->health = open_at(admin, &options->health_at, reason, reason_bytes);
    admin->admin = open_at(admin, &options->admin_at, reason, reason_bytes);
    if (admin->metrics == NULL || admin->health == NULL || admin->admin == NULL) {
        process_admin_destroy(admin);
        return NULL;
    }
    return admin;
}

void process_admin_destroy(struct process_admin *admin)
{
    if (admin != NULL) {
        http_server_close(admin->metrics);
        http_server_close(admin->health);
        http_server_close(admin->admin);
        mem_free(admin);
    }
}
