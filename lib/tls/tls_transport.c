#include "lib/tls/tls_connection.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <openssl/err.h>

#include <string.h>

enum {
    RECORD_BYTES = 16384,     /* the most plaintext of one record */
    UNSENT_LIMIT = 64 * 1024, /* what write accepts ahead of the lower layer */
    CLOSE_LIMIT_MS = 5000,
};

static const struct transport_ops tls_ops;

static struct tls_connection *self(struct transport *transport)
{
    return (struct tls_connection *)(void *)transport;
}

static size_t unsent_here(const struct tls_connection *tls)
{
    return tls->plain.length + tls->feed.out.length;
}

/* ---- telling the owner ---- */

static unsigned events_now(const struct tls_connection *tls)
{
    unsigned events = 0;
    bool failed = tls->base.failure != FAILURE_NONE;
    if (failed || tls->read_ended ||
        (tls->base.is_ready && (SSL_pending(tls->ssl) > 0 || tls_feed_has_bytes(&tls->feed) ||
                                tls->feed.state != TLS_FEED_OPEN))) {
        events |= TRANSPORT_READABLE;
    }
    if (failed || tls->write_failed ||
        (tls->base.is_ready && unsent_here(tls) <= UNSENT_LIMIT / 2)) {
        events |= TRANSPORT_WRITABLE;
    }
    return events & tls->base.wanted;
}

/* Asks the lower layer for what is missing, or the loop for another call where nothing is. */
static void settle(struct tls_connection *tls)
{
    if (tls->closing) {
        return;
    }
    unsigned now = events_now(tls);
    if (now != 0) {
        loop_ready_later(tls->base.loop, &tls->again);
    }
    bool reads = tls->base.failure == FAILURE_NONE && tls->feed.state == TLS_FEED_OPEN &&
                 !(now & TRANSPORT_READABLE) &&
                 (!tls->base.is_ready || (tls->base.wanted & TRANSPORT_READABLE));
    unsigned wanted = reads ? TRANSPORT_READABLE : 0;
    if (tls->feed.out.length > 0) {
        wanted |= TRANSPORT_WRITABLE;
    }
    transport_want(tls->feed.lower, wanted);
}

static void tell(struct tls_connection *tls, unsigned also)
{
    unsigned events = events_now(tls) | also;
    if (events != 0) {
        transport_notify(&tls->base, events);
    }
    settle(tls);
}

static void run_again(struct turn_task *task)
{
    tell(CONTAINER_OF(task, struct tls_connection, again), 0);
}

/* ---- sending ---- */

static _Thread_local unsigned char gathered[RECORD_BYTES];

/* One record. The feed takes all that BoringSSL writes, so that it is whole or an error. */
static void seal(struct tls_connection *tls, const void *bytes, size_t length)
{
    ERR_clear_error();
    int sealed = SSL_write(tls->ssl, bytes, (int)length);
    if (sealed <= 0) {
        tls_connection_fail_ssl(tls, sealed);
        return;
    }
    CHECK((size_t)sealed == length);
}

static void seal_rest(struct tls_connection *tls)
{
    size_t length = tls->plain.length;
    if (length > 0 && tls->base.failure == FAILURE_NONE) {
        CHECK(byte_queue_peek(&tls->plain, 0, gathered, RECORD_BYTES) == length);
        seal(tls, gathered, length);
    }
    byte_queue_drop(&tls->plain, length);
    if (tls->shut && !tls->shut_told && tls->base.is_ready && tls->base.failure == FAILURE_NONE) {
        tls->shut_told = true;
        ERR_clear_error();
        (void)SSL_shutdown(tls->ssl);
    }
}

/* What is sealed goes down in one write. */
static void send_out(struct tls_connection *tls)
{
    if (tls->write_failed) {
        byte_queue_drop(&tls->feed.out, tls->feed.out.length);
    } else if (tls->feed.out.length > 0 &&
               !transport_write_queue(tls->feed.lower, &tls->feed.out)) {
        /* Not yet a failure of ours: what the peer said before it went is still to be read. */
        byte_queue_drop(&tls->feed.out, tls->feed.out.length);
        tls->write_failed = true;
    }
}

static void finish_close(struct tls_connection *tls, bool graceful);

static void run_flush(struct turn_task *task)
{
    struct tls_connection *tls = CONTAINER_OF(task, struct tls_connection, flush);
    if (tls->base.is_ready) {
        seal_rest(tls);
    }
    send_out(tls);
    if (!tls->closing) {
        settle(tls);
    } else if (tls->feed.out.length == 0) {
        finish_close(tls, tls->base.failure == FAILURE_NONE || tls->refused);
    }
}

void tls_connection_flush_later(struct tls_connection *tls)
{
    loop_flush_later(tls->base.loop, &tls->flush);
}

/* A position in what the owner writes. */
struct cursor {
    const struct iovec *vector;
    size_t at;
};

