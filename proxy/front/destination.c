#include "proxy/front/destination.h"

#include "lib/tls/client_hello.h"
#include "proxy/front/original_dst.h"

static void use_number(struct client_conn *conn, const struct phone_number *number)
{
    struct request_origin *origin = &conn->origin;
    origin->service_host = number->host;
    origin->listener = number->listener;
    origin->workload = number->workload;
    if (number->port != 0) {
        origin->port = number->port;
    }
    conn->protocol = number->protocol;
    origin->protocol = number->protocol;
}

bool destination_find(struct client_conn *conn)
{
    struct phone_number number;
    if (!phone_book_find(conn->snapshot->phone_book, &conn->origin.original_dst, &conn->arena,
                         &number)) {
        return false;
    }
    use_number(conn, &number);
    return true;
}

bool destination_service(struct client_conn *conn, struct span service, uint16_t port)
{
    struct phone_number number;
    if (!phone_book_find_service(conn->snapshot->phone_book, service, port, &conn->arena,
                                 &number)) {
        return false;
    }
    use_number(conn, &number);
    return true;
}

void destination_outside(struct client_conn *conn)
{
    conn->needs_host = conn->snapshot->workload->facts.egress_denied;
    conn->protocol = XDS_PROTOCOL_AUTO;
}

bool destination_by_hello(struct client_conn *conn)
{
    static _Thread_local unsigned char scratch[CLIENT_HELLO_BYTES];
    struct client_hello hello;
    struct phone_number number;
    struct span bytes = span_make(conn->first_bytes->bytes, conn->first_bytes->used);
    if (client_hello_read(bytes, scratch, &hello) != CLIENT_HELLO_DONE ||
        hello.server_name[0] == '\0' ||
        !phone_book_find_host(conn->snapshot->phone_book, span_of(hello.server_name),
                              conn->origin.original_dst.port, &conn->arena, &number)) {
        return false;
    }
    use_number(conn, &number);
    conn->needs_host = false;
    return true;
}

enum failure destination_original(const struct front *front, int fd, const struct address *local,
                                  const struct address *peer, struct address *ret)
{
    const struct own_places own = {
        .addresses = local,
        .address_count = 1,
        .ports = front->own_ports,
        .port_count = front->own_port_count,
    };
    return original_dst_find(fd, local, peer, &own, ret);
}
