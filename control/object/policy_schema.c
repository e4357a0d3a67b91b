#include "control/object/policy_spec.h"

#include <stddef.h>

static const char *const modes[] = {"Strict", "Permissive", "Plaintext", NULL};
static const char *const actions[] = {"Allow", "Deny", "Audit", NULL};

static const struct field target_fields[] = {
    FIELD("group", FIELD_TEXT, struct target_ref, group),
    FIELD("kind", FIELD_TEXT, struct target_ref, kind, .flags = FIELD_REQUIRED, .least = 1,
          .most = 63),
    FIELD("name", FIELD_TEXT, struct target_ref, name, .flags = FIELD_REQUIRED,
          .check = check_dns_name),
    FIELD("sectionName", FIELD_TEXT, struct target_ref, section_name, .check = check_dns_name),
};
const struct schema target_ref_schema = {
    .name = "TargetRef", SCHEMA_FIELDS(target_fields), .bytes = sizeof(struct target_ref)};

const char *check_targets(const struct items *targets)
{
    const struct target_ref *refs = targets->at;
    for (uint32_t i = 0; i < targets->count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (span_equal(refs[i].kind, refs[j].kind) && span_equal(refs[i].name, refs[j].name) &&
                span_equal(refs[i].section_name, refs[j].section_name)) {
                return "names one target twice";
            }
        }
    }
    return NULL;
}

static const char *check_listed(const void *decoded, const char **ret_field)
{
    const struct listed_policy_spec *spec = decoded;
    *ret_field = "targetRefs";
    return check_targets(&spec->targets);
}

static const char *check_transport(const void *decoded, const char **ret_field)
{
    const struct transport_policy_spec *spec = decoded;
    *ret_field = "targetRefs";
    const char *wrong = check_targets(&spec->targets);
    if (wrong == NULL && spec->mode == 0 && spec->ports.count == 0) {
        *ret_field = NULL;
        wrong = "needs a mode or ports";
    }
    return wrong;
}

static const struct field transport_port_fields[] = {
    FIELD("mode", FIELD_WORD, struct transport_port, mode, .flags = FIELD_REQUIRED, .words = modes),
};
static const struct schema transport_port_schema = {.name = "TransportPort",
                                                    SCHEMA_FIELDS(transport_port_fields),
                                                    .bytes = sizeof(struct transport_port)};
static const struct field transport_spec_fields[] = {
    FIELD("targetRefs", FIELD_LIST, struct transport_policy_spec, targets, .most = 16,
          .schema = &target_ref_schema),
    FIELD("mode", FIELD_WORD, struct transport_policy_spec, mode, .words = modes,
          .preset = "Strict", .help = "who may connect without mutual TLS"),
    FIELD("ports", FIELD_MAP, struct transport_policy_spec, ports, .most = 64,
          .schema = &transport_port_schema, .check = check_port_key,
          .help = "modes of single ports of the workload"),
};
static const struct schema transport_spec_schema = {.name = "TransportPolicySpec",
                                                    SCHEMA_FIELDS(transport_spec_fields),
                                                    .bytes = sizeof(struct transport_policy_spec),
                                                    .check = check_transport};
static const struct field transport_fields[] = {
    FIELD("spec", FIELD_STRUCT, struct transport_policy_body, spec, .flags = FIELD_REQUIRED,
          .schema = &transport_spec_schema),
};
const struct schema transport_policy_schema = {.name = "TransportPolicy",
                                               SCHEMA_FIELDS(transport_fields),
                                               .bytes = sizeof(struct transport_policy_body)};

static const struct field rate_match_fields[] = {
    FIELD("methods", FIELD_TEXTS, struct rate_match, methods, .most = 16,
          .check = check_http_method),
    FIELD("paths", FIELD_TEXTS, struct rate_match, paths, .most = 16),
};
static const struct schema rate_match_schema = {
    .name = "RateMatch", SCHEMA_FIELDS(rate_match_fields), .bytes = sizeof(struct rate_match)};

static const struct field rate_rule_fields[] = {
    FIELD("name", FIELD_TEXT, struct rate_rule, name, .flags = FIELD_REQUIRED,
          .check = check_dns_label),
    FIELD("key", FIELD_TEXTS, struct rate_rule, key, .most = 8),
    FIELD("match", FIELD_STRUCT, struct rate_rule, match, .schema = &rate_match_schema),
    FIELD("rate", FIELD_TEXT, struct rate_rule, rate, .flags = FIELD_REQUIRED, .check = check_rate),
    FIELD("burst", FIELD_INT, struct rate_rule, burst, .least = 1, .most = 1000000000),
};
static const struct schema rate_rule_schema = {
    .name = "RateRule", SCHEMA_FIELDS(rate_rule_fields), .bytes = sizeof(struct rate_rule)};

#define TARGETS_FIELD                                                                              \
    FIELD("targetRefs", FIELD_LIST, struct listed_policy_spec, targets, .flags = FIELD_REQUIRED,   \
          .least = 1, .most = 16, .schema = &target_ref_schema)

