#ifndef REMORA_PROXY_CONFIG_CONFIG_LIMITS_H
#define REMORA_PROXY_CONFIG_CONFIG_LIMITS_H

/* Ten years. No time of a configuration is longer, so that it can be added to a clock in ns. */
#define CONFIG_MS_MOST (10LL * 366 * 24 * 3600 * 1000)

#endif
