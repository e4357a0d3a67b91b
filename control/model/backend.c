#include "control/model/compile.h"
#include "control/model/protocol.h"
#include "control/model/world_parts.h"

/*
 * Where a backendRef leads. Other namespaces need no ReferenceGrant: routes of a mesh shape traffic
 * that could be sent anyway, they expose nothing (GEP-1294, "Namespace boundaries").
 */
struct span cluster_name_make(struct arena *arena, const struct service *service, int64_t port)
{
    return span_of(arena_printf(arena, "outbound|%lld||%s", (long long)port, service->host));
}

static bool is_service(const struct backend_ref *backend)
{
    return backend->group.length == 0 &&
           (backend->kind.length == 0 || span_equal_text(backend->kind, "Service"));
}

static bool has_port(const struct service *service, int64_t port)
{
    const struct items *ports = &service_spec_of(service)->ports;
    for (uint32_t i = 0; i < ports->count; i++) {
        const struct service_port *each = (const struct service_port *)ports->at + i;
        if (each->port == port && port_is_meshed(each)) {
            return true;
        }
    }
    return false;
}

/* Also of a service that is not there yet: its coming must compile this one again. */
static struct service *note_backend(struct compile *compile, const struct entry *route,
                                    const struct backend_ref *backend)
{
    struct span namespace_name = backend->namespace_name.length > 0
                                     ? backend->namespace_name
                                     : route->object->meta.namespace_name;
    struct service *service = service_get(compile->world, namespace_name, backend->name);
    if (!pointers_has(&compile->backends, service)) {
        pointers_add(&compile->backends, service);
    }
    return service;
}

const char *backend_resolve(struct compile *compile, const struct entry *route,
                            const struct backend_ref *backend, struct span *ret_cluster,
                            const char **ret_message)
{
    struct arena *arena = &compile->arena;
    if (!is_service(backend)) {
        *ret_message =
            arena_printf(arena, "%.*s is no kind that a backend can have", SPAN_ARG(backend->kind));
        return "InvalidKind";
    }
    const struct service *service = note_backend(compile, route, backend);
    if (service->entry == NULL) {
        *ret_message = arena_printf(arena, "there is no Service %s", service->key);
        return "BackendNotFound";
    }
    if (service_spec_of(service)->type == SERVICE_EXTERNAL_NAME) {
        *ret_message = arena_printf(arena, "Service %s is of type ExternalName", service->key);
        return "UnsupportedValue";
    }
    if (backend->port == FIELD_UNSET || !has_port(service, backend->port)) {
        *ret_message = backend->port == FIELD_UNSET
                           ? "a Service as backend needs a port"
                           : arena_printf(arena, "Service %s has no TCP port %lld", service->key,
                                          (long long)backend->port);
        return "BackendNotFound";
    }
    *ret_cluster = cluster_name_make(arena, service, backend->port);
    return "";
}
