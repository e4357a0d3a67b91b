#ifndef REMORA_TESTS_CONTROL_SERVE_ADS_BENCH_H
#define REMORA_TESTS_CONTROL_SERVE_ADS_BENCH_H

#include "control/serve/subscriber.h"
#include "fake_supply.h"
#include "lib/xds/xds_discovery.h"

/*
 * One subscriber between a small world and a client that writes its requests in one line each:
 *
 *     ads_send(bench, XDS_LISTENER, "+a +b -c =d@1 ack nack:words")
 *
 * delta: +NAME subscribe, -NAME unsubscribe, =NAME@VERSION held; SotW: +NAME wanted. ack answers
 * the last response of the type, stale one before it.
 *
 * What was sent is read back as one line a response: "LDS a@1 b@2 -c". Versions are those that the
 * bytes are: the bytes of every resource are its version.
 */
enum { ADS_LINES = 64, ADS_LINE_BYTES = 512 };

struct ads_bench {
    struct fake_supply world;
    struct subscriber *subscriber;
    bool delta;
    bool full;   /* the client reads nothing */
    size_t room; /* so many responses until it is full; 0 = no limit */
    bool sent_node;
    const char *agent;
    struct arena arena;
    struct span nonces[XDS_TYPES], versions[XDS_TYPES], before[XDS_TYPES];
    char lines[ADS_LINES][ADS_LINE_BYTES];
    size_t count, taken;
    size_t largest;                          /* response in bytes */
    size_t told[XDS_TYPES], gone[XDS_TYPES]; /* resources and removals of all responses */
    struct xds_error error;
};

void ads_bench_init(struct ads_bench *bench, bool delta);
void ads_bench_done(struct ads_bench *bench);
enum grpc_code ads_send(struct ads_bench *bench, enum xds_type type, const char *words);
/* A change of the world, told at once. bytes NULL: gone. */
void ads_change(struct ads_bench *bench, enum xds_type type, const char *name, const char *bytes);
/* The next line that was not taken yet; "" when there is none. */
const char *ads_take(struct ads_bench *bench);

#endif
