#include "proxy/admin/explain_route.h"

#include "proxy/policy/retry.h"

static const char *path_kind_name(uint8_t kind)
{
    static const char *const names[] = {"any", "exact", "prefix", "segments", "regex"};
    return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}

static const char *match_kind_name(uint8_t kind)
{
    static const char *const names[] = {"exact",    "prefix", "suffix",
                                        "contains", "regex",  "present"};
    return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}

static void write_fields(struct explanation *to, const char *name,
                         const struct xds_field_match *fields, uint32_t count)
{
    text_printf(to->json, ",\"%s\":[", name);
    for (uint32_t i = 0; i < count; i++) {
        text_add_text(to->json, i > 0 ? ",{\"name\":" : "{\"name\":");
        text_add_json(to->json, fields[i].name);
        text_printf(to->json,
                    ",\"is\":\"%s\",\"invert\":%s,\"value\":", match_kind_name(fields[i].kind),
                    fields[i].invert ? "true" : "false");
        text_add_json(to->json, fields[i].value);
        text_add_byte(to->json, '}');
    }
    text_add_byte(to->json, ']');
}

/* Every condition of the route that matched. */
static void write_match(struct explanation *to, const struct xds_route *route)
{
    text_printf(to->json, ",\"matched\":{\"path\":{\"is\":\"%s\",\"value\":",
                path_kind_name(route->path_kind));
    text_add_json(to->json, route->path);
    text_add_byte(to->json, '}');
    write_fields(to, "headers", route->headers, route->header_count);
    write_fields(to, "queries", route->queries, route->query_count);
    text_add_byte(to->json, '}');
}

static void write_policy(struct explanation *to, const struct xds_route *route)
{
    /* -1 = the default of traffic policy, as request_steps has it. */
    int32_t limit = route->retry_limit >= 0 ? route->retry_limit : 2;
    text_printf(to->json, ",\"request_timeout_ms\":%lld,\"per_try_timeout_ms\":%lld",
                (long long)route->timeout_ms, (long long)route->per_try_timeout_ms);
    text_printf(to->json, ",\"retry\":{\"limit\":%d,\"on\":", limit);
    text_add_json(to->json, route->retry_on.length > 0 ? route->retry_on : SPAN("never-processed"));
    text_add_byte(to->json, '}');
}

static void explain_answer(struct explanation *to, const struct route *route,
                           const struct listener_config *listener, const struct http_head *head)
{
    const struct xds_route *facts = route->facts;
    bool redirect = facts->action == XDS_ACTION_REDIRECT;
    text_printf(to->json, ",\"outcome\":\"%s\",\"status\":%u", redirect ? "redirect" : "direct",
                facts->status);
    if (redirect) {
        text_add_text(to->json, ",\"location\":");
        text_add_json(to->json, route_redirect_location(route, head, listener->facts.address.port,
                                                        &to->arena));
    }
}

void explain_route(struct explanation *to, const struct listener_config *listener,
                   const struct http_head *head)
{
    const struct route *route = route_match(listener->routes, head);
    text_add_text(to->json, ",\"routes\":");
    text_add_json(to->json, route_config_name(listener->routes));
    if (route == NULL) {
        text_add_text(to->json, ",\"route\":null");
        explain_outcome(to, FAILURE_NO_ROUTE, failure_facts(FAILURE_NO_ROUTE)->explanation);
        return;
    }
    text_add_text(to->json, ",\"route\":");
    text_add_json(to->json, route->facts->name);
    text_printf(to->json, ",\"route_index\":%u", route->index);
    write_match(to, route->facts);
    if (route->facts->action != XDS_ACTION_FORWARD) {
        explain_answer(to, route, listener, head);
        return;
    }
    write_policy(to, route->facts);
    text_add_text(to->json, ",\"path_upstream\":");
    text_add_json(to->json, route_rewrite_path(route, head->path, &to->arena));
    explain_clusters(to, route->facts->clusters, route->facts->cluster_count);
}
