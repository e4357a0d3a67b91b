#ifndef REMORA_CONTROL_ADMIN_ADMIN_SERVER_H
#define REMORA_CONTROL_ADMIN_ADMIN_SERVER_H

#include "control/serve/mesh_world.h"
#include "control/serve/xds_server.h"

/*
 * What the control plane says of itself, over HTTP at two places:
 *
 *   admin.sock   the folder's Unix socket, mode 0600, only for our own user and root: everything.
 *                remoractl talks to it.
 *   15014        TCP, for whoever reaches it: GET of /metrics, /ready and /live, nothing else
 *                (CVE-2026-31838: open debug pages).
 *
 * GET  /metrics /ready /live /version /status /proxies /top /ca /tokens /debug/config?proxy=ID
 * POST /tokens   {"namespace", "serviceAccount", "lifetimeSeconds", "reusable"}: answers the token
 * POST /tokens/ID/revoke
 */
struct admin_server;

struct admin_server_options {
    const char *socket_path;
    struct address metrics_at; /* family 0 = nowhere */
    const char *version;
    struct xds_server *xds;
    struct mesh_world *mesh;
    struct mesh_ca *ca;
    struct join_tokens *tokens;
    struct control_stats *stats;
    struct load_table *load;
};

enum { ADMIN_REASON_BYTES = 320 };

/* What the options point at outlives it. NULL and a text. */
struct admin_server *admin_server_open(struct loop *loop,
                                       const struct admin_server_options *options, char *reason);
const struct address *admin_server_metrics_address(const struct admin_server *server);
/* Takes NULL. Frees after the turn. */
void admin_server_close(struct admin_server *server);

#endif
