#include "control/admin/admin_page.h"

#include "lib/base/clock.h"
#include "lib/stats/exposition.h"

static void write_condition(const struct object *object, const struct condition *condition,
                            struct text *into)
{
    char field[CONDITION_FIELD_BYTES];
    text_printf(into, "{\"type\": \"%s\", \"status\": %s, \"reason\": ",
                condition_type_name(condition->type), condition->holds ? "true" : "false");
    text_add_json(into, span_of(condition->reason));
    if (condition->part != CONDITION_OF_OBJECT) {
        text_printf(into, ", \"part\": %d", condition->part);
    }
    struct span where = condition_field((enum kind)object->kind, condition, field);
    if (where.length > 0) {
        text_add_text(into, ", \"field\": ");
        text_add_json(into, where);
    }
    text_add_text(into, ", \"message\": ");
    text_add_json(into, span_of(condition->message));
    text_printf(into, ", \"since\": %lld}", (long long)condition->since_s);
}

static void write_conditions(const struct object *object, const struct conditions *conditions,
                             struct text *into)
{
    text_add_text(into, ", \"conditions\": [");
    for (uint32_t i = 0; conditions != NULL && i < conditions->count; i++) {
        text_add_text(into, i > 0 ? ", " : "");
        write_condition(object, &conditions->items[i], into);
    }
    text_add_text(into, "]");
}

static void write_object(const struct world_object *row, struct text *into)
{
    const struct object *object = row->object;
    const struct kind_facts *kind = kind_facts((enum kind)object->kind);
    text_printf(into, "{\"kind\": \"%s\", \"namespace\": ", kind->name);
    text_add_json(into, object->meta.namespace_name);
    text_add_text(into, ", \"name\": ");
    text_add_json(into, object->meta.name);
    text_add_text(into, ", \"file\": ");
    text_add_json(into, object->file);
    text_printf(into, ", \"line\": %u, \"inForce\": %s, \"fieldsNotInForce\": [", object->line,
                kind->in_force ? "true" : "false");
    for (uint32_t i = 0; i < object->not_in_force_count; i++) {
        text_add_text(into, i > 0 ? ", " : "");
        text_add_json(into, object->not_in_force[i]);
    }
    text_add_text(into, "]");
    write_conditions(object, row->conditions, into);
    text_add_byte(into, '}');
}

static void write_problems(struct mesh_world *mesh, struct text *into)
{
    size_t at = 0;
    struct span file;
    const struct text *texts;
    const char *between = "";
    text_add_text(into, "\"problems\": [");
    while (mesh_world_next_problem(mesh, &at, &file, &texts)) {
        struct span rest = text_span(texts);
        struct span line;
        while (span_next(&rest, '\n', &line)) {
            if (line.length > 0) {
                text_add_text(into, between);
                text_add_json(into, line);
                between = ",\n";
            }
        }
    }
    text_add_text(into, "]");
}

void page_status(const struct admin_server_options *of, struct text *into)
{
    struct world_object row;
    struct world_counts counts = world_count(mesh_world_world(of->mesh));
    size_t at = 0;
    const char *between = "\n";
    text_printf(into,
                "{\"ready\": %s, \"services\": %zu, \"workloads\": %zu, \"resources\": %zu, "
                "\"resourceBytes\": %zu, ",
                mesh_world_ready(of->mesh) ? "true" : "false", counts.services, counts.workloads,
                counts.resources, counts.resource_bytes);
    write_problems(of->mesh, into);
    text_add_text(into, ", \"objects\": [");
    while (world_next_object(mesh_world_world(of->mesh), &at, &row)) {
        text_add_text(into, between);
        write_object(&row, into);
        between = ",\n";
    }
    text_add_text(into, "\n]}\n");
}

void page_version(const struct admin_server_options *of, struct text *into)
{
    text_printf(into, "{\"program\": \"remora-control\", \"version\": \"%s\"}\n", of->version);
}

static void write_left(struct text *into, const char *name, int64_t not_after_s)
{
    text_printf(into, ", \"%s\": %lld", name,
                (long long)(not_after_s - clock_wall_ns() / NS_PER_S));
}

void page_ca(const struct admin_server_options *of, struct text *into)
{
    text_add_text(into, "{\"trustDomain\": ");
    text_add_json(into, mesh_ca_trust_domain(of->ca));
    text_printf(into, ", \"own\": %s", mesh_ca_is_own(of->ca) ? "true" : "false");
    write_left(into, "rootSecondsLeft", mesh_ca_root_not_after_s(of->ca));
    write_left(into, "signerSecondsLeft", mesh_ca_signer_not_after_s(of->ca));
    write_left(into, "serverSecondsLeft", xds_server_not_after_s(of->xds));
    text_add_text(into, ", \"rootsPem\": ");
    text_add_json(into, mesh_ca_roots_pem(of->ca));
    text_add_text(into, "}\n");
}

/* Gauges that nobody keeps up to date are taken now. */
void page_metrics(const struct admin_server_options *of, struct loop *loop, struct text *into)
{
    static const char *const states[] = {"active", "expired", "revoked", "spent"};
    int64_t now_s = clock_wall_ns() / NS_PER_S;
    control_stats_set_for(of->stats, CONTROL_STAT_BUILD, of->version, 1);
    control_stats_set_for(of->stats, CONTROL_STAT_EXPIRY, "root",
                          mesh_ca_root_not_after_s(of->ca) - now_s);
    control_stats_set_for(of->stats, CONTROL_STAT_EXPIRY, "signer",
                          mesh_ca_signer_not_after_s(of->ca) - now_s);
    control_stats_set_for(of->stats, CONTROL_STAT_EXPIRY, "server",
                          xds_server_not_after_s(of->xds) - now_s);
    control_stats_set(of->stats, CONTROL_STAT_CONNECTIONS,
                      (int64_t)xds_server_connections(of->xds));
    for (size_t s = 0; s < sizeof(states) / sizeof(states[0]); s++) {
        int64_t count = 0;
        for (size_t i = 0; i < join_tokens_count(of->tokens); i++) {
            const char *state = join_token_state(join_tokens_at(of->tokens, i));
            count += span_equal_text(span_of(state), states[s]);
        }
        control_stats_set_for(of->stats, CONTROL_STAT_TOKENS, states[s], count);
    }
    stats_writer_expire(of->stats->writer, loop_now_ns(loop));
    stats_expire(of->stats->registry, loop_now_ns(loop));
    stats_write_prometheus(of->stats->registry, into);
}
