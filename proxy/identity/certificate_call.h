#ifndef REMORA_PROXY_IDENTITY_CERTIFICATE_CALL_H
#define REMORA_PROXY_IDENTITY_CERTIFICATE_CALL_H

#include "lib/grpc/grpc_channel.h"
#include "proxy/identity/workload_identity.h"

/*
 * The control plane as a source of certificates: CreateCertificate on its channel. Tells the
 * identity whenever the channel comes up. Main thread.
 */
struct certificate_call;

/* Both outlive it. Becomes the identity's source. */
struct certificate_call *certificate_call_create(struct grpc_channel *channel,
                                                 struct workload_identity *identity);
/* Takes the source away from the identity again. Takes NULL. */
void certificate_call_destroy(struct certificate_call *call);

#endif
