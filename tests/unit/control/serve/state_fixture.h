#ifndef REMORA_TESTS_CONTROL_SERVE_STATE_FIXTURE_H
#define REMORA_TESTS_CONTROL_SERVE_STATE_FIXTURE_H

#include "certs/keystore.h"

/* A state folder of its own for one case, deleted at the end. */
struct state_fixture {
    char folder[64];
    char secrets[96];
    struct keystore *store;
};

void state_fixture_init(struct state_fixture *state);
void state_fixture_done(struct state_fixture *state);
/* Replaces a file of the keystore behind its back. */
void state_fixture_write(struct state_fixture *state, const char *name, const char *text);
/* Makes the keystore fail from now on: its folder takes no new files. */
void state_fixture_freeze(struct state_fixture *state);

#endif
