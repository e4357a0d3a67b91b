#ifndef REMORA_CONTROL_SERVE_STATE_FOLDER_H
#define REMORA_CONTROL_SERVE_STATE_FOLDER_H

#include "certs/keystore.h"

/*
 * The control plane's folder:
 *
 *   lock         held while the daemon runs, or while remoractl works on the folder itself
 *   secrets/     keystore (0700): keys of the authority, hashes of the join tokens
 *   root.pem     the mesh's root certificates, for everybody (0644)
 *   admin.sock   where the daemon answers its own user and root
 */
enum { STATE_PATH_BYTES = 1024, STATE_REASON_BYTES = 320 };

struct state_folder {
    int lock;
    struct keystore *store;
    char root_pem[STATE_PATH_BYTES];
    char admin_socket[STATE_PATH_BYTES];
};

enum state_status { STATE_OPEN, STATE_LOCKED, STATE_FAILED };

/* Makes what is missing. LOCKED: another process has it. A text (STATE_REASON_BYTES) unless OPEN.
 */
enum state_status state_folder_open(const char *path, struct state_folder *ret, char *reason);
void state_folder_close(struct state_folder *folder);
/* False when the path is too long for a socket's address. into: STATE_PATH_BYTES. */
bool state_folder_socket(const char *path, char *into);

#endif
