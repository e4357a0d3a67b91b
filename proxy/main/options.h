#ifndef REMORA_PROXY_MAIN_OPTIONS_H
#define REMORA_PROXY_MAIN_OPTIONS_H

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/net/address.h"

/*
 * What the program is told: by flags, else by REMORA_... variables of the environment, else by a
 * file of `name = value` lines, else defaults. One table holds all names (options.c), so that
 * --help, environment and file never disagree. All spans live in the arena.
 */
enum { OPTIONS_LISTENERS = 32, OPTIONS_WORKERS = 64 };

struct option_pair { /* "ADDRESS=TARGET" */
    struct address at;
    struct span to;
};

struct proxy_options {
    struct arena arena;
    bool explicit_mode;
    struct address outbound_at, inbound_at, hbone_at;
    struct option_pair inbound[OPTIONS_LISTENERS], outbound[OPTIONS_LISTENERS];
    size_t inbound_count, outbound_count;
    struct address admin_at, metrics_at, health_at;
    struct span control, control_ca, control_identity, token_file;
    struct span trust_domain, namespace_name, service_account, workload, version, node_id;
    struct span region, zone, node;
    struct span pod_address;
    struct span state_dir, key_dir, dns_servers;
    struct address local_source4, local_source6;
    uint32_t workers;
    uint32_t max_connections;
    int descriptors; /* no option: connections get none from this number on; 0 = any */
    int64_t drain_ms;
    enum log_level log_level;
    enum log_format log_format;
    bool state_of_the_world;
    bool hbone;
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_BAD };

/* DONE: help or version was printed. BAD: the error was printed, exit with 2. */
enum options_result options_read(int argc, char **argv, struct proxy_options *ret);
void options_done(struct proxy_options *options);

#endif
