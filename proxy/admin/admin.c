#include "proxy/admin/admin_private.h"

#include "lib/base/memory.h"

#include <openssl/mem.h>

#include <stdio.h>
#include <string.h>

enum { ADMIN_CONNECTIONS = 64, ADMIN_BODY_BYTES = 4096 };

static void refuse(const struct admin_visit *visit, uint16_t status, const char *text)
{
    http_exchange_reply(visit->exchange, status, "text/plain", span_of(text));
}

/*
 * A page in a browser on the same machine can reach loopback: it must not read (a name of its own
 * that resolves to 127.0.0.1) nor change anything (a form that posts here).
 */
static bool comes_from_a_browser_page(const struct http_request *request)
{
    struct span host;
    uint16_t port;
    struct address address;
    const struct headers *fields = &request->head->headers;
    const struct header *site = headers_find_name(fields, SPAN("sec-fetch-site"));
    bool typed = site == NULL || span_equal(site->value, SPAN("none")) ||
                 span_equal(site->value, SPAN("same-origin"));
    if (!typed || headers_find_name(fields, SPAN("origin")) != NULL) {
        return true;
    }
    if (request->head->authority.length == 0) {
        return false; /* HTTP/1.0 without Host: no browser */
    }
    if (!http_authority_split(request->head->authority, &host, &port)) {
        return true;
    }
    if (host.length > 1 && host.at[0] == '[') {
        host = span_cut(host, 1, host.length - 1);
    }
    return !span_equal_nocase(host, SPAN("localhost")) && !address_parse_ip(host, &address);
}

static bool has_token(const struct admin *admin, const struct http_request *request)
{
    if (admin->token == NULL) {
        return true;
    }
    struct span given = headers_value(&request->head->headers, HEADER_AUTHORIZATION);
    size_t length = strlen(admin->token);
    if (!span_starts_with(given, SPAN("Bearer "))) {
        return false;
    }
    given = span_cut(given, 7, given.length);
    return given.length == length && CRYPTO_memcmp(given.at, admin->token, length) == 0;
}

static const struct admin_page *find_page(enum admin_server server, struct span path)
{
    for (const struct admin_page *page = admin_pages; page->path != NULL; page++) {
        if ((page->servers & (1U << server)) != 0 && span_equal_text(path, page->path)) {
            return page;
        }
    }
    return NULL;
}

static void on_request(void *owner, struct http_exchange *exchange,
                       const struct http_request *request)
{
    const struct admin_port *port = owner;
    struct admin_visit visit = {.admin = port->admin, .exchange = exchange, .request = request};
    struct span path = query_split(request->head->path, &visit.query);
    const struct admin_page *page = find_page(port->which, path);
    bool reads = request->head->method_token == HTTP_METHOD_GET ||
                 request->head->method_token == HTTP_METHOD_HEAD;
    enum admin_method method = reads ? ADMIN_GET : ADMIN_POST;
    if (port->which == ADMIN_LOOPBACK && comes_from_a_browser_page(request)) {
        refuse(&visit, 403, "not for pages of a browser\n");
    } else if (page == NULL) {
        refuse(&visit, 404, "no such page; / lists them\n");
    } else if ((!reads && request->head->method_token != HTTP_METHOD_POST) ||
               (page->methods & method) == 0) {
        refuse(&visit, 405, reads ? "changes need POST\n" : "this page is only read, by GET\n");
    } else if (!reads && !has_token(visit.admin, request)) {
        refuse(&visit, 401, "changes need the token\n");
    } else {
        page->show(&visit);
    }
}

static void on_gone(void *owner, struct http_exchange *exchange)
{
    const struct admin_port *port = owner;
    admin_report_gone(port->admin, exchange);
}

static const struct http_server_events server_events = {.on_request = on_request,
                                                        .on_gone = on_gone};

static bool open_server(struct admin *admin, enum admin_server which, const struct address *at,
                        char *reason, size_t reason_bytes)
{
    char text[ADDRESS_TEXT_BYTES];
    int error = 0;
    struct http_server_options options = {
        .at = *at, .body_limit = ADMIN_BODY_BYTES, .connections = ADMIN_CONNECTIONS};
    if (at->family == 0) {
        return true;
    }
    address_format(at, text);
    if (which == ADMIN_LOOPBACK && !address_is_loopback(at)) {
        snprintf(reason, reason_bytes, "the admin address %s is not a loopback one", text);
        return false;
    }
    struct admin_port *port = &admin->ports[which];
    port->server = http_server_open(admin->loop, &options, &server_events, port, &error);
    if (port->server == NULL) {
        snprintf(reason, reason_bytes, "cannot listen at %s: %s", text, strerror(error));
    }
    return port->server != NULL;
}

struct admin *admin_create(struct loop *loop, const struct admin_options *options,
                           struct stats_registry *registry, const struct admin_process *process,
                           void *owner, char *reason, size_t reason_bytes)
{
    struct admin *admin = NEW(struct admin);
    admin->loop = loop;
    admin->options = *options;
    admin->token =
        options->token.length > 0 ? mem_text(options->token.at, options->token.length) : NULL;
    admin->registry = registry;
    admin->process = process;
    admin->owner = owner;
    list_init(&admin->reports);
    for (unsigned i = 0; i < ADMIN_SERVERS; i++) {
        admin->ports[i].admin = admin;
        admin->ports[i].which = (enum admin_server)i;
    }
    if (!open_server(admin, ADMIN_METRICS, &options->metrics_at, reason, reason_bytes) ||
        !open_server(admin, ADMIN_HEALTH, &options->health_at, reason, reason_bytes) ||
        !open_server(admin, ADMIN_LOOPBACK, &options->admin_at, reason, reason_bytes)) {
        admin_destroy(admin);
        return NULL;
    }
    return admin;
}

void admin_destroy(struct admin *admin)
{
    if (admin == NULL) {
        return;
    }
    admin_report_drop_all(admin);
    for (unsigned i = 0; i < ADMIN_SERVERS; i++) {
        http_server_close(admin->ports[i].server);
    }
    mem_free(admin->token);
    mem_free(admin);
}

const struct address *admin_address(const struct admin *admin, enum admin_server server)
{
    return http_server_address(admin->ports[server].server);
}
