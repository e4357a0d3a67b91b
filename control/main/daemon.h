#ifndef REMORA_CONTROL_MAIN_DAEMON_H
#define REMORA_CONTROL_MAIN_DAEMON_H

#include "control/main/settings.h"
#include "lib/net/loop.h"

/*
 * The parts of remora-control, put together:
 *
 *   state_folder ── mesh_ca, join_tokens
 *   directory_source ──> mesh_world ──> supply ──> xds_server
 *   admin_server looks at all of them
 */
struct daemon;

enum { DAEMON_REASON_BYTES = 320 };

/* NULL and a text. */
struct daemon *daemon_start(struct loop *loop, const struct settings *settings, char *reason);
/* Tells the proxies, lets go of the ports, and stops the loop a moment later. */
void daemon_stop(struct daemon *daemon);
/* After the loop has ended. */
void daemon_destroy(struct daemon *daemon);

#endif
