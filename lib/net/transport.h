#ifndef REMORA_NET_TRANSPORT_H
#define REMORA_NET_TRANSPORT_H

#include "lib/base/byte_queue.h"
#include "lib/base/failure.h"
#include "lib/net/address.h"
#include "lib/net/loop.h"

#include <sys/types.h>

/*
 * THE byte stream. TCP, TLS over any transport, an HTTP/2 CONNECT stream and the fakes of the tests
 * all look like this, and each knows only the layer below it.
 *
 * Readiness is level-triggered: while the owner wants TRANSPORT_READABLE and there is something to
 * read (bytes, the end, or a failure), on_ready is called again each turn; the same for writing.
 * on_ready is only called from the loop, never from inside a function of this header. An owner may
 * close the transport in on_ready.
 *
 * Connecting and handshakes are part of the transport: until they are done reads give
 * TRANSPORT_AGAIN and writes accept nothing; then TRANSPORT_READY is told once, wanted or not. A
 * connect or handshake that fails is a read failure like any other: who waits for READY wants
 * READABLE as well. A transport that is ready from the start has is_ready set and tells no READY.
 *
 * Sending is shaped for one system call a turn: a layer may accept bytes and hand them on in the
 * loop's flush phase.
 */
enum transport_event {
    TRANSPORT_READABLE = 1,
    TRANSPORT_WRITABLE = 2,
    TRANSPORT_READY = 4, /* connected, handshake done; told once */
};

enum { TRANSPORT_END = 0, TRANSPORT_AGAIN = -1, TRANSPORT_FAILED = -2 };

struct transport;

struct transport_ops {
    const char *name;
    /* > 0 bytes read; TRANSPORT_END (the peer's clean end); TRANSPORT_AGAIN; TRANSPORT_FAILED. */
    ssize_t (*read)(struct transport *transport, void *into, size_t room);
    /* Accepts as many of the bytes as there is room for; 0 = none now; TRANSPORT_FAILED. */
    ssize_t (*write)(struct transport *transport, const struct iovec *vectors, int count);
    /* No more writes; the peer sees a clean end after what was accepted. Reading goes on. */
    void (*shutdown)(struct transport *transport);
    /* Replaces the set of wanted events (READABLE, WRITABLE). */
    void (*want)(struct transport *transport, unsigned events);
    /* Ends ownership. graceful: accepted bytes are still sent in the background, for at most 5 s.
     */
    void (*close)(struct transport *transport, bool graceful);
    /* Bytes accepted from the owner that no lower layer has taken yet. */
    size_t (*unsent)(const struct transport *transport);
};

/* The common head of every transport; the first member of each kind's own struct. */
struct transport {
    const struct transport_ops *ops;
    struct loop *loop;
    void (*on_ready)(void *owner, unsigned events);
    void *owner;
    struct address local;
    struct address peer;
    enum failure failure;       /* why TRANSPORT_FAILED; stays */
    const char *failure_detail; /* static text or NULL */
    unsigned wanted;
    bool is_ready;
    struct byte_queue unread; /* given back by transport_unread; read first */
    struct turn_task unread_task;
};

/* For those who implement a transport. */
void transport_init(struct transport *transport, const struct transport_ops *ops,
                    struct loop *loop);
void transport_done(struct transport *transport);
/* Calls the owner; events that are neither wanted nor READY are left out. READY sets is_ready. */
void transport_notify(struct transport *transport, unsigned events);
/* Records the first failure; later ones are ignored. Returns TRANSPORT_FAILED. */
ssize_t transport_fail(struct transport *transport, enum failure failure, const char *detail);

/* For owners. A transport has exactly one owner at a time; it may be handed on between turns. */
void transport_own(struct transport *transport, void (*on_ready)(void *owner, unsigned events),
                   void *owner);
ssize_t transport_read(struct transport *transport, void *into, size_t room);
ssize_t transport_write(struct transport *transport, const struct iovec *vectors, int count);
/*
 * Writes what it can of the queue and drops that from it; wants WRITABLE while bytes are left and
 * stops wanting it when none are. False on failure.
 */
bool transport_write_queue(struct transport *transport, struct byte_queue *queue);
/* Gives bytes back: they are the next to be read. For those who looked at a first few (detection).
 */
void transport_unread(struct transport *transport, struct span bytes);
void transport_want(struct transport *transport, unsigned events);
void transport_shutdown(struct transport *transport);
/* After either, the pointer is dead to the owner and no callback comes. abort: TCP resets. */
void transport_close(struct transport *transport);
void transport_abort(struct transport *transport);
size_t transport_unsent(const struct transport *transport);

#endif
