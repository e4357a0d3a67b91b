#include "control/serve/mesh_world.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"
#include "lib/xds/xds_workload.h"

#include <string.h>

/* What is wrong with one file: a line each. */
struct file_problems {
    struct text texts;
    size_t errors;
};

struct mesh_world {
    struct world *world;
    struct supply *supply;
    struct control_stats *stats;
    struct mesh_world_events events;
    struct map problems; /* file -> struct file_problems */
    size_t errors;
    bool synced;   /* the source has told everything */
    bool compiled; /* and it counts */
};

/* ---- As supply ------------------------------------------------------------------------------- */

static struct resource *give(void *owner, const struct viewer *viewer, enum xds_type type,
                             struct span name)
{
    const struct mesh_world *mesh = owner;
    return world_resource(mesh->world, viewer, type, name);
}

static struct resource *give_next(void *owner, const struct viewer *viewer, enum xds_type type,
                                  size_t *at)
{
    const struct mesh_world *mesh = owner;
    return world_next(mesh->world, viewer, type, at);
}

static struct span whole_name(void *owner, const struct viewer *viewer, struct span name,
                              struct arena *arena)
{
    const struct mesh_world *mesh = owner;
    return world_listener_name(mesh->world, viewer, name, arena);
}

static const struct supply_ops supply_ops = {
    .resource = give, .next = give_next, .listener_name = whole_name};

/* ---- From the source ------------------------------------------------------------------------- */

static void on_object(void *owner, struct object *object)
{
    struct mesh_world *mesh = owner;
    world_put(mesh->world, object);
}

static void on_removed(void *owner, struct object *object)
{
    struct mesh_world *mesh = owner;
    world_remove(mesh->world, object);
}

static void forget_problems(struct mesh_world *mesh, struct span file)
{
    struct file_problems *old = map_remove(&mesh->problems, file);
    if (old != NULL) {
        mesh->errors -= old->errors;
        text_done(&old->texts);
        mem_free(old);
    }
}

static void on_problems(void *owner, const struct problems *problems)
{
    struct mesh_world *mesh = owner;
    struct span file = span_of(problems->file);
    forget_problems(mesh, file);
    if (problems->count > 0) {
        struct file_problems *kept = NEW(struct file_problems);
        for (size_t i = 0; i < problems->count; i++) {
            size_t at = kept->texts.length;
            problem_format(problems, &problems->items[i], &kept->texts);
            struct span line = span_cut(text_span(&kept->texts), at, kept->texts.length);
            LOG_WARN("manifests", problems->items[i].warning ? "warning" : "error",
                     LOG_SPAN("problem", line));
            if (!span_ends_with(line, SPAN("\n"))) {
                text_add_byte(&kept->texts, '\n');
            }
        }
        if (problems->left_out > 0) {
            text_printf(&kept->texts, "%s: %zu more problems\n", problems->file,
                        problems->left_out);
        }
        kept->errors = problems->errors;
        mesh->errors += kept->errors;
        map_put(&mesh->problems, file, kept);
    }
    control_stats_set(mesh->stats, CONTROL_STAT_PROBLEMS, (int64_t)mesh->errors);
}

static void on_synced(void *owner)
{
    struct mesh_world *mesh = owner;
    mesh->synced = true;
    mesh->events.on_changed(mesh->events.owner);
}

struct source_listener mesh_world_listener(struct mesh_world *mesh)
{
    return (struct source_listener){.on_object = on_object,
                                    .on_removed = on_removed,
                                    .on_problems = on_problems,
                                    .on_synced = on_synced,
                                    .owner = mesh};
}

/* ---- Compiling ------------------------------------------------------------------------------- */

/* What is well formed and nevertheless has no effect, or not all of it: a target that is missing,
 * another object that was there first, a field that nothing acts on yet. */
static void log_refusal(void *owner, const struct object *object, const struct condition *condition)
{
    char title[OBJECT_TITLE_BYTES];
    char field[CONDITION_FIELD_BYTES];
    bool follows = condition->type == CONDITION_PROGRAMMED &&
                   strcmp(condition->reason, "NotAccepted") == 0; /* from what is told anyway */
    if (condition->holds || follows) {
        return;
    }
    struct text line = {0};
    if (object->file.length > 0) {
        text_printf(&line, "%.*s:%u: ", SPAN_ARG(object->file), object->line);
    }
    text_add(&line, object_title(object, title));
    struct span where = condition_field((enum kind)object->kind, condition, field);
    text_printf(&line, ": %.*s%s%s", SPAN_ARG(where), where.length > 0 ? ": " : "",
                condition->message);
    LOG_WARN("manifests", "not in force", LOG_SPAN("problem", text_span(&line)),
             LOG_TEXT("reason", condition->reason));
    text_done(&line);
}

