#ifndef REMORA_PROXY_MAIN_PROCESS_GAUGES_H
#define REMORA_PROXY_MAIN_PROCESS_GAUGES_H

#include "proxy/main/process.h"

/* Statistics of the main thread: control plane, certificate, memory. Sampled, twice a second. */
void process_gauges_sample(struct process *process);

#endif
