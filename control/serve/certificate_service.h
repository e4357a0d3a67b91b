#ifndef REMORA_CONTROL_SERVE_CERTIFICATE_SERVICE_H
#define REMORA_CONTROL_SERVE_CERTIFICATE_SERVICE_H

#include "control/serve/caller.h"
#include "control/serve/control_stats.h"
#include "control/serve/live_calls.h"
#include "control/serve/mesh_ca.h"
#include "lib/grpc/grpc_server.h"

/*
 * /istio.v1.auth.IstioCertificateService/CreateCertificate: signs for a caller the identity that it
 * has proven, and nothing else; one that asks by metadata for another is refused. Each certificate
 * and each refusal is a log line and a count.
 */
enum { CERTIFICATE_REQUEST_BYTES = 64 * 1024, CERTIFICATE_ANSWER_TEXT_BYTES = 256 };

struct certificate_service {
    struct mesh_ca *ca;
    struct join_tokens *tokens;
    struct control_stats *stats;
    struct live_calls *calls;
    int64_t longest_s; /* no certificate lives longer; 0 = as the authority says */
};

struct certificate_answer {
    enum grpc_code code;
    const char *word; /* static: "issued", or why not, for metrics */
    char text[CERTIFICATE_ANSWER_TEXT_BYTES];
    struct span message; /* IstioCertificateResponse when code is OK; in the arena */
};

/* One request, whole. Logs and counts. address is for the log. */
void certificate_service_answer(struct certificate_service *service, struct span message,
                                const struct caller_evidence *evidence, struct span address,
                                struct arena *arena, struct certificate_answer *ret);

/* The method for a table of grpc_serve. */
struct grpc_method certificate_service_method(struct certificate_service *service);

#endif
