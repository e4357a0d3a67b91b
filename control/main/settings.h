#ifndef REMORA_CONTROL_MAIN_SETTINGS_H
#define REMORA_CONTROL_MAIN_SETTINGS_H

#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/net/address.h"

/* What the command line and the environment say. A flag wins over its environment variable. */
struct settings {
    const char *config_dir;
    const char *state_dir;
    struct address listen;
    struct address listen_plain; /* family 0 = nowhere */
    struct address metrics;      /* family 0 = nowhere */
    const char *trust_domain;
    const char *cluster_domain;
    const char *root_namespace;
    const char *ca_cert; /* NULL = own root */
    const char *ca_key;
    enum log_level log_level;
    enum log_format log_format;
    bool wants_help;
    bool wants_version;
};

/* Texts point into the arguments and the environment. False and what is wrong. */
bool settings_read(struct settings *ret, int argc, char **argv, struct text *ret_problem);
void settings_write_help(struct text *into);

#endif