static const unsigned char *here(struct cursor *cursor, size_t *ret_length)
{
    while (cursor->at == cursor->vector->iov_len) {
        cursor->vector++;
        cursor->at = 0;
    }
    *ret_length = cursor->vector->iov_len - cursor->at;
    return (const unsigned char *)cursor->vector->iov_base + cursor->at;
}

static void take(struct cursor *cursor, unsigned char *into, size_t length)
{
    while (length > 0) {
        size_t there;
        const unsigned char *from = here(cursor, &there);
        size_t part = there < length ? there : length;
        memcpy(into, from, part);
        into += part;
        cursor->at += part;
        length -= part;
    }
}

/* A whole record, from where it lies when it lies in one piece. Returns how many new bytes it took.
 */
static size_t seal_record(struct tls_connection *tls, struct cursor *cursor)
{
    size_t there;
    const unsigned char *from = here(cursor, &there);
    size_t old = tls->plain.length;
    if (old > 0 || there < RECORD_BYTES) {
        byte_queue_peek(&tls->plain, 0, gathered, old);
        byte_queue_drop(&tls->plain, old);
        take(cursor, gathered + old, RECORD_BYTES - old);
        from = gathered;
    } else {
        cursor->at += RECORD_BYTES;
    }
    seal(tls, from, RECORD_BYTES);
    return RECORD_BYTES - old;
}

static void keep_plain(struct tls_connection *tls, struct cursor *cursor, size_t length)
{
    while (length > 0) {
        size_t there;
        const unsigned char *from = here(cursor, &there);
        size_t part = there < length ? there : length;
        byte_queue_copy(&tls->plain, from, part);
        cursor->at += part;
        length -= part;
    }
}

static size_t sum(const struct iovec *vectors, int count)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++) {
        bytes += vectors[i].iov_len;
    }
    return bytes;
}

static ssize_t tls_write(struct transport *transport, const struct iovec *vectors, int count)
{
    struct tls_connection *tls = self(transport);
    if (tls->write_failed) {
        transport_fail(transport, tls->feed.lower->failure, tls->feed.lower->failure_detail);
    }
    if (transport->failure != FAILURE_NONE) {
        return TRANSPORT_FAILED;
    }
    size_t unsent = unsent_here(tls);
    if (!transport->is_ready || tls->shut || unsent >= UNSENT_LIMIT) {
        return 0;
    }
    size_t accepted = sum(vectors, count);
    if (accepted > UNSENT_LIMIT - unsent) {
        accepted = UNSENT_LIMIT - unsent;
    }
    struct cursor cursor = {vectors, 0};
    size_t left = accepted;
    while (tls->plain.length + left >= RECORD_BYTES && transport->failure == FAILURE_NONE) {
        left -= seal_record(tls, &cursor);
    }
    if (transport->failure != FAILURE_NONE) {
        return TRANSPORT_FAILED;
    }
    keep_plain(tls, &cursor, left);
    if (accepted > 0) {
        tls_connection_flush_later(tls);
    }
    return (ssize_t)accepted;
}

static size_t tls_unsent(const struct transport *transport)
{
    const struct tls_connection *tls = (const struct tls_connection *)(const void *)transport;
    return unsent_here(tls) + transport_unsent(tls->feed.lower);
}

static void tls_shutdown(struct transport *transport)
{
    struct tls_connection *tls = self(transport);
    tls->shut = true;
    tls_connection_flush_later(tls);
}

/* ---- receiving ---- */

static ssize_t tls_read(struct transport *transport, void *into, size_t room)
{
    struct tls_connection *tls = self(transport);
    if (!transport->is_ready) {
        return transport->failure != FAILURE_NONE ? TRANSPORT_FAILED : TRANSPORT_AGAIN;
    }
    size_t got = 0;
    while (got < room && !tls->read_ended && transport->failure == FAILURE_NONE) {
        size_t part = room - got < INT32_MAX ? room - got : INT32_MAX;
        ERR_clear_error();
        int result = SSL_read(tls->ssl, (char *)into + got, (int)part);
        if (result > 0) {
            got += (size_t)result;
            tls->has_read = true;
            continue;
        }
        int error = SSL_get_error(tls->ssl, result);
        if (error == SSL_ERROR_WANT_READ) {
            break;
        }
        if (error == SSL_ERROR_ZERO_RETURN) {
            tls->read_ended = true;
        } else {
            tls_connection_fail_ssl(tls, result);
        }
    }
    if (tls->feed.out.length > 0) {
        tls_connection_flush_later(tls); /* TLS answers by itself: a key update, an alert */
    }
    settle(tls);
    if (got > 0) {
        return (ssize_t)got;
    }
    if (transport->failure != FAILURE_NONE) {
        return TRANSPORT_FAILED;
    }
    return tls->read_ended ? TRANSPORT_END : TRANSPORT_AGAIN;
}

