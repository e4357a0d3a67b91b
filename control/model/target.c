#include "control/model/transport.h"
#include "control/model/world_parts.h"
#include "control/object/policy_spec.h"

#include <stdio.h>

const struct items *policy_targets(const struct object *policy)
{
    switch (policy->kind) {
    case KIND_TRAFFIC_POLICY:
        return &((const struct traffic_policy_body *)policy->body)->spec.targets;
    case KIND_TRANSPORT_POLICY:
        return &((const struct transport_policy_body *)policy->body)->spec.targets;
    case KIND_RATE_LIMIT_POLICY:
    case KIND_AUTHORIZATION_POLICY:
    case KIND_JWT_POLICY:
        return &((const struct listed_policy_body *)policy->body)->spec.targets;
    default:
        return NULL;
    }
}

static const struct target_ref *target_ref_of(const struct attachment *attachment)
{
    return (const struct target_ref *)policy_targets(attachment->policy->object)->at +
           attachment->part;
}

static bool span_is_one_of(struct span text, const char *words)
{
    struct span rest = span_of(words);
    struct span word;
    while (span_next(&rest, ' ', &word)) {
        if (span_equal(word, text)) {
            return true;
        }
    }
    return false;
}

/* Which kinds a policy may point at. */
static const char *kinds_allowed(uint8_t policy)
{
    switch (policy) {
    case KIND_TRAFFIC_POLICY:
        return "Service HTTPRoute GRPCRoute";
    case KIND_TRANSPORT_POLICY:
        return "Namespace Service Workload";
    default:
        return "Service";
    }
}

static enum kind kind_by_name(struct span name)
{
    int kind = 0;
    while (kind < KINDS && !span_equal_text(name, kind_facts((enum kind)kind)->name)) {
        kind++;
    }
    return (enum kind)kind;
}

struct span target_key_make(enum kind kind, struct span namespace_name, struct span name,
                            char *into)
{
    struct span realm = kind_facts(kind)->namespaced ? namespace_name : SPAN_EMPTY;
    int length = snprintf(into, TARGET_KEY_BYTES, "%s/%.*s/%.*s", kind_facts(kind)->name,
                          SPAN_ARG(realm), SPAN_ARG(name));
    return span_make(into,
                     (size_t)length < TARGET_KEY_BYTES ? (size_t)length : TARGET_KEY_BYTES - 1);
}

/* Empty when the policy may not point at such a thing. */
static struct span key_of_ref(const struct entry *policy, const struct target_ref *ref, char *into)
{
    const struct metadata *meta = &policy->object->meta;
    bool allowed = span_is_one_of(ref->kind, kinds_allowed(policy->object->kind));
    if (!allowed ||
        (span_equal_text(ref->kind, "Namespace") && !span_equal(ref->name, meta->namespace_name))) {
        return SPAN_EMPTY;
    }
    return target_key_make(kind_by_name(ref->kind), meta->namespace_name, ref->name, into);
}

static void unjudge(struct world *world, struct entry *policy)
{
    if (!link_linked(&policy->unjudged)) {
        list_push_back(&world->unjudged, &policy->unjudged);
    }
}

static void unjudge_all(struct world *world, const struct target *target)
{
    for (uint32_t i = 0; i < target->attachments.count; i++) {
        unjudge(world, ((struct attachment *)target->attachments.at[i])->policy);
    }
}

static void attach_one(struct world *world, struct entry *policy, struct span key, int part)
{
    struct target *target = map_get(&world->targets, key);
    if (target == NULL) {
        target = NEW(struct target);
        target->key = mem_text(key.at, key.length);
        map_put(&world->targets, span_of(target->key), target);
    }
    struct attachment *attachment = NEW(struct attachment);
    *attachment = (struct attachment){policy, part};
    pointers_add(&target->attachments, attachment);
    unjudge_all(world, target);
}

static void detach_one(struct world *world, struct entry *policy, struct span key)
{
    struct target *target = map_get(&world->targets, key);
    if (target == NULL) {
        return;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < target->attachments.count; i++) {
        struct attachment *each = target->attachments.at[i];
        if (each->policy == policy) {
            mem_free(each);
        } else {
            target->attachments.at[kept++] = each;
        }
    }
    target->attachments.count = kept;
    unjudge_all(world, target);
    if (kept == 0) {
        map_remove(&world->targets, key);
        pointers_done(&target->attachments);
        mem_free(target->key);
        mem_free(target);
    }
}

void target_attach(struct world *world, struct entry *policy)
{
    const struct items *targets = policy_targets(policy->object);
    const struct target_ref *refs = targets->at;
    char into[TARGET_KEY_BYTES];
    for (uint32_t i = 0; i < targets->count; i++) {
        struct span key = key_of_ref(policy, &refs[i], into);
        if (key.length > 0) {
            attach_one(world, policy, key, (int)i);
        }
    }
    unjudge(world, policy);
}

void target_detach(struct world *world, struct entry *policy)
{
    const struct items *targets = policy_targets(policy->object);
    const struct target_ref *refs = targets->at;
    char into[TARGET_KEY_BYTES];
    for (uint32_t i = 0; i < targets->count; i++) {
        struct span key = key_of_ref(policy, &refs[i], into);
        if (key.length > 0) {
            detach_one(world, policy, key);
        }
    }
    list_remove(&policy->unjudged);
}

