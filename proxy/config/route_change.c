#include "proxy/config/route_config.h"

/* What a route does to a request: path, redirect target, header fields. */

static bool begins_with_slash(struct span text)
{
    return text.length > 0 && text.at[0] == '/';
}

/* "/a//b" below "/a" must not become "//b", which reads like another host. */
static struct span without_slashes(struct span text)
{
    while (begins_with_slash(text)) {
        text = span_cut(text, 1, text.length);
    }
    return text;
}

static struct span without_last_slashes(struct span text)
{
    while (text.length > 0 && text.at[text.length - 1] == '/') {
        text.length--;
    }
    return text;
}

/*
 * The path with another prefix, as HTTPPathModifier has it: segments are replaced, "/" at the join
 * exactly once, and the result begins with exactly one.
 */
static struct span join_prefix(const struct route *route, struct span path, struct arena *arena)
{
    struct span prefix = without_last_slashes(route->facts->path);
    struct span to = route->facts->rewrite_path;
    struct span rest = span_cut(path, prefix.length, path.length);
    if (begins_with_slash(rest)) {
        to = without_last_slashes(to);
    }
    const char *slash = begins_with_slash(to) ? "" : "/";
    if (to.length == 0) {
        rest = without_slashes(rest);
    }
    return span_of(arena_printf(arena, "%s%.*s%.*s", slash, SPAN_ARG(to), SPAN_ARG(rest)));
}

struct span route_rewrite_path(const struct route *route, struct span path, struct arena *arena)
{
    const struct xds_route *facts = route->facts;
    /* "*" is the server itself (OPTIONS), and no path. */
    if (facts->rewrite == XDS_REWRITE_NONE || !begins_with_slash(path)) {
        return path;
    }
    size_t question = span_find_byte(path, '?');
    struct span query = span_cut(path, question, path.length);
    struct span bare = span_cut(path, 0, question);
    struct span changed = join_prefix(route, bare, arena);
    if (facts->rewrite == XDS_REWRITE_FULL) {
        changed = begins_with_slash(facts->rewrite_path) ? facts->rewrite_path : SPAN("/");
    }
    return query.length == 0
               ? changed
               : span_of(arena_printf(arena, "%.*s%.*s", SPAN_ARG(changed), SPAN_ARG(query)));
}

static uint16_t default_port(struct span scheme)
{
    return span_equal(scheme, SPAN("https")) ? 443 : 80;
}

/*
 * Port of the Location (HTTPRequestRedirectFilter): the one given; else the scheme's own where a
 * scheme was given; else the listener's.
 */
static uint16_t redirect_port(const struct xds_route *facts, uint16_t listener_port)
{
    if (facts->redirect_port != 0) {
        return facts->redirect_port;
    }
    return facts->redirect_scheme.length > 0 ? default_port(facts->redirect_scheme) : listener_port;
}

struct span route_redirect_location(const struct route *route, const struct http_head *head,
                                    uint16_t listener_port, struct arena *arena)
{
    const struct xds_route *facts = route->facts;
    struct span scheme = facts->redirect_scheme.length > 0 ? facts->redirect_scheme : head->scheme;
    struct span host = facts->redirect_host;
    uint16_t said_port = 0;
    struct span path = route_rewrite_path(route, head->path, arena);
    if (!begins_with_slash(path)) {
        path = SPAN("/");
    }
    if (host.length == 0 && !http_authority_split(head->authority, &host, &said_port)) {
        return path; /* HTTP/1.0 without a Host: relative to whatever the client thinks it is */
    }
    uint16_t port = redirect_port(facts, listener_port);
    if (port == 0 || port == default_port(scheme)) {
        return span_of(arena_printf(arena, "%.*s://%.*s%.*s", SPAN_ARG(scheme), SPAN_ARG(host),
                                    SPAN_ARG(path)));
    }
    return span_of(arena_printf(arena, "%.*s://%.*s:%u%.*s", SPAN_ARG(scheme), SPAN_ARG(host),
                                (unsigned)port, SPAN_ARG(path)));
}

void route_change_headers(const struct xds_header_changes *changes, struct headers *headers)
{
    for (uint32_t i = 0; i < changes->count; i++) {
        const struct xds_header_change *change = &changes->items[i];
        switch ((enum xds_header_action)change->action) {
        case XDS_HEADER_SET:
            headers_set_name(headers, change->name, change->value);
            break;
        case XDS_HEADER_ADD:
            headers_add(headers, change->name, change->value);
            break;
        case XDS_HEADER_REMOVE:
            headers_remove_name(headers, change->name);
            break;
        }
    }
}
