#include "lib/xds/wire_parts.h"
#include "lib/xds/xds_listener.h"

#include "envoy/extensions/transport_sockets/tls/v3/tls.pb-c.h"

struct span xds_secret_encode(const struct xds_secret *secret, struct arena *arena)
{
    struct arena scratch = {0};
    Core__DataSource *roots = wire_new(&scratch, &core__data_source__descriptor);
    roots->specifier_case = CORE__DATA_SOURCE__SPECIFIER_INLINE_BYTES;
    roots->inline_bytes = wire_binary(&scratch, secret->roots_pem);
    Tls__Secret *message = wire_new(&scratch, &tls__secret__descriptor);
    message->name = wire_string(&scratch, secret->name);
    message->type_case = TLS__SECRET__TYPE_VALIDATION_CONTEXT;
    message->validation_context =
        wire_new(&scratch, &tls__certificate_validation_context__descriptor);
    message->validation_context->trusted_ca = roots;
    struct span bytes = wire_pack(arena, &message->base);
    arena_done(&scratch);
    return bytes;
}

static bool secret_read(struct wire_reader *reader, const Tls__Secret *message,
                        struct xds_secret *ret)
{
    if (message->name[0] == '\0') {
        return wire_fail(reader, "name: empty");
    }
    if (message->type_case == TLS__SECRET__TYPE_TLS_CERTIFICATE) {
        return wire_fail(reader, "tls_certificate: keys are not taken from the wire");
    }
    if (message->type_case != TLS__SECRET__TYPE_VALIDATION_CONTEXT) {
        return wire_fail(reader, "validation_context: missing");
    }
    const Tls__CertificateValidationContext *validation = message->validation_context;
    if (!wire_all_known(reader, &validation->base)) {
        return false;
    }
    if (validation->n_match_subject_alt_names > 0 ||
        validation->n_match_typed_subject_alt_names > 0 ||
        validation->ca_certificate_provider_instance != NULL ||
        validation->system_root_certs != NULL) {
        return wire_fail(reader, "validation_context: only trusted_ca is supported");
    }
    const Core__DataSource *roots = validation->trusted_ca;
    if (roots != NULL && roots->specifier_case == CORE__DATA_SOURCE__SPECIFIER_INLINE_BYTES) {
        ret->roots_pem = wire_bytes(reader, roots->inline_bytes);
    } else if (roots != NULL &&
               roots->specifier_case == CORE__DATA_SOURCE__SPECIFIER_INLINE_STRING) {
        ret->roots_pem = wire_text(reader, roots->inline_string);
    }
    ret->name = wire_text(reader, message->name);
    return ret->roots_pem.length > 0 ||
           wire_fail(reader, "validation_context.trusted_ca: no inline certificates");
}

bool xds_secret_decode(struct span bytes, struct arena *arena, struct xds_secret *ret,
                       struct xds_error *ret_error)
{
    struct wire_reader reader;
    wire_reader_init(&reader, arena, ret_error);
    const Tls__Secret *message = wire_unpack(&reader, &tls__secret__descriptor, bytes);
    struct xds_secret secret = {0};
    bool good = message != NULL && secret_read(&reader, message, &secret);
    wire_reader_done(&reader);
    if (good) {
        *ret = secret;
    }
    return good;
}
