#include "control/admin/admin_server.h"

#include "control/admin/admin_page.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/http/http_server.h"
#include "lib/net/acceptor.h"
#include "lib/net/tcp.h"
#include "lib/stats/exposition.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { SOCKET_BACKLOG = 16, OPEN_CONNECTIONS = 64, SOCKET_MASK = 0177 };
#define JSON_TYPE "application/json"

struct admin_server {
    struct loop *loop;
    struct admin_server_options options;
    char *socket_path;
    struct acceptor *acceptor;
    struct http_server *local; /* behind the socket */
    struct http_server *open;  /* on TCP */
    struct turn_task free_task;
};

/* ---- Answers --------------------------------------------------------------------------------- */

static void reply(struct http_exchange *exchange, uint16_t status, struct text *body)
{
    http_exchange_reply(exchange, status, JSON_TYPE, text_span(body));
    text_done(body);
}

static void reply_error(struct http_exchange *exchange, uint16_t status, const char *words)
{
    struct text body = {0};
    page_error(words, &body);
    reply(exchange, status, &body);
}

static struct span path_of(const struct http_request *request)
{
    struct span target = request->head->path;
    return span_cut(target, 0, span_find_byte(target, '?'));
}

/* True when the path was one of those that everybody may ask. */
static bool answer_open(struct admin_server *server, struct http_exchange *exchange,
                        struct span path)
{
    struct text body = {0};
    if (span_equal(path, SPAN("/metrics"))) {
        page_metrics(&server->options, server->loop, &body);
        http_exchange_reply(exchange, 200, STATS_PROMETHEUS_TYPE, text_span(&body));
        text_done(&body);
    } else if (span_equal(path, SPAN("/live"))) {
        http_exchange_reply(exchange, 200, "text/plain", SPAN("live\n"));
    } else if (span_equal(path, SPAN("/ready"))) {
        bool ready = mesh_world_ready(server->options.mesh);
        http_exchange_reply(exchange, ready ? 200 : 503, "text/plain",
                            ready ? SPAN("ready\n") : SPAN("the manifests are being read\n"));
    } else {
        return false;
    }
    return true;
}

static bool is_method(const struct http_request *request, enum http_method method)
{
    return request->head->method_token == method;
}

static void on_open_request(void *owner, struct http_exchange *exchange,
                            const struct http_request *request)
{
    if (!is_method(request, HTTP_METHOD_GET)) {
        reply_error(exchange, 405, "only GET");
    } else if (!answer_open(owner, exchange, path_of(request))) {
        reply_error(exchange, 404,
                    "here are /metrics, /ready and /live; all else is told by remoractl");
    }
}

/* ---- Behind the socket ----------------------------------------------------------------------- */

static struct span query_value(const struct http_request *request, struct span name)
{
    struct span target = request->head->path;
    struct span rest = span_cut(target, span_find_byte(target, '?') + 1, target.length);
    struct span piece;
    while (span_next(&rest, '&', &piece)) {
        size_t at = span_find_byte(piece, '=');
        if (span_equal(span_cut(piece, 0, at), name)) {
            return span_cut(piece, at + 1, piece.length);
        }
    }
    return SPAN_EMPTY;
}

static void answer_config(struct admin_server *server, struct http_exchange *exchange,
                          const struct http_request *request)
{
    struct text body = {0};
    if (page_config(&server->options, query_value(request, SPAN("proxy")), &body)) {
        reply(exchange, 200, &body);
    } else {
        text_done(&body);
        reply_error(exchange, 404, "no proxy of this id is connected (remoractl proxies)");
    }
}

/* False when there is no such page. */
static bool write_page(struct admin_server *server, struct span path, struct text *into)
{
    const struct admin_server_options *of = &server->options;
    if (span_equal(path, SPAN("/status"))) {
        page_status(of, into);
    } else if (span_equal(path, SPAN("/proxies"))) {
        page_proxies(of, into);
    } else if (span_equal(path, SPAN("/top"))) {
        page_top(of, loop_now_ns(server->loop), into);
    } else if (span_equal(path, SPAN("/ca"))) {
        page_ca(of, into);
    } else if (span_equal(path, SPAN("/tokens"))) {
        page_tokens(of->tokens, into);
    } else if (span_equal(path, SPAN("/version"))) {
        page_version(of, into);
    } else {
        return false;
    }
    return true;
}

static void answer_get(struct admin_server *server, struct http_exchange *exchange,
                       const struct http_request *request)
{
    struct span path = path_of(request);
    struct text body = {0};
    if (span_equal(path, SPAN("/debug/config"))) {
        answer_config(server, exchange, request);
    } else if (write_page(server, path, &body)) {
        reply(exchange, 200, &body);
    } else if (!answer_open(server, exchange, path)) {
        reply_error(exchange, 404, "no such page");
    }
}

