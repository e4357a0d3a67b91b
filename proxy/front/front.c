#include "proxy/front/front.h"

#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "proxy/front/client_conn.h"

/* One listening socket; its listener's spans are in the arena. */
struct front_socket {
    struct link link;
    struct front *front;
    struct front_listener listener;
    struct acceptor *acceptor;
    struct arena arena;
    struct turn_task free_task;
    bool from_phone_book;
    bool wanted; /* while the phone book is applied */
};

void front_limits_default(struct front_limits *ret)
{
    *ret = (struct front_limits){
        .connections = 10000,
        .detect_give_up_ms = 3000,
        .handshake_timeout_ms = 10000,
    };
}

struct front *front_create(struct worker_scope *scope, const struct front_limits *limits)
{
    struct front *front = NEW(struct front);
    front->scope = scope;
    front->limits = *limits;
    list_init(&front->listeners);
    list_init(&front->conns);
    return front;
}

static void on_accept(void *owner, int fd, const struct address *local, const struct address *peer)
{
    struct front_socket *socket = owner;
    client_conn_accept(socket->front, &socket->listener, fd, local, peer);
}

static void on_exhausted(void *owner)
{
    struct front_socket *socket = owner;
    struct address nobody = {0};
    uint8_t direction = socket->listener.side == FRONT_OUTBOUND ? RECORD_OUTBOUND : RECORD_INBOUND;
    observe_refused(socket->front->scope->observe, direction, FAILURE_OVERLOAD, &nobody,
                    socket->listener.at.port);
}

static const struct acceptor_events acceptor_events = {
    .on_accept = on_accept,
    .on_exhausted = on_exhausted,
};

void front_own_port(struct front *front, uint16_t port)
{
    for (uint32_t i = 0; i < front->own_port_count; i++) {
        if (front->own_ports[i] == port) {
            return;
        }
    }
    if (front->own_port_count < FRONT_OWN_PORTS) {
        front->own_ports[front->own_port_count++] = port;
    }
}

bool front_inbound_at(const struct front *front, const struct address *at, bool *ret_is_explicit,
                      struct address *ret_to)
{
    *ret_is_explicit = false;
    LIST_EACH(&front->listeners, link)
    {
        const struct front_listener *listener =
            &CONTAINER_OF(link, struct front_socket, link)->listener;
        if (listener->side != FRONT_INBOUND || listener->redirected) {
            continue;
        }
        *ret_is_explicit = true;
        if (listener->at.port == at->port &&
            (address_equal_ip(&listener->at, at) || address_is_wildcard(&listener->at))) {
            *ret_to = listener->to;
            return true;
        }
    }
    return false;
}

static struct front_socket *socket_open(struct front *front, const struct front_listener *listener,
                                        bool reuse_port, int *ret_errno)
{
    struct front_socket *socket = NEW(struct front_socket);
    socket->front = front;
    socket->listener = *listener;
    arena_init(&socket->arena);
    socket->listener.service = arena_span(&socket->arena, listener->service);
    struct acceptor_options options = {.at = listener->at, .reuse_port = reuse_port};
    socket->acceptor =
        acceptor_open(front->scope->loop, &options, &acceptor_events, socket, ret_errno);
    if (socket->acceptor == NULL) {
        arena_done(&socket->arena);
        mem_free(socket);
        return NULL;
    }
    list_push_back(&front->listeners, &socket->link);
    return socket;
}

static void socket_free(struct turn_task *task)
{
    struct front_socket *socket = CONTAINER_OF(task, struct front_socket, free_task);
    arena_done(&socket->arena);
    mem_free(socket);
}

static void socket_close(struct front_socket *socket)
{
    list_remove(&socket->link);
    acceptor_close(socket->acceptor);
    socket->free_task.run = socket_free;
    loop_free_later(socket->front->scope->loop, &socket->free_task);
}

bool front_listen(struct front *front, const struct front_listener *listener, bool reuse_port,
                  struct address *ret_at, int *ret_errno)
{
    struct front_socket *socket = socket_open(front, listener, reuse_port, ret_errno);
    if (socket == NULL) {
        return false;
    }
    const struct address *at = acceptor_address(socket->acceptor);
    front_own_port(front, at->port);
    if (ret_at != NULL) {
        *ret_at = *at;
    }
    return true;
}

static struct front_socket *find_local(struct front *front, struct span service, uint16_t port,
                                       uint16_t local_port)
{
    LIST_EACH(&front->listeners, link)
    {
        struct front_socket *socket = CONTAINER_OF(link, struct front_socket, link);
        if (socket->from_phone_book && socket->listener.at.port == local_port &&
            socket->listener.service_port == port &&
            span_equal(socket->listener.service, service)) {
            return socket;
        }
    }
    return NULL;
}

static void open_local(struct front *front, const struct phone_number *number, uint16_t local_port)
{
    struct front_listener listener = {
        .side = FRONT_OUTBOUND,
        .service = number->host,
        .service_port = number->port,
    };
    address_parse_ip(SPAN("127.0.0.1"), &listener.at);
    listener.at.port = local_port;
    int error = 0;
    struct front_socket *socket = socket_open(front, &listener, true, &error);
    if (socket == NULL) {
        LOG_WARN("front", "a local port of the phone book cannot be opened",
                 LOG_SPAN("service", number->host), LOG_NUMBER("port", local_port),
                 LOG_NUMBER("errno", error));
        return;
    }
    socket->from_phone_book = true;
    socket->wanted = true;
}

void front_apply(struct front *front, const struct snapshot *snapshot)
{
    LIST_EACH(&front->listeners, before)
    {
        CONTAINER_OF(before, struct front_socket, link)->wanted = false;
    }
    size_t at = 0;
    struct arena names = {0};
    struct phone_number number;
    uint16_t local_port = 0;
    while (phone_book_next_local(snapshot->phone_book, &at, &names, &number, &local_port)) {
        struct front_socket *socket = find_local(front, number.host, number.port, local_port);
        if (socket != NULL) {
            socket->wanted = true;
        } else {
            open_local(front, &number, local_port);
        }
    }
    arena_done(&names);
    LIST_EACH(&front->listeners, after)
    {
        struct front_socket *socket = CONTAINER_OF(after, struct front_socket, link);
        if (socket->from_phone_book && !socket->wanted) {
            socket_close(socket);
        }
    }
}

static void drain(struct front *front, bool outbound)
{
    LIST_EACH(&front->conns, link)
    {
        struct client_conn *conn = CONTAINER_OF(link, struct client_conn, link);
        if ((conn->side == FRONT_OUTBOUND) == outbound) {
            client_conn_drain(conn);
        }
    }
}

void front_drain_inbound(struct front *front)
{
    front->scope->draining = true;
    drain(front, false);
}

void front_drain_outbound(struct front *front)
{
    drain(front, true);
}

uint32_t front_live(const struct front *front, enum front_side side)
{
    return front->live[side];
}

void front_destroy(struct front *front)
{
    if (front == NULL) {
        return;
    }
    LIST_EACH(&front->listeners, link)
    {
        socket_close(CONTAINER_OF(link, struct front_socket, link));
    }
    /* Cutting one may end others (tunnels inside of it), so each look starts anew. */
    for (struct link *first = list_first(&front->conns); first != NULL;
         first = list_first(&front->conns)) {
        struct client_conn *conn = CONTAINER_OF(first, struct client_conn, link);
        client_conn_cut(conn);
        if (list_first(&front->conns) == first) {
            list_remove(first); /* closes in this turn's free phase */
        }
    }
    loop_turn(front->scope->loop);
    mem_free(front);
}
