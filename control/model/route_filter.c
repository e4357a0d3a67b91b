#include "control/model/route_parts.h"

static void add_values(const struct items *from, enum xds_header_action action, struct arena *arena,
                       struct xds_header_change *into, uint32_t *count)
{
    const struct header_value *values = from->at;
    for (uint32_t i = 0; i < from->count; i++) {
        into[(*count)++] = (struct xds_header_change){.action = (uint8_t)action,
                                                      .name = lower_case(arena, values[i].name),
                                                      .value = values[i].value};
    }
}

static void changes_of(const struct header_filter *filter, struct arena *arena,
                       struct xds_header_changes *ret_changes)
{
    uint32_t count = 0;
    struct xds_header_change *changes =
        ARENA_ARRAY(arena, struct xds_header_change,
                    filter->set.count + filter->add.count + filter->remove.count);
    add_values(&filter->set, XDS_HEADER_SET, arena, changes, &count);
    add_values(&filter->add, XDS_HEADER_ADD, arena, changes, &count);
    for (uint32_t i = 0; i < filter->remove.count; i++) {
        changes[count++] = (struct xds_header_change){
            .action = XDS_HEADER_REMOVE, .name = lower_case(arena, filter->remove.at[i])};
    }
    *ret_changes = (struct xds_header_changes){changes, count};
}

void header_changes_make(const struct items *filters, enum filter_type type, struct arena *arena,
                         struct xds_header_changes *ret_changes)
{
    const struct route_filter *each = filters->at;
    for (uint32_t i = 0; i < filters->count; i++) {
        if (each[i].type == (int8_t)type) {
            changes_of(type == FILTER_REQUEST_HEADERS ? each[i].request_headers
                                                      : each[i].response_headers,
                       arena, ret_changes);
            return;
        }
    }
}

static void path_modifier(const struct path_modifier *path, struct xds_route *route)
{
    if (path != NULL) {
        bool full = path->type == PATH_MODIFIER_FULL;
        route->rewrite = full ? XDS_REWRITE_FULL : XDS_REWRITE_PREFIX;
        route->rewrite_path = full ? path->full : path->prefix;
    }
}

static void redirect(const struct redirect_filter *filter, struct xds_route *route)
{
    route->action = XDS_ACTION_REDIRECT;
    route->status = filter->status != FIELD_UNSET ? (uint16_t)filter->status : 302;
    route->redirect_scheme = filter->scheme;
    route->redirect_host = filter->hostname;
    route->redirect_port = filter->port != FIELD_UNSET ? (uint16_t)filter->port : 0;
    path_modifier(filter->path, route);
}

bool route_filters(const struct items *filters, struct arena *arena, struct xds_route *route)
{
    const struct route_filter *each = filters->at;
    header_changes_make(filters, FILTER_REQUEST_HEADERS, arena, &route->request);
    header_changes_make(filters, FILTER_RESPONSE_HEADERS, arena, &route->response);
    for (uint32_t i = 0; i < filters->count; i++) {
        if (each[i].type == FILTER_REDIRECT) {
            redirect(each[i].redirect, route);
        } else if (each[i].type == FILTER_REWRITE) {
            route->rewrite_host = each[i].rewrite->hostname;
            path_modifier(each[i].rewrite->path, route);
        } else if (each[i].type == FILTER_EXTENSION) {
            return false;
        }
    }
    return true;
}