static void count(struct mesh_world *mesh)
{
    struct world_counts counts = world_count(mesh->world);
    control_stats_set(mesh->stats, CONTROL_STAT_OBJECTS, (int64_t)counts.objects);
    control_stats_set(mesh->stats, CONTROL_STAT_SERVICES, (int64_t)counts.services);
    control_stats_set(mesh->stats, CONTROL_STAT_WORKLOADS, (int64_t)counts.workloads);
    control_stats_set(mesh->stats, CONTROL_STAT_RESOURCES, (int64_t)counts.resources);
    control_stats_set(mesh->stats, CONTROL_STAT_RESOURCE_BYTES, (int64_t)counts.resource_bytes);
}

unsigned mesh_world_take_over(struct mesh_world *mesh)
{
    int64_t begin_ns = clock_now_ns();
    const struct world_changes *changes = world_compile(mesh->world);
    unsigned types = 0;
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        if (changes->types[type].count > 0) {
            types |= 1U << type;
        }
    }
    if (changes->self_everywhere || changes->self_namespace_count > 0) {
        types |= 1U << XDS_WORKLOAD;
    }
    control_stats_time(mesh->stats, CONTROL_STAT_COMPILE, clock_now_ns() - begin_ns);
    control_stats_add(mesh->stats, CONTROL_STAT_COMPILED, changes->services_compiled);
    count(mesh);
    world_tell_news(mesh->world, log_refusal, mesh);
    mesh->compiled |= mesh->synced;
    return types;
}

/* ---- Life ------------------------------------------------------------------------------------ */

struct mesh_world *mesh_world_create(const struct mesh_world_options *options,
                                     const struct mesh_world_events *events)
{
    struct mesh_world *mesh = NEW(struct mesh_world);
    mesh->world = world_create(&options->world);
    mesh->supply = supply_create(&supply_ops, mesh);
    mesh->stats = options->stats;
    mesh->events = *events;
    map_init(&mesh->problems);
    world_set_roots(mesh->world, options->roots_pem);
    mesh_world_take_over(mesh);
    return mesh;
}

void mesh_world_destroy(struct mesh_world *mesh)
{
    if (mesh == NULL) {
        return;
    }
    struct span file;
    void *value = NULL;
    size_t at = 0;
    while (map_next(&mesh->problems, &at, &file, &value)) {
        struct file_problems *problems = value;
        text_done(&problems->texts);
        mem_free(problems);
    }
    map_done(&mesh->problems);
    supply_destroy(mesh->supply);
    world_destroy(mesh->world);
    mem_free(mesh);
}

struct supply *mesh_world_supply(struct mesh_world *mesh)
{
    return mesh->supply;
}

struct world *mesh_world_world(struct mesh_world *mesh)
{
    return mesh->world;
}

/* It is told to every proxy; so to one that is nobody. */
int64_t mesh_world_certificate_lifetime_s(struct mesh_world *mesh)
{
    const struct viewer nobody = {.namespace_name = SPAN("default"),
                                  .service_account = SPAN("default")};
    struct arena arena = {0};
    struct xds_workload self = {0};
    struct xds_error error;
    struct resource *resource = world_resource(mesh->world, &nobody, XDS_WORKLOAD, SPAN("self"));
    bool known = resource != NULL && xds_workload_decode(resource->bytes, &arena, &self, &error);
    resource_unref(resource);
    arena_done(&arena);
    return known ? self.certificate_lifetime_s : 0;
}

bool mesh_world_ready(const struct mesh_world *mesh)
{
    return mesh->compiled;
}

bool mesh_world_next_problem(const struct mesh_world *mesh, size_t *at, struct span *ret_file,
                             const struct text **ret_texts)
{
    void *value = NULL;
    if (!map_next(&mesh->problems, at, ret_file, &value)) {
        return false;
    }
    const struct file_problems *problems = value;
    *ret_texts = &problems->texts;
    return true;
}
