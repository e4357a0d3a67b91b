#include "tests/fakes/raw_peer.h"

#include "lib/base/memory.h"

#include <string.h>

enum { READ_BYTES = 16384 };

static void read_all(struct raw_peer *peer)
{
    for (;;) {
        mem_grow(&peer->received, &peer->received_capacity, peer->received_length + READ_BYTES + 1,
                 1);
        ssize_t got =
            transport_read(peer->transport, peer->received + peer->received_length, READ_BYTES);
        if (got <= 0) {
            peer->received[peer->received_length] = '\0';
            peer->got_end |= got == TRANSPORT_END;
            peer->got_failure |= got == TRANSPORT_FAILED;
            return;
        }
        peer->received_length += (size_t)got;
    }
}

/* What is still of interest: nothing more comes after an end or a failure. */
static void rearm(struct raw_peer *peer)
{
    bool listens = !peer->deaf && !peer->got_end && !peer->got_failure;
    unsigned write = peer->out.length > 0 && !peer->got_failure ? TRANSPORT_WRITABLE : 0;
    transport_want(peer->transport, (listens ? TRANSPORT_READABLE : 0) | write);
}

static void send_out(struct raw_peer *peer)
{
    if (peer->out.length > 0 && !transport_write_queue(peer->transport, &peer->out)) {
        byte_queue_drop(&peer->out, peer->out.length);
    }
    if (peer->out.length == 0 && peer->shut_after) {
        peer->shut_after = false;
        transport_shutdown(peer->transport);
    }
    rearm(peer);
}

static void on_ready(void *owner, unsigned events)
{
    struct raw_peer *peer = owner;
    peer->got_ready |= (events & TRANSPORT_READY) != 0;
    if (events & TRANSPORT_READABLE) {
        read_all(peer);
    }
    send_out(peer);
}

void raw_peer_own(struct raw_peer *peer, struct transport *transport)
{
    *peer = (struct raw_peer){.transport = transport};
    byte_queue_init(&peer->out);
    peer->received = mem_zalloc(1);
    peer->received_capacity = 1;
    transport_own(transport, on_ready, peer);
    rearm(peer);
}

void raw_peer_send(struct raw_peer *peer, const void *bytes, size_t length)
{
    byte_queue_copy(&peer->out, bytes, length);
    send_out(peer);
}

void raw_peer_send_text(struct raw_peer *peer, const char *text)
{
    raw_peer_send(peer, text, strlen(text));
}

void raw_peer_end(struct raw_peer *peer)
{
    peer->shut_after = true;
    send_out(peer);
}

void raw_peer_listen(struct raw_peer *peer, bool listen)
{
    peer->deaf = !listen;
    rearm(peer);
}

void raw_peer_clear(struct raw_peer *peer)
{
    peer->received_length = 0;
    peer->received[0] = '\0';
}

static void forget(struct raw_peer *peer)
{
    byte_queue_drop(&peer->out, peer->out.length);
    peer->transport = NULL;
}

void raw_peer_close(struct raw_peer *peer)
{
    transport_close(peer->transport);
    forget(peer);
}

void raw_peer_done(struct raw_peer *peer)
{
    if (peer->transport != NULL) {
        transport_abort(peer->transport);
        forget(peer);
    }
    mem_free(peer->received);
    *peer = (struct raw_peer){0};
}
