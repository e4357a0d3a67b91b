#include "proxy/front/hbone.h"

#include "lib/base/memory.h"
#include "lib/http/connect_transport.h"
#include "proxy/request/local_reply.h"

/* Until the head is there; then the stream belongs to a transport or is answered. */
struct hbone {
    struct arena arena;
    struct client_conn *conn;
    struct http_stream *stream;
    struct turn_task free_task;
};

static void hbone_free(struct turn_task *task)
{
    struct hbone *hbone = CONTAINER_OF(task, struct hbone, free_task);
    arena_done(&hbone->arena);
    mem_free(hbone);
}

static void hbone_over(struct hbone *hbone)
{
    hbone->free_task.run = hbone_free;
    loop_free_later(hbone->conn->front->scope->loop, &hbone->free_task);
}

static void refuse(struct hbone *hbone, struct http_head *head, enum failure failure,
                   const char *detail)
{
    observe_refused(hbone->conn->front->scope->observe, RECORD_INBOUND, failure,
                    &hbone->conn->origin.downstream, 0);
    local_reply_send(hbone->stream, head, failure, span_of(detail), true, &hbone->arena);
    http_stream_release(hbone->stream);
    hbone_over(hbone);
}

/*
 * The tunnel may lead to this pod only: to the address that the peer has reached, any of its ports
 * but ours. Not to loopback: what listens there alone has not meant to be reached. In explicit mode
 * only what an inbound listener stands for, and that is where it leads.
 */
static enum failure find_target(const struct client_conn *conn, struct address *to)
{
    const struct front *front = conn->front;
    bool is_explicit;
    if (front_inbound_at(front, to, &is_explicit, to)) {
        return FAILURE_NONE;
    }
    for (uint32_t i = 0; i < front->own_port_count; i++) {
        if (front->own_ports[i] == to->port) {
            return FAILURE_LOOP;
        }
    }
    return !is_explicit && address_equal_ip(to, &conn->origin.original_dst) ? FAILURE_NONE
                                                                            : FAILURE_MISDIRECTED;
}

static void on_head(void *owner, struct http_head *head)
{
    struct hbone *hbone = owner;
    struct client_conn *conn = hbone->conn;
    struct address to;
    if (head->method_token != HTTP_METHOD_CONNECT || head->upgrade.length > 0) {
        refuse(hbone, head, FAILURE_BAD_REQUEST, "this port takes CONNECT only");
        return;
    }
    if (!address_parse(head->authority, &to)) {
        refuse(hbone, head, FAILURE_BAD_REQUEST, "the authority is no address with a port");
        return;
    }
    struct address target = to;
    enum failure failure = find_target(conn, &target);
    if (failure != FAILURE_NONE) {
        refuse(hbone, head, failure, "the tunnel leads elsewhere");
        return;
    }
    struct http_head answer;
    http_head_init(&answer, &hbone->arena);
    answer.status = 200;
    answer.has_body = true;
    http_stream_send_head(hbone->stream, &answer, false);
    struct transport *transport = connect_transport_server(conn->front->scope->loop, hbone->stream,
                                                           &to, &conn->origin.downstream);
    client_conn_inner(conn->front, transport, &target, to.port, conn->origin.peer_identity);
    hbone_over(hbone);
}

static void on_reset(void *owner, enum failure failure)
{
    struct hbone *hbone = owner;
    http_stream_release(hbone->stream);
    hbone_over(hbone);
}

/* Nothing but the head can come before the stream has been given away. */
static void on_body(void *owner, const struct piece *piece)
{
}

static void on_trailers(void *owner, struct headers *trailers)
{
}

static void on_nothing(void *owner)
{
}

static const struct http_stream_events events = {
    .on_head = on_head,
    .on_body = on_body,
    .on_trailers = on_trailers,
    .on_end = on_nothing,
    .on_room = on_nothing,
    .on_reset = on_reset,
};

void hbone_open(struct client_conn *conn, struct http_stream *stream)
{
    struct hbone *hbone = NEW(struct hbone);
    hbone->conn = conn;
    hbone->stream = stream;
    arena_init(&hbone->arena);
    http_stream_attach(stream, &hbone->arena, &events, hbone);
}
