#include "lib/xds/wire_parts.h"

#include "lib/base/check.h"

#include "envoy/extensions/transport_sockets/tls/v3/tls.pb-c.h"

#include <string.h>

#define TLS_SOCKET "envoy.transport_sockets.tls"
#define RAW_SOCKET "envoy.transport_sockets.raw_buffer"

/* The names under which gRPC clients have their certificate provider in the bootstrap file. */
#define PROVIDER "default"
#define LEAF_NAME "default"
#define ROOTS_NAME "ROOTCA"

static Tls__CertificateProviderPluginInstance *provider_write(struct arena *scratch, char *name)
{
    Tls__CertificateProviderPluginInstance *instance =
        wire_new(scratch, &tls__certificate_provider_plugin_instance__descriptor);
    instance->instance_name = (char *)PROVIDER;
    instance->certificate_name = name;
    return instance;
}

static Mt__StringMatcher *exact_write(struct arena *scratch, struct span text)
{
    Mt__StringMatcher *matcher = wire_new(scratch, &mt__string_matcher__descriptor);
    matcher->match_pattern_case = MT__STRING_MATCHER__MATCH_PATTERN_EXACT;
    matcher->exact = wire_string(scratch, text);
    return matcher;
}

static Tls__SubjectAltNameMatcher *san_write(struct arena *scratch, int type, struct span text)
{
    Tls__SubjectAltNameMatcher *san = wire_new(scratch, &tls__subject_alt_name_matcher__descriptor);
    san->san_type = (Tls__SubjectAltNameMatcher__SanType)type;
    san->matcher = exact_write(scratch, text);
    return san;
}

/* Envoy reads field 15, gRPC clients read field 9: the same names in both. */
static Tls__CertificateValidationContext *mesh_validation(struct arena *scratch,
                                                          const struct xds_cluster *cluster)
{
    Tls__CertificateValidationContext *validation =
        wire_new(scratch, &tls__certificate_validation_context__descriptor);
    uint32_t count = cluster->identity_count;
    validation->n_match_subject_alt_names = count;
    validation->match_subject_alt_names = ARENA_ARRAY(scratch, Mt__StringMatcher *, count);
    validation->n_match_typed_subject_alt_names = count;
    validation->match_typed_subject_alt_names =
        ARENA_ARRAY(scratch, Tls__SubjectAltNameMatcher *, count);
    for (uint32_t i = 0; i < count; i++) {
        struct span identity = cluster->identities[i];
        validation->match_subject_alt_names[i] = exact_write(scratch, identity);
        validation->match_typed_subject_alt_names[i] =
            san_write(scratch, TLS__SUBJECT_ALT_NAME_MATCHER__SAN_TYPE__URI, identity);
    }
    validation->ca_certificate_provider_instance = provider_write(scratch, (char *)ROOTS_NAME);
    return validation;
}

static void mesh_write(struct arena *scratch, Tls__CommonTlsContext *common,
                       const struct xds_cluster *cluster)
{
    static char *protocols[] = {(char *)"h2"};
    Tls__CommonTlsContext__CombinedCertificateValidationContext *combined = wire_new(
        scratch, &tls__common_tls_context__combined_certificate_validation_context__descriptor);
    Tls__SdsSecretConfig *roots = wire_new(scratch, &tls__sds_secret_config__descriptor);
    roots->name = (char *)ROOTS_NAME;
    roots->sds_config = config_source_ads(scratch);
    combined->default_validation_context = mesh_validation(scratch, cluster);
    combined->validation_context_sds_secret_config = roots;
    common->n_alpn_protocols = 1;
    common->alpn_protocols = protocols;
    common->validation_context_type_case =
        TLS__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_COMBINED_VALIDATION_CONTEXT;
    common->combined_validation_context = combined;
    common->tls_certificate_provider_instance = provider_write(scratch, (char *)LEAF_NAME);
}

