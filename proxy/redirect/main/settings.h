#ifndef REMORA_PROXY_REDIRECT_MAIN_SETTINGS_H
#define REMORA_PROXY_REDIRECT_MAIN_SETTINGS_H

#include "proxy/redirect/redirect_plan.h"

/* What the command line and the environment say. A flag wins over its environment variable. */
enum command { COMMAND_NONE, COMMAND_INSTALL, COMMAND_VERIFY, COMMAND_REMOVE, COMMAND_PRINT };

struct settings {
    enum command command;
    struct redirect_plan plan;
    int64_t timeout_ms;
    bool is_json;
    bool is_dry_run;
    bool skips_live_check;
    bool allows_host_network;
    bool wants_help;
    bool wants_version;
};

void settings_init(struct settings *settings);
void settings_done(struct settings *settings);
/* False, and *ret_problem saying what is wrong, when the program is not to go on. */
bool settings_read(struct settings *settings, int argc, char **argv, struct text *ret_problem);
void settings_write_help(struct text *into);

#endif
