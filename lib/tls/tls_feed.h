#ifndef REMORA_TLS_TLS_FEED_H
#define REMORA_TLS_TLS_FEED_H

#include "lib/base/byte_queue.h"

#include <openssl/base.h>
#include <stdbool.h>

struct transport;

/*
 * The BIO between a TLS connection and the transport below it.
 *
 * Reading: one transport_read of up to 64 KiB lands in scratch of the thread and feeds many
 * records. The scratch stays lent to the connection while bytes are left in it; only when another
 * connection of the thread needs it are they copied to the queue `kept`. Writing: records are
 * appended to the queue `out`, which the owner flushes.
 */
enum { TLS_FEED_BYTES = 65536 };

enum tls_feed_state { TLS_FEED_OPEN, TLS_FEED_ENDED, TLS_FEED_FAILED };

struct tls_feed {
    struct transport *lower;
    struct byte_queue kept;
    struct byte_queue out;
    enum tls_feed_state state; /* of the lower transport's reading side */
};

void tls_feed_init(struct tls_feed *feed, struct transport *lower);
void tls_feed_done(struct tls_feed *feed);
/* The feed must outlive the BIO. */
BIO *tls_feed_bio(struct tls_feed *feed);
/* Bytes that were read from below and that TLS has not taken yet. */
bool tls_feed_has_bytes(const struct tls_feed *feed);

#endif
