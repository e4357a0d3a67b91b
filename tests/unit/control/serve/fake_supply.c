#include "fake_supply.h"

static struct resource *give(void *owner, const struct viewer *viewer, enum xds_type type,
                             struct span name)
{
    struct fake_supply *fake = owner;
    fake->asked++;
    struct resource *resource = map_get(&fake->types[type], name);
    return resource != NULL ? resource_ref(resource) : NULL;
}

static struct resource *give_next(void *owner, const struct viewer *viewer, enum xds_type type,
                                  size_t *at)
{
    struct fake_supply *fake = owner;
    struct span name;
    void *resource = NULL;
    return map_next(&fake->types[type], at, &name, &resource) ? resource_ref(resource) : NULL;
}

/* "api:80" stands for "api.NAMESPACE:80". */
static struct span whole_name(void *owner, const struct viewer *viewer, struct span name,
                              struct arena *arena)
{
    size_t colon = span_find_byte(name, ':');
    if (span_find_byte(name, '.') < name.length) {
        return name;
    }
    return span_of(arena_printf(arena, "%.*s.%.*s%.*s", SPAN_ARG(span_cut(name, 0, colon)),
                                SPAN_ARG(viewer->namespace_name),
                                SPAN_ARG(span_cut(name, colon, name.length))));
}

static const struct supply_ops ops = {
    .resource = give, .next = give_next, .listener_name = whole_name};

void fake_supply_init(struct fake_supply *fake)
{
    *fake = (struct fake_supply){0};
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        map_init(&fake->types[type]);
    }
    fake->supply = supply_create(&ops, fake);
}

void fake_supply_done(struct fake_supply *fake)
{
    supply_destroy(fake->supply);
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        struct span name;
        void *resource = NULL;
        size_t at = 0;
        while (map_next(&fake->types[type], &at, &name, &resource)) {
            resource_unref(resource);
        }
        map_done(&fake->types[type]);
    }
}

void fake_supply_put(struct fake_supply *fake, enum xds_type type, const char *name,
                     const char *bytes)
{
    struct resource *resource = resource_create(type, span_of(name), span_of(bytes));
    resource_unref(map_put(&fake->types[type], span_of(name), resource));
    supply_changed(fake->supply);
}

void fake_supply_remove(struct fake_supply *fake, enum xds_type type, const char *name)
{
    resource_unref(map_remove(&fake->types[type], span_of(name)));
    supply_changed(fake->supply);
}