#define LISTED_SCHEMA(prefix, title)                                                               \
    static const struct schema prefix##_spec_schema = {.name = title "Spec",                       \
                                                       SCHEMA_FIELDS(prefix##_spec_fields),        \
                                                       .bytes = sizeof(struct listed_policy_spec), \
                                                       .check = check_listed};                     \
    static const struct field prefix##_fields[] = {                                                \
        FIELD("spec", FIELD_STRUCT, struct listed_policy_body, spec, .flags = FIELD_REQUIRED,      \
              .schema = &prefix##_spec_schema)};                                                   \
    const struct schema prefix##_policy_schema = {                                                 \
        .name = title, SCHEMA_FIELDS(prefix##_fields), .bytes = sizeof(struct listed_policy_body)}

static const struct field rate_limit_spec_fields[] = {
    TARGETS_FIELD,
    FIELD("rules", FIELD_LIST, struct listed_policy_spec, rules, .flags = FIELD_REQUIRED,
          .least = 1, .most = 64, .schema = &rate_rule_schema),
    FIELD("maxKeys", FIELD_INT, struct listed_policy_spec, max_keys, .least = 1, .most = 1000000,
          .preset = "10000"),
};
LISTED_SCHEMA(rate_limit, "RateLimitPolicy");

static const char *check_cidr(struct span text)
{
    struct cidr cidr;
    return cidr_parse(text, &cidr) ? NULL : "must be an address block such as 10.0.0.0/8";
}

static const struct field from_fields[] = {
    FIELD("principals", FIELD_TEXTS, struct authorization_from, principals, .most = 64),
    FIELD("namespaces", FIELD_TEXTS, struct authorization_from, namespaces, .most = 64),
    FIELD("cidrs", FIELD_TEXTS, struct authorization_from, cidrs, .most = 64, .check = check_cidr),
};
static const struct schema from_schema = {.name = "AuthorizationFrom",
                                          SCHEMA_FIELDS(from_fields),
                                          .bytes = sizeof(struct authorization_from)};
static const struct field to_fields[] = {
    FIELD("methods", FIELD_TEXTS, struct authorization_to, methods, .most = 16,
          .check = check_http_method),
    FIELD("paths", FIELD_TEXTS, struct authorization_to, paths, .most = 64),
    FIELD("hosts", FIELD_TEXTS, struct authorization_to, hosts, .most = 64),
    FIELD("ports", FIELD_INTS, struct authorization_to, ports, .least = 1, .most = 65535),
};
static const struct schema to_schema = {
    .name = "AuthorizationTo", SCHEMA_FIELDS(to_fields), .bytes = sizeof(struct authorization_to)};

static const char *check_when(const void *decoded, const char **ret_field)
{
    const struct authorization_when *when = decoded;
    bool one_subject = (when->claim.length > 0) != (when->header.length > 0);
    bool one_wish = (when->has.length > 0) != (when->is_one_of.count > 0);
    return one_subject && one_wish ? NULL : "needs one of claim and header, and one of has and in";
}
static const struct field when_fields[] = {
    FIELD("claim", FIELD_TEXT, struct authorization_when, claim, .most = 256),
    FIELD("header", FIELD_TEXT, struct authorization_when, header, .check = check_header_name),
    FIELD("has", FIELD_TEXT, struct authorization_when, has, .most = 1024),
    FIELD("in", FIELD_TEXTS, struct authorization_when, is_one_of, .most = 64),
};
static const struct schema when_schema = {.name = "AuthorizationWhen",
                                          SCHEMA_FIELDS(when_fields),
                                          .bytes = sizeof(struct authorization_when),
                                          .check = check_when};
static const struct field authorization_rule_fields[] = {
    FIELD("from", FIELD_LIST, struct authorization_rule, from, .most = 64, .schema = &from_schema),
    FIELD("to", FIELD_LIST, struct authorization_rule, to, .most = 64, .schema = &to_schema),
    FIELD("when", FIELD_LIST, struct authorization_rule, when, .most = 64, .schema = &when_schema),
};
static const struct schema authorization_rule_schema = {.name = "AuthorizationRule",
                                                        SCHEMA_FIELDS(authorization_rule_fields),
                                                        .bytes = sizeof(struct authorization_rule)};
static const struct field authorization_spec_fields[] = {
    TARGETS_FIELD,
    FIELD("action", FIELD_WORD, struct listed_policy_spec, action, .flags = FIELD_REQUIRED,
          .words = actions),
    FIELD("rules", FIELD_LIST, struct listed_policy_spec, rules, .most = 64,
          .schema = &authorization_rule_schema),
};
LISTED_SCHEMA(authorization, "AuthorizationPolicy");

static const char *check_issuer(const void *decoded, const char **ret_field)
{
    const struct jwt_issuer *issuer = decoded;
    int sources =
        (issuer->jwks_uri.length > 0) + (issuer->jwks.length > 0) + (issuer->jwks_file.length > 0);
    return sources == 1 ? NULL : "needs one of jwksUri, jwks and jwksFile";
}
static const struct field issuer_fields[] = {
    FIELD("issuer", FIELD_TEXT, struct jwt_issuer, issuer, .flags = FIELD_REQUIRED, .least = 1,
          .most = 1024),
    FIELD("audiences", FIELD_TEXTS, struct jwt_issuer, audiences, .most = 64),
    FIELD("jwksUri", FIELD_TEXT, struct jwt_issuer, jwks_uri, .most = 2048),
    FIELD("jwks", FIELD_TEXT, struct jwt_issuer, jwks, .most = 65536),
    FIELD("jwksFile", FIELD_TEXT, struct jwt_issuer, jwks_file, .check = check_absolute_file),
    FIELD("fromHeaders", FIELD_TEXTS, struct jwt_issuer, from_headers, .most = 8,
          .check = check_header_name),
    FIELD("require", FIELD_BOOL, struct jwt_issuer, require, .preset = "true"),
};
static const struct schema issuer_schema = {.name = "JwtIssuer",
                                            SCHEMA_FIELDS(issuer_fields),
                                            .bytes = sizeof(struct jwt_issuer),
                                            .check = check_issuer};
static const struct field jwt_spec_fields[] = {
    TARGETS_FIELD,
    FIELD("issuers", FIELD_LIST, struct listed_policy_spec, rules, .flags = FIELD_REQUIRED,
          .least = 1, .most = 16, .schema = &issuer_schema),
};
LISTED_SCHEMA(jwt, "JwtPolicy");
