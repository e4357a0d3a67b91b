#ifndef REMORA_TESTS_UNIT_PROXY_DISCOVERY_ADS_RIG_H
#define REMORA_TESTS_UNIT_PROXY_DISCOVERY_ADS_RIG_H

#include "lib/base/map.h"
#include "lib/base/text.h"
#include "lib/grpc/grpc_channel.h"
#include "lib/grpc/grpc_server.h"
#include "lib/http/http_server.h"
#include "lib/xds/xds_discovery.h"
#include "proxy/discovery/xds_client.h"

/*
 * A discovery server that says only what the test tells it to, on loopback, and a client whose
 * owner writes down what it hears. Both logs are lines of text:
 *
 *   server: "open delta", "CDS names=a,b gone=c held=a:1 nonce=n1 version=1 error=... node=id"
 *           (only what is there; names sorted), "close"
 *   client: "CDS a=1", "CDS a gone", "CDS batch", "up", "down"
 *
 * The owner refuses resources whose name begins with "bad".
 */
struct ads_rig {
    struct loop *loop;
    struct address at;
    struct http_server *http;
    bool delta_unknown; /* the server has only the state of the world */
    struct grpc_served *stream;
    bool delta; /* of the stream */
    unsigned nonces;
    struct text asked;
    struct grpc_channel *channel;
    struct xds_client *client;
    struct map held[XDS_TYPES]; /* name -> version */
    struct text heard;
    const char *wanted; /* ads_until */
};

struct ads_item {
    const char *name;
    const char *version; /* delta */
};

void ads_open(struct ads_rig *rig, bool delta_unknown, bool state_of_the_world);
/* Server and channel alone: the client is the case's. */
void ads_open_bare(struct ads_rig *rig);
void ads_done(struct ads_rig *rig);
void ads_server_open(struct ads_rig *rig);
void ads_server_close(struct ads_rig *rig);
/* Fails the test when the line does not come. The log is emptied up to it. */
void ads_until_asked(struct ads_rig *rig, const char *line);
void ads_until_heard(struct ads_rig *rig, const char *line);
/* The line is not there now. */
void ads_assert_not_asked(struct ads_rig *rig, const char *part);
void ads_assert_not_heard(struct ads_rig *rig, const char *part);
/* A response with the next nonce ("n1", "n2", ...). */
void ads_respond(struct ads_rig *rig, enum xds_type type, const char *version,
                 const struct ads_item *items, size_t count, const char *removed);
/* The same with one real resource. */
void ads_respond_with(struct ads_rig *rig, enum xds_type type, const char *name,
                      const char *version, struct span bytes);
void ads_end_stream(struct ads_rig *rig, enum grpc_code code);
/* The owner holds it already. */
void ads_hold(struct ads_rig *rig, enum xds_type type, const char *name, const char *version);

#endif