void target_touch(struct world *world, struct span key)
{
    const struct target *target = map_get(&world->targets, key);
    if (target != NULL) {
        unjudge_all(world, target);
    }
}

struct entry *target_policy(const struct world *world, enum kind kind, struct span target_key,
                            struct span section)
{
    const struct target *target = map_get(&world->targets, target_key);
    struct entry *oldest = NULL;
    for (uint32_t i = 0; target != NULL && i < target->attachments.count; i++) {
        const struct attachment *each = target->attachments.at[i];
        const struct object *policy = each->policy->object;
        if (policy->kind == kind && span_equal(target_ref_of(each)->section_name, section) &&
            (oldest == NULL || object_older(policy, oldest->object))) {
            oldest = each->policy;
        }
    }
    return oldest;
}

/* A section of a Service is one of its ports, of a route one of its rules. */
static bool has_section(const struct object *object, struct span section)
{
    if (section.length == 0) {
        return true;
    }
    if (object->kind == KIND_SERVICE) {
        const struct items *ports = &((const struct service_body *)object->body)->spec.ports;
        for (uint32_t i = 0; i < ports->count; i++) {
            if (span_equal(((const struct service_port *)ports->at)[i].name, section)) {
                return true;
            }
        }
    }
    if (object->kind == KIND_HTTP_ROUTE || object->kind == KIND_GRPC_ROUTE) {
        const struct items *rules = &((const struct route_body *)object->body)->spec.rules;
        for (uint32_t i = 0; i < rules->count; i++) {
            if (span_equal(((const struct route_rule *)rules->at)[i].name, section)) {
                return true;
            }
        }
    }
    return false;
}

static void judge_part(struct world *world, struct entry *policy, const struct target_ref *ref,
                       int part)
{
    char into[TARGET_KEY_BYTES];
    struct span key = key_of_ref(policy, ref, into);
    const struct entry *target = key.length > 0 ? map_get(&world->entries, key) : NULL;
    bool namespace_target = span_equal_text(ref->kind, "Namespace");
    struct conditions *conditions = &policy->conditions;
    if (key.length == 0) {
        conditions_set(conditions, part, CONDITION_ACCEPTED, false, "Invalid",
                       "a %s may not point at %.*s %.*s", kind_facts(policy->object->kind)->name,
                       SPAN_ARG(ref->kind), SPAN_ARG(ref->name));
        return;
    }
    /* A namespace exists by being spoken of: a folder need not hold a Namespace object. */
    if (target == NULL && !namespace_target) {
        conditions_set(conditions, part, CONDITION_ACCEPTED, false, "TargetNotFound",
                       "%.*s %.*s is not there", SPAN_ARG(ref->kind), SPAN_ARG(ref->name));
        return;
    }
    if (target != NULL && !has_section(target->object, ref->section_name)) {
        conditions_set(conditions, part, CONDITION_ACCEPTED, false, "TargetNotFound",
                       "%.*s %.*s has no section %.*s", SPAN_ARG(ref->kind), SPAN_ARG(ref->name),
                       SPAN_ARG(ref->section_name));
        return;
    }
    const struct entry *holds = target_policy(world, policy->object->kind, key, ref->section_name);
    if (holds != policy) {
        conditions_set(conditions, part, CONDITION_ACCEPTED, false, "Conflicted",
                       "%s, which is older, holds for this target", holds->key);
        return;
    }
    conditions_set(conditions, part, CONDITION_ACCEPTED, true, "Accepted", "attached");
}

static void judge_mesh_policy(struct world *world, struct entry *policy)
{
    bool home = span_equal_text(policy->object->meta.namespace_name, world->root_namespace);
    if (!home) {
        conditions_set(&policy->conditions, CONDITION_OF_OBJECT, CONDITION_ACCEPTED, false,
                       "Invalid", "without targetRefs only in namespace %s: it holds for the mesh",
                       world->root_namespace);
        return;
    }
    const struct entry *holds = transport_policy_of_mesh(world);
    if (holds != policy) {
        conditions_set(&policy->conditions, CONDITION_OF_OBJECT, CONDITION_ACCEPTED, false,
                       "Conflicted", "%s, which is older, holds for the mesh", holds->key);
        return;
    }
    conditions_set(&policy->conditions, CONDITION_OF_OBJECT, CONDITION_ACCEPTED, true, "Accepted",
                   "holds for the whole mesh");
}

void targets_judge(struct world *world)
{
    struct link *link;
    while ((link = list_pop(&world->unjudged)) != NULL) {
        struct entry *policy = CONTAINER_OF(link, struct entry, unjudged);
        const struct items *targets = policy_targets(policy->object);
        const struct target_ref *refs = targets->at;
        for (uint32_t i = 0; i < targets->count; i++) {
            judge_part(world, policy, &refs[i], (int)i);
        }
        if (targets->count == 0 && policy->object->kind == KIND_TRANSPORT_POLICY) {
            judge_mesh_policy(world, policy);
        }
        entry_judge_programmed(policy);
    }
}