static void tls_want(struct transport *transport, unsigned events)
{
    settle(self(transport));
}

/* ---- driving ---- */

static void step(struct tls_connection *tls, unsigned events)
{
    unsigned also = 0;
    if (events & (TRANSPORT_WRITABLE | TRANSPORT_READY)) {
        send_out(tls);
    }
    if (!tls->base.is_ready && tls->base.failure == FAILURE_NONE) {
        if (tls_connection_handshake(tls)) {
            timer_stop(&tls->deadline);
            also = TRANSPORT_READY;
        }
        if (tls->feed.out.length > 0) {
            tls_connection_flush_later(tls);
        }
    } else if (events & TRANSPORT_READABLE) {
        also = TRANSPORT_READABLE;
    }
    if (tls->base.failure != FAILURE_NONE) {
        timer_stop(&tls->deadline);
    }
    tell(tls, also);
}

static void on_lower(void *owner, unsigned events)
{
    struct tls_connection *tls = owner;
    if (!tls->closing) {
        step(tls, events);
        return;
    }
    send_out(tls);
    if (tls->feed.out.length == 0) {
        finish_close(tls, tls->base.failure == FAILURE_NONE || tls->refused);
    }
}

static void on_deadline(struct timer *timer)
{
    struct tls_connection *tls = CONTAINER_OF(timer, struct tls_connection, deadline);
    if (tls->closing) {
        finish_close(tls, false);
        return;
    }
    tls_connection_fail(tls, FAILURE_TLS_HANDSHAKE, "the handshake did not end in time");
    tell(tls, 0);
}

/* ---- beginning and end ---- */

static void run_free(struct turn_task *task)
{
    struct tls_connection *tls = CONTAINER_OF(task, struct tls_connection, free);
    tls_connection_done(tls);
    tls_feed_done(&tls->feed);
    byte_queue_done(&tls->plain);
    transport_done(&tls->base);
    mem_free(tls);
}

static void finish_close(struct tls_connection *tls, bool graceful)
{
    if (tls->lower_closed) {
        return;
    }
    tls->lower_closed = true;
    timer_stop(&tls->deadline);
    turn_task_cancel(&tls->flush);
    turn_task_cancel(&tls->again);
    turn_task_cancel(&tls->at_destroy);
    if (graceful) {
        transport_close(tls->feed.lower);
    } else {
        transport_abort(tls->feed.lower);
    }
    loop_free_later(tls->base.loop, &tls->free);
}

static void run_at_destroy(struct turn_task *task)
{
    finish_close(CONTAINER_OF(task, struct tls_connection, at_destroy), false);
}

static void tls_close(struct transport *transport, bool graceful)
{
    struct tls_connection *tls = self(transport);
    tls->closing = true;
    turn_task_cancel(&tls->again);
    bool has_words = transport->is_ready || tls->refused;
    if (!graceful || !has_words) {
        finish_close(tls, graceful);
        return;
    }
    tls->shut = true;
    if (transport->is_ready) {
        seal_rest(tls);
    }
    transport_want(tls->feed.lower, 0);
    loop_at_destroy(transport->loop, &tls->at_destroy);
    timer_start(&tls->deadline, CLOSE_LIMIT_MS * NS_PER_MS);
    tls_connection_flush_later(tls);
}

static const struct transport_ops tls_ops = {
    .name = "tls",
    .read = tls_read,
    .write = tls_write,
    .shutdown = tls_shutdown,
    .want = tls_want,
    .close = tls_close,
    .unsent = tls_unsent,
};

struct transport *tls_transport_create(struct transport *lower,
                                       const struct tls_transport_options *options)
{
    CHECK(options->handshake_timeout_ms > 0);
    struct tls_connection *tls = NEW(struct tls_connection);
    transport_init(&tls->base, &tls_ops, lower->loop);
    tls->base.local = lower->local;
    tls->base.peer = lower->peer;
    tls->again.run = run_again;
    tls->flush.run = run_flush;
    tls->free.run = run_free;
    tls->at_destroy.run = run_at_destroy;
    byte_queue_init(&tls->plain);
    tls_feed_init(&tls->feed, lower);
    tls_connection_init(tls, options);
    timer_init(&tls->deadline, lower->loop, on_deadline);
    timer_start(&tls->deadline, options->handshake_timeout_ms * NS_PER_MS);
    transport_own(lower, on_lower, tls);
    if (!tls->config->is_server) {
        /* The first flight does not wait for the connection: it goes with the first write. */
        (void)tls_connection_handshake(tls);
        tls_connection_flush_later(tls);
    }
    settle(tls);
    return &tls->base;
}

const struct tls_facts *tls_transport_facts(const struct transport *transport)
{
    return transport->ops == &tls_ops
               ? &((const struct tls_connection *)(const void *)transport)->facts
               : NULL;
}
