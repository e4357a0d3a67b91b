#ifndef REMORA_PROXY_MAIN_PROCESS_ADMIN_H
#define REMORA_PROXY_MAIN_PROCESS_ADMIN_H

#include "proxy/main/process.h"

/* Opens metrics, health and admin (proxy/admin) and answers their questions out of the process. */
struct process_admin *process_admin_create(struct process *process, char *reason,
                                           size_t reason_bytes);
void process_admin_destroy(struct process_admin *admin);

#endif
