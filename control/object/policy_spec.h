#ifndef REMORA_CONTROL_OBJECT_POLICY_SPEC_H
#define REMORA_CONTROL_OBJECT_POLICY_SPEC_H

#include "control/object/field.h"

/*
 * Remora's policies other than TrafficPolicy: TransportPolicy is in force; RateLimitPolicy,
 * AuthorizationPolicy and JwtPolicy are read and checked.
 */
struct target_ref {
    struct span group; /* "" = core; may be left out for every kind that a policy can have */
    struct span kind, name, section_name;
};

enum transport_mode {
    TRANSPORT_STRICT = 1, /* mutual TLS or nothing */
    TRANSPORT_PERMISSIVE, /* both */
    TRANSPORT_PLAINTEXT   /* plain text only: callers do not even try */
};
struct transport_port {
    struct span port; /* number of the workload's own port, as text */
    int8_t mode;
};
struct transport_policy_spec {
    struct items targets; /* struct target_ref; none = the whole mesh */
    int8_t mode;          /* enum transport_mode; 0 = as the next wider policy says */
    struct items ports;   /* struct transport_port */
};
struct transport_policy_body {
    struct transport_policy_spec spec;
};

/* What is not in force yet keeps its targets, so that a missing one is told. */
struct listed_policy_spec {
    struct items targets; /* struct target_ref */
    struct items rules;
    int64_t max_keys;
    int8_t action;
};
struct listed_policy_body {
    struct listed_policy_spec spec;
};
struct rate_match {
    struct texts methods, paths;
};
struct rate_rule {
    struct span name, rate;
    struct texts key;
    struct rate_match match;
    int64_t burst;
};
struct authorization_from {
    struct texts principals, namespaces, cidrs;
};
struct authorization_to {
    struct texts methods, paths, hosts;
    struct ints ports;
};
struct authorization_when {
    struct span claim, header, has;
    struct texts is_one_of;
};
struct authorization_rule {
    struct items from, to, when;
};
struct jwt_issuer {
    struct span issuer, jwks_uri, jwks, jwks_file;
    struct texts audiences, from_headers;
    int8_t require;
};

extern const struct schema target_ref_schema;
extern const struct schema transport_policy_schema, rate_limit_policy_schema,
    authorization_policy_schema, jwt_policy_schema;

/* targetRefs of one policy may not name the same target twice. */
const char *check_targets(const struct items *targets);

#endif
