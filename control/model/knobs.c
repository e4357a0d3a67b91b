#include "control/model/world_parts.h"

static void lay(const struct world *world, struct span key, struct span section,
                struct traffic_policy_spec *knobs)
{
    const struct entry *policy = target_policy(world, KIND_TRAFFIC_POLICY, key, section);
    if (policy != NULL) {
        const struct traffic_policy_body *body = policy->object->body;
        schema_overlay(&traffic_defaults_schema, knobs, &body->spec);
    }
}

void knobs_of_service(const struct world *world, const struct service *service,
                      const struct service_port *port, struct traffic_policy_spec *ret_knobs)
{
    char into[TARGET_KEY_BYTES];
    struct span key = target_key_make(KIND_SERVICE, service->namespace_name, service->name, into);
    schema_clear(&traffic_defaults_schema, ret_knobs);
    if (mesh_spec_of(world) != NULL) {
        schema_overlay(&traffic_defaults_schema, ret_knobs, &mesh_spec_of(world)->defaults);
    }
    lay(world, key, SPAN_EMPTY, ret_knobs);
    if (port->name.length > 0) {
        lay(world, key, port->name, ret_knobs);
    }
}

void knobs_of_rule(const struct world *world, const struct entry *route, struct span rule,
                   struct traffic_policy_spec *knobs)
{
    lay(world, span_of(route->key), SPAN_EMPTY, knobs);
    if (rule.length > 0) {
        lay(world, span_of(route->key), rule, knobs);
    }
}
