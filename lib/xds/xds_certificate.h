#ifndef REMORA_XDS_XDS_CERTIFICATE_H
#define REMORA_XDS_XDS_CERTIFICATE_H

#include "lib/xds/xds_type.h"

/*
 * istio.v1.auth.IstioCertificateService/CreateCertificate, unary: a CSR one way, a chain the other.
 * The same proxy code works with any authority that speaks it. No key crosses this wire.
 */
#define XDS_PATH_CERTIFICATE "/istio.v1.auth.IstioCertificateService/CreateCertificate"

struct xds_certificate_request {
    struct span csr_pem;
    int64_t lifetime_s; /* asked for; 0 = as the authority likes */
};

struct xds_certificate_response {
    const struct span *chain_pem; /* leaf first, root last */
    uint32_t chain_count;
};

struct span xds_certificate_request_encode(const struct xds_certificate_request *request,
                                           struct arena *arena);
bool xds_certificate_request_decode(struct span bytes, struct arena *arena,
                                    struct xds_certificate_request *ret,
                                    struct xds_error *ret_error);
struct span xds_certificate_response_encode(const struct xds_certificate_response *response,
                                            struct arena *arena);
bool xds_certificate_response_decode(struct span bytes, struct arena *arena,
                                     struct xds_certificate_response *ret,
                                     struct xds_error *ret_error);

#endif
