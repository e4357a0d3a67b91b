#ifndef REMORA_CONTROL_CLI_DAEMON_LINK_H
#define REMORA_CONTROL_CLI_DAEMON_LINK_H

#include "control/cli/command.h"

#include <jansson.h>

/*
 * Questions over HTTP that are waited for: to remora-control through the socket in its state
 * folder, and to a proxy's admin port.
 */
enum { LINK_REASON_BYTES = 512, LINK_TIMEOUT_MS = 10000 };

struct link_answer {
    uint16_t status;
    struct text body;
};

/* body empty: GET, else POST. False and a text when nobody answered. */
bool link_ask_daemon(const char *state_dir, const char *path, struct span body,
                     struct link_answer *ret, char *reason);
bool link_ask_proxy(const struct address *admin, const char *path, struct link_answer *ret,
                    char *reason);
void link_answer_done(struct link_answer *answer);

/*
 * A page of the daemon as JSON, the caller's (json_decref). NULL, having complained, with the exit
 * status in *ret_status.
 */
json_t *link_page(const struct options *options, const char *path, int *ret_status);

/* Members of an object, or what stands for none. */
const char *member_text(const json_t *object, const char *name);
int64_t member_number(const json_t *object, const char *name);
bool member_true(const json_t *object, const char *name);

#endif
