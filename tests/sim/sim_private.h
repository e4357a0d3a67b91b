#ifndef REMORA_TESTS_SIM_SIM_PRIVATE_H
#define REMORA_TESTS_SIM_SIM_PRIVATE_H

#include "tests/sim/sim.h"

/* sim_client.c. */
void sim_client_open(struct sim *sim);
/* HTTP/2: sends when there is room for a stream. */
void sim_client_go(struct sim *sim);
void sim_client_read(struct sim *sim, struct sim_result *result);
/* The client knows how its request ended, and nothing is in flight. */
bool sim_is_over(struct sim *sim);
void sim_client_done(struct sim *sim);

/* sim_upstream.c: settles new dials, answers. True when it did something. */
bool sim_upstreams_go(struct sim *sim);

#endif
