#include "control/model/world_parts.h"

#include "lib/base/text.h"

#include <stdio.h>

/* Names that come from outside are DNS names of at most 253 bytes; longer ones find nothing. */
enum { KEY_BYTES = 64 + 256 };

static struct span key_make(struct span namespace_name, struct span name, char *into)
{
    int length = snprintf(into, KEY_BYTES, "%.*s/%.*s", SPAN_ARG(namespace_name), SPAN_ARG(name));
    return span_make(into, (size_t)length < KEY_BYTES ? (size_t)length : KEY_BYTES - 1);
}

struct service *service_find(const struct world *world, struct span namespace_name,
                             struct span name)
{
    char key[KEY_BYTES];
    return map_get(&world->services, key_make(namespace_name, name, key));
}

struct service *service_get(struct world *world, struct span namespace_name, struct span name)
{
    char key[KEY_BYTES];
    struct span whole = key_make(namespace_name, name, key);
    struct service *service = map_get(&world->services, whole);
    if (service != NULL) {
        return service;
    }
    service = NEW(struct service);
    service->key = mem_text(whole.at, whole.length);
    size_t slash = span_find_byte(whole, '/');
    service->namespace_name = span_make(service->key, slash);
    service->name = span_make(service->key + slash + 1, whole.length - slash - 1);
    struct text host = {0};
    text_printf(&host, "%.*s.%.*s.svc.%s", SPAN_ARG(service->name),
                SPAN_ARG(service->namespace_name), world->cluster_domain);
    service->host = text_take(&host);
    service->realm = realm_get(world, service->namespace_name);
    pointers_add(&service->realm->services, service);
    map_put(&world->services, span_of(service->key), service);
    return service;
}

void service_destroy(struct world *world, struct service *service)
{
    list_remove(&service->dirty);
    resource_producer_done(&world->table, &service->products);
    for (uint32_t i = 0; i < service->bindings.count; i++) {
        mem_free(service->bindings.at[i]);
    }
    pointers_done(&service->bindings);
    pointers_done(&service->slices);
    pointers_done(&service->users);
    pointers_done(&service->backends);
    mem_free(service->selector);
    mem_free(service->host);
    mem_free(service->key);
    mem_free(service);
}

void service_release(struct world *world, struct service *service)
{
    bool idle = service->entry == NULL && service->bindings.count == 0 &&
                service->slices.count == 0 && service->users.count == 0 &&
                !link_linked(&service->dirty);
    if (idle) {
        service_set_backends(world, service, &(struct pointers){0});
        pointers_remove(&service->realm->services, service);
        map_remove(&world->services, span_of(service->key));
        service_destroy(world, service);
    }
}

void service_mark(struct world *world, struct service *service)
{
    if (!link_linked(&service->dirty)) {
        list_push_back(&world->dirty_services, &service->dirty);
    }
}

void service_mark_users(struct world *world, struct service *service)
{
    service_mark(world, service);
    for (uint32_t i = 0; i < service->users.count; i++) {
        service_mark(world, service->users.at[i]);
    }
}

void services_mark_realm(struct world *world, struct realm *realm)
{
    for (uint32_t i = 0; i < realm->services.count; i++) {
        service_mark(world, realm->services.at[i]);
    }
}

/* Takes the bag over. Services that are no longer sent to may go. */
void service_set_backends(struct world *world, struct service *service, struct pointers *backends)
{
    struct pointers before = service->backends;
    service->backends = *backends;
    *backends = (struct pointers){0};
    for (uint32_t i = 0; i < service->backends.count; i++) {
        struct service *to = service->backends.at[i];
        if (!pointers_has(&before, to)) {
            pointers_add(&to->users, service);
        }
    }
    for (uint32_t i = 0; i < before.count; i++) {
        struct service *to = before.at[i];
        if (!pointers_has(&service->backends, to)) {
            pointers_remove(&to->users, service);
            /* Marked, and released once compiled: it may be in use further up the stack. */
            service_mark(world, to);
        }
    }
    pointers_done(&before);
}

bool service_is_headless(const struct service *service)
{
    return span_equal_text(service_spec_of(service)->cluster_ip, "None");
}
