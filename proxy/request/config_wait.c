#include "proxy/request/config_wait.h"

#include "lib/base/check.h"

static bool cluster_known(const struct snapshot *snapshot, struct span name)
{
    if (name.length == 0 || snapshot_is_absent(snapshot, name)) {
        return true; /* the request will say what is wrong with it */
    }
    const struct cluster_config *cluster = snapshot_cluster(snapshot, name);
    return cluster != NULL && cluster->endpoints_known;
}

static bool clusters_known(const struct snapshot *snapshot,
                           const struct xds_weighted_cluster *clusters, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!cluster_known(snapshot, clusters[i].name)) {
            return false;
        }
    }
    return true;
}

static bool routes_known(const struct snapshot *snapshot, const struct route_config *routes)
{
    const struct xds_route_config *facts = route_config_facts(routes);
    for (uint32_t h = 0; h < facts->host_count; h++) {
        for (uint32_t r = 0; r < facts->hosts[h].route_count; r++) {
            const struct xds_route *route = &facts->hosts[h].routes[r];
            if (!clusters_known(snapshot, route->clusters, route->cluster_count)) {
                return false;
            }
        }
    }
    return true;
}

static bool listener_known(const struct snapshot *snapshot, struct span name)
{
    const struct listener_config *listener = snapshot_listener(snapshot, name);
    if (listener == NULL) {
        return false;
    }
    listener_config_use(listener);
    if (listener->facts.route_name.length > 0 && listener->facts.protocol != XDS_PROTOCOL_OPAQUE &&
        listener->facts.protocol != XDS_PROTOCOL_TLS &&
        (listener->routes == NULL || !routes_known(snapshot, listener->routes))) {
        return false;
    }
    return clusters_known(snapshot, listener->facts.tcp_clusters,
                          listener->facts.tcp_cluster_count);
}

/* "ip/10.0.0.1" is known once the phone book has that address. */
static bool address_known(const struct snapshot *snapshot, struct span name)
{
    struct address address;
    return address_parse_ip(span_cut(name, 3, name.length), &address) &&
           phone_book_has_ip(snapshot->phone_book, &address);
}

static enum config_known config_known_of(const struct snapshot *snapshot, struct span name)
{
    if (snapshot_is_absent(snapshot, name)) {
        return CONFIG_ABSENT;
    }
    bool known = span_starts_with(name, SPAN("ip/")) ? address_known(snapshot, name)
                                                     : listener_known(snapshot, name);
    return known ? CONFIG_KNOWN : CONFIG_ASKED;
}

static void wait_over(struct timer *timer)
{
    struct config_wait *wait = CONTAINER_OF(timer, struct config_wait, timer);
    list_remove(&wait->link);
    wait->on_config(wait, false);
}

enum config_known config_wait_start(struct config_wait *wait, struct worker_scope *scope,
                                    struct span name,
                                    void (*on_config)(struct config_wait *wait, bool known))
{
    CHECK(!link_linked(&wait->link));
    enum config_known known = config_known_of(scope->snapshot, name);
    if (known != CONFIG_ASKED) {
        return known;
    }
    wait->scope = scope;
    wait->name = name;
    wait->on_config = on_config;
    timer_init(&wait->timer, scope->loop, wait_over);
    timer_start(&wait->timer, CONFIG_WAIT_MS * NS_PER_MS);
    list_push_back(&scope->config_waits, &wait->link);
    scope->ask(scope->ask_owner, name);
    return CONFIG_ASKED;
}

void config_wait_cancel(struct config_wait *wait)
{
    if (link_linked(&wait->link)) {
        list_remove(&wait->link);
        timer_stop(&wait->timer);
    }
}

void config_wait_check(struct worker_scope *scope)
{
    /* on_config may start new waits, at the end; those that are there now are looked at once. */
    struct list ready;
    list_init(&ready);
    LIST_EACH(&scope->config_waits, link)
    {
        struct config_wait *wait = CONTAINER_OF(link, struct config_wait, link);
        if (config_known_of(scope->snapshot, wait->name) != CONFIG_ASKED) {
            list_remove(link);
            list_push_back(&ready, link);
        }
    }
    for (struct link *link = list_pop(&ready); link != NULL; link = list_pop(&ready)) {
        struct config_wait *wait = CONTAINER_OF(link, struct config_wait, link);
        timer_stop(&wait->timer);
        wait->on_config(wait, config_known_of(scope->snapshot, wait->name) == CONFIG_KNOWN);
    }
}