static void answer_post(struct admin_server *server, struct http_exchange *exchange,
                        const struct http_request *request)
{
    struct join_tokens *tokens = server->options.tokens;
    struct span path = path_of(request);
    struct span before = SPAN("/tokens/");
    struct span behind = SPAN("/revoke");
    struct text body = {0};
    uint16_t status = 404;
    if (span_equal(path, SPAN("/tokens"))) {
        status = page_token_create(tokens, request->body, &body);
    } else if (span_starts_with(path, before) && span_ends_with(path, behind) &&
               path.length > before.length + behind.length) {
        status = page_token_revoke(
            tokens, span_cut(path, before.length, path.length - behind.length), &body);
    } else {
        page_error("no such page", &body);
    }
    reply(exchange, status, &body);
}

static void on_local_request(void *owner, struct http_exchange *exchange,
                             const struct http_request *request)
{
    if (is_method(request, HTTP_METHOD_GET)) {
        answer_get(owner, exchange, request);
    } else if (is_method(request, HTTP_METHOD_POST)) {
        answer_post(owner, exchange, request);
    } else {
        reply_error(exchange, 405, "only GET and POST");
    }
}

static const struct http_server_events open_events = {.on_request = on_open_request};
static const struct http_server_events local_events = {.on_request = on_local_request};

static void on_accept(void *owner, int fd, const struct address *local, const struct address *peer)
{
    struct admin_server *server = owner;
    struct ucred who = {0};
    socklen_t length = sizeof(who);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0 ||
        (who.uid != 0 && who.uid != geteuid())) {
        LOG_WARN_LIMITED("admin", "another user is refused", LOG_NUMBER("uid", who.uid));
        close(fd);
        return;
    }
    http_server_adopt(server->local, tcp_adopt(server->loop, fd, local, peer));
}

static const struct acceptor_events accept_events = {.on_accept = on_accept};

/* -1 and a text. The mode is right from the start: nobody can connect before it is. */
static int listen_local(const char *path, char *reason)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(at.sun_path)) {
        snprintf(reason, ADMIN_REASON_BYTES, "the path of the admin socket is too long: %.200s",
                 path);
        return -1;
    }
    memcpy(at.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* What is left there is of a process that ended: the state folder's lock is ours. */
    unlink(path);
    mode_t mask = umask(SOCKET_MASK);
    bool good = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
                listen(fd, SOCKET_BACKLOG) == 0;
    int error = errno;
    umask(mask);
    if (good) {
        return fd;
    }
    snprintf(reason, ADMIN_REASON_BYTES, "cannot listen on %.200s: %s", path, strerror(error));
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static bool open_tcp(struct admin_server *server, char *reason)
{
    struct http_server_options options = {.at = server->options.metrics_at,
                                          .connections = OPEN_CONNECTIONS};
    int error = 0;
    if (options.at.family == 0) {
        return true;
    }
    server->open = http_server_open(server->loop, &options, &open_events, server, &error);
    if (server->open == NULL) {
        char address[ADDRESS_TEXT_BYTES];
        address_format(&options.at, address);
        snprintf(reason, ADMIN_REASON_BYTES, "cannot listen on %s: %s", address, strerror(error));
    }
    return server->open != NULL;
}

static void run_free(struct turn_task *task)
{
    struct admin_server *server = CONTAINER_OF(task, struct admin_server, free_task);
    mem_free(server->socket_path);
    mem_free(server);
}

struct admin_server *admin_server_open(struct loop *loop,
                                       const struct admin_server_options *options, char *reason)
{
    struct admin_server *server = NEW(struct admin_server);
    struct http_server_options local = {.connections = OPEN_CONNECTIONS};
    int error = 0;
    server->loop = loop;
    server->options = *options;
    server->free_task.run = run_free;
    server->socket_path = mem_strdup(options->socket_path);
    int fd = listen_local(server->socket_path, reason);
    if (fd < 0 || !open_tcp(server, reason)) {
        if (fd >= 0) {
            close(fd);
        }
        loop_free_later(loop, &server->free_task);
        return NULL;
    }
    server->local = http_server_open(loop, &local, &local_events, server, &error);
    server->acceptor = acceptor_adopt(loop, fd, &accept_events, server);
    return server;
}

const struct address *admin_server_metrics_address(const struct admin_server *server)
{
    return http_server_address(server->open);
}

void admin_server_close(struct admin_server *server)
{
    if (server == NULL) {
        return;
    }
    acceptor_close(server->acceptor);
    unlink(server->socket_path);
    http_server_close(server->local);
    http_server_close(server->open);
    loop_free_later(server->loop, &server->free_task);
}
