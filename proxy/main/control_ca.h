#ifndef REMORA_PROXY_MAIN_CONTROL_CA_H
#define REMORA_PROXY_MAIN_CONTROL_CA_H

#include "lib/base/span.h"
#include "lib/tls/tls_config.h"

/*
 * The roots that the control plane is verified against while we have no certificate: a file that
 * its operator may replace. Main thread; reading blocks.
 */
struct control_ca;

/* NULL and a text when the file cannot be read or has no good root. */
struct control_ca *control_ca_open(struct span path, struct span trust_domain, char *reason,
                                   size_t reason_bytes);
/* After every connection with its tls_config. Takes NULL. */
void control_ca_close(struct control_ca *ca);
/* Towards the control plane, without a certificate of our own. Lives as long as ca. */
struct tls_config *control_ca_tls(const struct control_ca *ca);
/*
 * Reads the file again when it is another than before. New connections then go by it; one that
 * cannot be used is logged once, and the roots before it stay in force.
 */
void control_ca_look(struct control_ca *ca);

#endif