static void originate_write(struct arena *scratch, Tls__CommonTlsContext *common,
                            const struct xds_cluster *cluster)
{
    Tls__CertificateValidationContext *validation =
        wire_new(scratch, &tls__certificate_validation_context__descriptor);
    if (cluster->ca_pem.length > 0) {
        validation->trusted_ca = wire_new(scratch, &core__data_source__descriptor);
        validation->trusted_ca->specifier_case = CORE__DATA_SOURCE__SPECIFIER_INLINE_STRING;
        validation->trusted_ca->inline_string = wire_string(scratch, cluster->ca_pem);
    } else {
        validation->system_root_certs =
            wire_new(scratch, &tls__certificate_validation_context__system_root_certs__descriptor);
    }
    if (cluster->sni.length > 0) {
        validation->n_match_typed_subject_alt_names = 1;
        validation->match_typed_subject_alt_names =
            ARENA_ARRAY(scratch, Tls__SubjectAltNameMatcher *, 1);
        validation->match_typed_subject_alt_names[0] =
            san_write(scratch, TLS__SUBJECT_ALT_NAME_MATCHER__SAN_TYPE__DNS, cluster->sni);
    }
    common->validation_context_type_case =
        TLS__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_VALIDATION_CONTEXT;
    common->validation_context = validation;
}

Core__TransportSocket *cluster_tls_write(struct arena *scratch, const struct xds_cluster *cluster)
{
    if (cluster->tls == XDS_TLS_NONE ||
        (cluster->tls == XDS_TLS_MESH && cluster->identity_count == 0)) {
        return NULL;
    }
    Tls__UpstreamTlsContext *upstream = wire_new(scratch, &tls__upstream_tls_context__descriptor);
    upstream->sni = wire_string(scratch, cluster->sni);
    upstream->common_tls_context = wire_new(scratch, &tls__common_tls_context__descriptor);
    if (cluster->tls == XDS_TLS_MESH) {
        mesh_write(scratch, upstream->common_tls_context, cluster);
    } else {
        originate_write(scratch, upstream->common_tls_context, cluster);
    }
    Core__TransportSocket *socket = wire_new(scratch, &core__transport_socket__descriptor);
    socket->name = (char *)TLS_SOCKET;
    socket->config_type_case = CORE__TRANSPORT_SOCKET__CONFIG_TYPE_TYPED_CONFIG;
    socket->typed_config = wire_any(scratch, &upstream->base);
    return socket;
}

static bool exact_read(struct wire_reader *reader, const Mt__StringMatcher *matcher,
                       struct span *ret)
{
    if (matcher == NULL || matcher->match_pattern_case != MT__STRING_MATCHER__MATCH_PATTERN_EXACT ||
        matcher->ignore_case || matcher->base.n_unknown_fields > 0) {
        return wire_fail(reader, "only an exact match is supported");
    }
    *ret = wire_text(reader, matcher->exact);
    return ret->length > 0 || wire_fail(reader, "empty name");
}

/* Field 15 counts alone when it is there, as Envoy has it. */
static bool identities_read(struct wire_reader *reader,
                            const Tls__CertificateValidationContext *validation,
                            struct xds_cluster *ret)
{
    bool typed = validation->n_match_typed_subject_alt_names > 0;
    size_t count =
        typed ? validation->n_match_typed_subject_alt_names : validation->n_match_subject_alt_names;
    struct span *identities = ARENA_ARRAY(reader->arena, struct span, count);
    for (size_t i = 0; i < count; i++) {
        const Mt__StringMatcher *matcher;
        size_t path = wire_enter(
            reader, typed ? "match_typed_subject_alt_names" : "match_subject_alt_names", (long)i);
        if (typed) {
            const Tls__SubjectAltNameMatcher *san = validation->match_typed_subject_alt_names[i];
            if (san->san_type != TLS__SUBJECT_ALT_NAME_MATCHER__SAN_TYPE__URI) {
                return wire_fail(reader, "san_type: only URI is supported");
            }
            matcher = san->matcher;
        } else {
            matcher = validation->match_subject_alt_names[i];
        }
        if (!exact_read(reader, matcher, &identities[i])) {
            return false;
        }
        wire_leave(reader, path);
    }
    ret->identities = identities;
    ret->identity_count = wire_count(count);
    return true;
}

static bool roots_read(struct wire_reader *reader, const Core__DataSource *source, struct span *ret)
{
    if (source->specifier_case == CORE__DATA_SOURCE__SPECIFIER_INLINE_STRING) {
        *ret = wire_text(reader, source->inline_string);
    } else if (source->specifier_case == CORE__DATA_SOURCE__SPECIFIER_INLINE_BYTES) {
        *ret = wire_bytes(reader, source->inline_bytes);
    } else {
        return wire_fail(reader, "trusted_ca: only inline certificates are supported");
    }
    return ret->length > 0 || wire_fail(reader, "trusted_ca: empty");
}

