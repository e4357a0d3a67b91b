#include "proxy/config/route_prepared.h"

#include "lib/base/memory.h"
#include "proxy/config/config_limits.h"

#include <stdio.h>

/* Building and life of prepared routes; matching is in route_match.c, changing in route_change.c.
 */

static bool prepare_pattern(struct pattern **to, struct span expression,
                            struct xds_error *ret_error)
{
    const char *reason = "";
    *to = pattern_create(expression, &reason);
    if (*to == NULL) {
        int shown = expression.length < 100 ? (int)expression.length : 100;
        snprintf(ret_error->text, sizeof(ret_error->text), "regular expression \"%.*s\": %s", shown,
                 expression.at, reason);
    }
    return *to != NULL;
}

static bool prepare_field(struct prepared_field *to, const struct xds_field_match *from,
                          struct xds_error *ret_error)
{
    to->facts = from;
    to->token = header_token_of(from->name);
    if (from->kind == XDS_MATCH_REGEX) {
        return prepare_pattern(&to->pattern, from->value, ret_error);
    }
    return true;
}

static bool prepare_fields(struct prepared_field **ret, const struct xds_field_match *from,
                           uint32_t count, struct arena *arena, struct xds_error *ret_error)
{
    *ret = ARENA_ARRAY(arena, struct prepared_field, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!prepare_field(&(*ret)[i], &from[i], ret_error)) {
            return false;
        }
    }
    return true;
}

static bool redirect_status_valid(uint16_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool check_route(const struct xds_route *route, struct xds_error *ret_error)
{
    const char *what = NULL;
    if (route->action == XDS_ACTION_REDIRECT && !redirect_status_valid(route->status)) {
        what = "a redirect's status is 301, 302, 303, 307 or 308";
    } else if (route->action == XDS_ACTION_DIRECT && (route->status < 200 || route->status > 599)) {
        what = "a direct answer's status is 200 to 599";
    } else if (route->timeout_ms < 0 || route->timeout_ms > CONFIG_MS_MOST ||
               route->per_try_timeout_ms < 0 || route->per_try_timeout_ms > CONFIG_MS_MOST) {
        what = "a timeout is negative or longer than ten years";
    } else if (route->rewrite == XDS_REWRITE_PREFIX && route->path_kind == XDS_PATH_REGEX) {
        what = "a regular expression has no prefix to be replaced";
    }
    if (what != NULL) {
        snprintf(ret_error->text, sizeof(ret_error->text), "route %.*s: %s", SPAN_ARG(route->name),
                 what);
    }
    return what == NULL;
}

static bool prepare_route(struct prepared_route *to, const struct xds_route *from, uint32_t index,
                          struct arena *arena, struct xds_error *ret_error)
{
    if (!check_route(from, ret_error)) {
        return false;
    }
    to->route.facts = from;
    to->route.index = index;
    for (uint32_t i = 0; i < from->cluster_count; i++) {
        to->route.weight += from->clusters[i].weight;
    }
    if (from->path_kind == XDS_PATH_REGEX && !prepare_pattern(&to->path, from->path, ret_error)) {
        return false;
    }
    return prepare_fields(&to->headers, from->headers, from->header_count, arena, ret_error) &&
           prepare_fields(&to->queries, from->queries, from->query_count, arena, ret_error);
}

static bool prepare(struct route_config *config, struct xds_error *ret_error)
{
    uint32_t index = 0;
    config->hosts = ARENA_ARRAY(&config->arena, struct prepared_host, config->facts->host_count);
    for (uint32_t h = 0; h < config->facts->host_count; h++) {
        const struct xds_virtual_host *host = &config->facts->hosts[h];
        config->hosts[h].facts = host;
        config->hosts[h].routes =
            ARENA_ARRAY(&config->arena, struct prepared_route, host->route_count);
        for (uint32_t r = 0; r < host->route_count; r++) {
            if (!prepare_route(&config->hosts[h].routes[r], &host->routes[r], index++,
                               &config->arena, ret_error)) {
                return false;
            }
        }
    }
    return true;
}

struct route_config *route_config_create(const struct xds_route_config *facts,
                                         struct xds_error *ret_error)
{
    struct route_config *config = NEW(struct route_config);
    refcount_init(&config->references);
    arena_init(&config->arena);
    config->facts = route_copy(facts, &config->arena);
    if (!prepare(config, ret_error)) {
        route_config_unref(config);
        return NULL;
    }
    return config;
}

struct route_config *route_config_ref(struct route_config *config)
{
    refcount_up(&config->references);
    return config;
}

static void destroy_fields(struct prepared_field *fields, uint32_t count)
{
    for (uint32_t i = 0; fields != NULL && i < count; i++) {
        pattern_destroy(fields[i].pattern);
    }
}

void route_config_unref(struct route_config *config)
{
    if (config == NULL || !refcount_down(&config->references)) {
        return;
    }
    for (uint32_t h = 0; h < config->facts->host_count; h++) {
        struct prepared_host *host = &config->hosts[h];
        for (uint32_t r = 0; host->routes != NULL && r < host->facts->route_count; r++) {
            struct prepared_route *route = &host->routes[r];
            if (route->route.facts != NULL) {
                pattern_destroy(route->path);
                destroy_fields(route->headers, route->route.facts->header_count);
                destroy_fields(route->queries, route->route.facts->query_count);
            }
        }
    }
    arena_done(&config->arena);
    mem_free(config);
}

struct span route_config_name(const struct route_config *config)
{
    return config->facts->name;
}

const struct xds_route_config *route_config_facts(const struct route_config *config)
{
    return config->facts;
}
