#include "control/admin/top_identities.h"

#include "lib/xds/xds_phone.h"

struct identities {
    struct span items[TOP_IDENTITIES];
    size_t count;
};

static void note(struct identities *found, struct span identity)
{
    for (size_t i = 0; i < found->count; i++) {
        if (span_equal(found->items[i], identity)) {
            return;
        }
    }
    if (identity.length > 0 && found->count < TOP_IDENTITIES) {
        found->items[found->count++] = identity;
    }
}

static void note_cluster(struct supply *supply, const struct viewer *viewer, struct span cluster,
                         struct arena *arena, struct identities *found)
{
    struct xds_error error = {{0}};
    struct xds_endpoints endpoints = {0};
    struct resource *resource = supply_resource(supply, viewer, XDS_ENDPOINTS, cluster, false);
    if (resource == NULL) {
        return;
    }
    /* What was decoded points into the bytes, which must outlive it. */
    struct span bytes = arena_span(arena, resource->bytes);
    resource_unref(resource);
    if (!xds_endpoints_decode(bytes, arena, &endpoints, &error)) {
        return;
    }
    for (uint32_t l = 0; l < endpoints.locality_count; l++) {
        const struct xds_locality *locality = &endpoints.localities[l];
        for (uint32_t e = 0; e < locality->endpoint_count; e++) {
            note(found, locality->endpoints[e].identity);
        }
    }
}

static void note_service(struct supply *supply, struct span service, struct arena *arena,
                         struct identities *found)
{
    struct viewer viewer = {
        .namespace_name = span_cut(service, 0, span_find_byte(service, '/')),
    };
    struct xds_error error = {{0}};
    struct xds_phone_entry entry = {0};
    struct resource *resource = supply_resource(supply, &viewer, XDS_PHONE, service, false);
    if (resource == NULL) {
        return;
    }
    struct span bytes = arena_span(arena, resource->bytes);
    resource_unref(resource);
    if (!xds_phone_decode(bytes, arena, &entry, &error)) {
        return;
    }
    for (uint32_t p = 0; p < entry.port_count; p++) {
        char *cluster =
            arena_printf(arena, "outbound|%u||%.*s", entry.ports[p].port, SPAN_ARG(entry.host));
        note_cluster(supply, &viewer, span_of(cluster), arena, found);
    }
}

void top_identities_write(struct supply *supply, struct span service, struct text *into)
{
    struct arena arena = {0};
    struct identities found = {.count = 0};
    note_service(supply, service, &arena, &found);
    text_add_text(into, "[");
    for (size_t i = 0; i < found.count; i++) {
        text_add_text(into, i > 0 ? ", " : "");
        text_add_json(into, found.items[i]);
    }
    text_add_text(into, "]");
    arena_done(&arena);
}