static bool originate_read(struct wire_reader *reader,
                           const Tls__CertificateValidationContext *validation,
                           struct xds_cluster *ret)
{
    ret->tls = XDS_TLS_ORIGINATE;
    if (validation->trusted_ca != NULL) {
        if (!roots_read(reader, validation->trusted_ca, &ret->ca_pem)) {
            return false;
        }
    } else if (validation->system_root_certs == NULL) {
        return wire_fail(reader, "validation_context: no roots, the peer would not be verified");
    }
    if (validation->n_match_subject_alt_names > 0) {
        return wire_fail(reader, "match_subject_alt_names: not supported outside the mesh");
    }
    /* The name asked for is always verified; another one cannot be. */
    for (size_t i = 0; i < validation->n_match_typed_subject_alt_names; i++) {
        const Tls__SubjectAltNameMatcher *san = validation->match_typed_subject_alt_names[i];
        struct span name;
        if (!exact_read(reader, san->matcher, &name)) {
            return false;
        }
        if (san->san_type != TLS__SUBJECT_ALT_NAME_MATCHER__SAN_TYPE__DNS ||
            !span_equal_nocase(name, ret->sni)) {
            return wire_fail(reader, "match_typed_subject_alt_names: only the sni is supported");
        }
    }
    return true;
}

static bool validation_read(struct wire_reader *reader, const Tls__CommonTlsContext *common,
                            struct xds_cluster *ret)
{
    const Tls__CertificateValidationContext *validation = NULL;
    bool mesh = false;
    switch (common->validation_context_type_case) {
    case TLS__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_COMBINED_VALIDATION_CONTEXT:
        validation = common->combined_validation_context->default_validation_context;
        mesh = common->combined_validation_context->validation_context_sds_secret_config != NULL;
        break;
    case TLS__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_VALIDATION_CONTEXT:
        validation = common->validation_context;
        break;
    case TLS__COMMON_TLS_CONTEXT__VALIDATION_CONTEXT_TYPE_VALIDATION_CONTEXT_SDS_SECRET_CONFIG:
        mesh = true;
        break;
    default:
        return wire_fail(reader, "no validation context, the peer would not be verified");
    }
    if (validation != NULL && !wire_all_known(reader, &validation->base)) {
        return false;
    }
    if (mesh || (validation != NULL && validation->ca_certificate_provider_instance != NULL)) {
        ret->tls = XDS_TLS_MESH;
        return validation == NULL || identities_read(reader, validation, ret);
    }
    if (validation == NULL) {
        return wire_fail(reader, "combined_validation_context: no roots");
    }
    return originate_read(reader, validation, ret);
}

static bool upstream_read(struct wire_reader *reader, const Tls__UpstreamTlsContext *upstream,
                          struct xds_cluster *ret)
{
    const Tls__CommonTlsContext *common = upstream->common_tls_context;
    if (common == NULL) {
        return wire_fail(reader, "common_tls_context: missing");
    }
    if (common->n_tls_certificates > 0) {
        return wire_fail(reader, "tls_certificates: keys are not taken from the wire");
    }
    ret->sni = wire_text(reader, upstream->sni);
    return validation_read(reader, common, ret);
}

bool cluster_tls_read(struct wire_reader *reader, const Core__TransportSocket *socket,
                      struct xds_cluster *ret)
{
    ret->tls = XDS_TLS_NONE;
    if (socket == NULL || strcmp(socket->name, RAW_SOCKET) == 0) {
        return true;
    }
    size_t path = wire_enter(reader, "transport_socket", -1);
    if (strcmp(socket->name, TLS_SOCKET) != 0) {
        return wire_fail(reader, "\"%s\" is not supported", socket->name);
    }
    const Tls__UpstreamTlsContext *upstream =
        wire_unpack_any(reader, &tls__upstream_tls_context__descriptor,
                        socket->config_type_case == CORE__TRANSPORT_SOCKET__CONFIG_TYPE_TYPED_CONFIG
                            ? socket->typed_config
                            : NULL);
    if (upstream == NULL || !upstream_read(reader, upstream, ret)) {
        return false;
    }
    wire_leave(reader, path);
    return true;
}
