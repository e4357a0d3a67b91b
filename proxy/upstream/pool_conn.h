#ifndef REMORA_PROXY_UPSTREAM_POOL_CONN_H
#define REMORA_PROXY_UPSTREAM_POOL_CONN_H

#include "lib/http/http_conn.h"
#include "proxy/upstream/pool.h"

/*
 * One connection to an endpoint from its dial to its end. With a lane it becomes an HTTP connection
 * of that lane; without one it is a dial for a single TCP lease and ends by handing its transport
 * over. Freed when it is closed and no lease names it.
 */
enum pool_conn_state {
    POOL_CONN_DIALLING,
    POOL_CONN_OPEN,
    POOL_CONN_DRAINING, /* takes no new streams */
    POOL_CONN_CLOSED,
};

struct pool_conn {
    struct link link;   /* in lane->open (HTTP/1: only while idle) or lane->dialling */
    struct link pooled; /* in pool->conns until closed */
    struct lane *lane;
    struct endpoint *endpoint;
    struct lease *single;        /* TCP: for whom it dials */
    struct transport *transport; /* while dialling */
    struct http_conn *http;
    struct timer age;
    struct turn_task free_task;
    char *identity; /* of the verified peer; NULL = none */
    uint32_t leased;
    uint64_t uses;
    uint8_t state;
};

/* NULL and *ret_failure when nothing was dialled. */
struct pool_conn *pool_conn_dial(struct endpoint *endpoint, struct lane *lane, struct lease *single,
                                 const struct address *source, enum failure *ret_failure);
/* How many streams it takes now. */
size_t pool_conn_room(const struct pool_conn *conn);
/* NULL: no room after all. The stream is the lease's, to be given back with pool_conn_return. */
struct http_stream *pool_conn_open_stream(struct pool_conn *conn);
/*
 * It has left of its own accord before it carried anybody, while leases wait for it: as good as a
 * failed dial, and they are told so. To dial again for them would be to go on as fast as the
 * network can for as long as they may wait; what comes next is for their retry to decide, with its
 * back-off and its budget. False: not so, nothing done.
 */
bool pool_conn_give_up(struct pool_conn *conn, enum failure failure);
/* After the stream was released. */
void pool_conn_return(struct pool_conn *conn);
/* Takes no new streams, ends with the last. A dial is given up. */
void pool_conn_drain(struct pool_conn *conn);
void pool_conn_close(struct pool_conn *conn, enum failure failure);

#endif
