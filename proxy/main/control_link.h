#ifndef REMORA_PROXY_MAIN_CONTROL_LINK_H
#define REMORA_PROXY_MAIN_CONTROL_LINK_H

/*
 * What the main thread has with the control plane: one channel, the identity that is fetched over
 * it, and the configuration. Until there is a certificate the channel shows none and the join token
 * speaks for us; with one it is mutual TLS. An expired certificate is not shown: then the token
 * speaks again.
 */

#include "lib/stats/registry.h"
#include "proxy/discovery/apply.h"
#include "proxy/identity/workload_identity.h"
#include "proxy/main/options.h"

struct control_link;

struct control_link_events {
    void (*on_snapshot)(void *owner, struct snapshot *snapshot);
    void (*on_tls)(void *owner, struct tls_config *client, struct tls_config *server,
                   bool new_roots);
    void (*on_state)(void *owner, bool connected);
};

/*
 * The registry, which outlives the link, is what load reports tell of. NULL, and a text, when the
 * options cannot work (files missing, names that make no identity).
 */
struct control_link *control_link_create(struct loop *loop, const struct proxy_options *options,
                                         const struct stats_registry *registry,
                                         const struct control_link_events *events, void *owner,
                                         char *reason, size_t reason_bytes);
void control_link_destroy(struct control_link *link);
struct apply *control_link_apply(struct control_link *link);
struct workload_identity *control_link_identity(struct control_link *link);
bool control_link_connected(const struct control_link *link);
/* Why not, "" when connected. */
const char *control_link_error(const struct control_link *link);

#endif
