#include "lib/xds/xds_certificate.h"

#include "lib/xds/wire.h"

#include "istio/v1/auth/ca.pb-c.h"

struct span xds_certificate_request_encode(const struct xds_certificate_request *request,
                                           struct arena *arena)
{
    struct arena scratch = {0};
    Auth__IstioCertificateRequest *message =
        wire_new(&scratch, &auth__istio_certificate_request__descriptor);
    message->csr = wire_string(&scratch, request->csr_pem);
    message->validity_duration = request->lifetime_s;
    struct span bytes = wire_pack(arena, &message->base);
    arena_done(&scratch);
    return bytes;
}

static bool request_read(struct wire_reader *reader, const Auth__IstioCertificateRequest *message,
                         struct xds_certificate_request *ret)
{
    if (message->csr[0] == '\0') {
        return wire_fail(reader, "csr: empty");
    }
    if (message->validity_duration < 0) {
        return wire_fail(reader, "validity_duration: negative");
    }
    /* metadata asks for another signer or another's identity: neither is ever given. */
    if (message->metadata != NULL && message->metadata->n_fields > 0) {
        return wire_fail(reader, "metadata: \"%s\" is not supported",
                         message->metadata->fields[0]->key);
    }
    ret->csr_pem = wire_text(reader, message->csr);
    ret->lifetime_s = message->validity_duration;
    return true;
}

bool xds_certificate_request_decode(struct span bytes, struct arena *arena,
                                    struct xds_certificate_request *ret,
                                    struct xds_error *ret_error)
{
    struct wire_reader reader;
    wire_reader_init(&reader, arena, ret_error);
    const Auth__IstioCertificateRequest *message =
        wire_unpack(&reader, &auth__istio_certificate_request__descriptor, bytes);
    bool good = message != NULL && request_read(&reader, message, ret);
    wire_reader_done(&reader);
    return good;
}

struct span xds_certificate_response_encode(const struct xds_certificate_response *response,
                                            struct arena *arena)
{
    struct arena scratch = {0};
    Auth__IstioCertificateResponse *message =
        wire_new(&scratch, &auth__istio_certificate_response__descriptor);
    message->n_cert_chain = response->chain_count;
    message->cert_chain = wire_strings(&scratch, response->chain_pem, response->chain_count);
    struct span bytes = wire_pack(arena, &message->base);
    arena_done(&scratch);
    return bytes;
}

bool xds_certificate_response_decode(struct span bytes, struct arena *arena,
                                     struct xds_certificate_response *ret,
                                     struct xds_error *ret_error)
{
    struct wire_reader reader;
    wire_reader_init(&reader, arena, ret_error);
    const Auth__IstioCertificateResponse *message =
        wire_unpack(&reader, &auth__istio_certificate_response__descriptor, bytes);
    bool good = message != NULL;
    if (good && message->n_cert_chain == 0) {
        good = wire_fail(&reader, "cert_chain: empty");
    }
    if (good) {
        ret->chain_pem = wire_texts(&reader, message->cert_chain, message->n_cert_chain);
        ret->chain_count = wire_count(message->n_cert_chain);
    }
    wire_reader_done(&reader);
    return good;
}
