#include "lib/tls/tls_feed.h"

#include "lib/base/check.h"
#include "lib/net/transport.h"

#include <openssl/bio.h>

#include <pthread.h>
#include <string.h>

static _Thread_local struct scratch {
    struct tls_feed *owner; /* NULL = free */
    size_t at;
    size_t end;
    unsigned char bytes[TLS_FEED_BYTES];
} scratch;

static pthread_once_t method_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

static void release(struct tls_feed *feed)
{
    if (scratch.owner == feed) {
        scratch.owner = NULL;
    }
}

static void evict(void)
{
    if (scratch.owner != NULL) {
        byte_queue_copy(&scratch.owner->kept, scratch.bytes + scratch.at, scratch.end - scratch.at);
        scratch.owner = NULL;
    }
}

void tls_feed_init(struct tls_feed *feed, struct transport *lower)
{
    *feed = (struct tls_feed){.lower = lower};
    byte_queue_init(&feed->kept);
    byte_queue_init(&feed->out);
}

void tls_feed_done(struct tls_feed *feed)
{
    release(feed);
    byte_queue_done(&feed->kept);
    byte_queue_done(&feed->out);
}

bool tls_feed_has_bytes(const struct tls_feed *feed)
{
    return scratch.owner == feed || feed->kept.length > 0;
}

/* False when nothing came. */
static bool fill(struct tls_feed *feed)
{
    evict();
    ssize_t got = transport_read(feed->lower, scratch.bytes, sizeof(scratch.bytes));
    if (got == TRANSPORT_END) {
        feed->state = TLS_FEED_ENDED;
    } else if (got == TRANSPORT_FAILED) {
        feed->state = TLS_FEED_FAILED;
    }
    if (got <= 0) {
        return false;
    }
    scratch.owner = feed;
    scratch.at = 0;
    scratch.end = (size_t)got;
    return true;
}

static int bio_read(BIO *bio, char *into, int room)
{
    struct tls_feed *feed = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (room <= 0) {
        return 0;
    }
    size_t taken = byte_queue_peek(&feed->kept, 0, into, (size_t)room);
    if (taken > 0) {
        byte_queue_drop(&feed->kept, taken);
        return (int)taken;
    }
    if (scratch.owner != feed && (feed->state != TLS_FEED_OPEN || !fill(feed))) {
        if (feed->state == TLS_FEED_OPEN) {
            BIO_set_retry_read(bio);
            return -1;
        }
        return 0;
    }
    taken = scratch.end - scratch.at;
    if (taken > (size_t)room) {
        taken = (size_t)room;
    }
    memcpy(into, scratch.bytes + scratch.at, taken);
    scratch.at += taken;
    if (scratch.at == scratch.end) {
        release(feed);
    }
    return (int)taken;
}

static int bio_write(BIO *bio, const char *bytes, int length)
{
    struct tls_feed *feed = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (length > 0) {
        byte_queue_copy(&feed->out, bytes, (size_t)length);
    }
    return length;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH;
}

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index(), "remora feed");
    CHECK(method != NULL && BIO_meth_set_read(method, bio_read) &&
          BIO_meth_set_write(method, bio_write) && BIO_meth_set_ctrl(method, bio_ctrl));
}

BIO *tls_feed_bio(struct tls_feed *feed)
{
    CHECK(pthread_once(&method_once, make_method) == 0);
    BIO *bio = BIO_new(method);
    CHECK(bio != NULL);
    BIO_set_data(bio, feed);
    BIO_set_init(bio, 1);
    return bio;
}
