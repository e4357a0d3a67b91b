#include "control/admin/admin_page.h"

#include "lib/base/clock.h"

static void write_text(struct text *into, const char *name, struct span value)
{
    text_printf(into, ", \"%s\": ", name);
    text_add_json(into, value);
}

static void write_time(struct text *into, const char *name, int64_t wall_ns)
{
    char shown[CLOCK_TEXT_BYTES];
    clock_format_wall(wall_ns, shown);
    write_text(into, name, span_of(shown));
}

static void write_type(const struct subscription *subscription, struct text *into)
{
    text_printf(into,
                "{\"type\": \"%s\", \"all\": %s, \"names\": %zu, \"synced\": %s, "
                "\"responses\": %llu, \"acks\": %llu, \"nacks\": %llu",
                xds_type_short((enum xds_type)subscription->type),
                subscription->all ? "true" : "false", subscription->names.count,
                subscription_synced(subscription) ? "true" : "false",
                (unsigned long long)subscription->sent, (unsigned long long)subscription->acks,
                (unsigned long long)subscription->nacks);
    if (subscription->waits) {
        text_printf(into, ", \"unansweredMs\": %lld",
                    (long long)((clock_now_ns() - subscription->sent_ns) / NS_PER_MS));
    }
    if (subscription->nack != NULL) {
        write_text(into, "refused", span_of(subscription->nack));
        write_time(into, "refusedAt", subscription->nack_wall_ns);
    }
    text_add_byte(into, '}');
}

static void write_types(const struct subscriber *subscriber, struct text *into)
{
    const char *between = "";
    text_add_text(into, ", \"types\": [");
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        if (subscriber->types[type].begun) {
            text_add_text(into, between);
            write_type(&subscriber->types[type], into);
            between = ", ";
        }
    }
    text_add_text(into, "]");
}

/* Without its closing brace. */
static void write_proxy(const struct ads_row *row, struct text *into)
{
    const struct subscriber *subscriber = row->subscriber;
    text_add_text(into, "{\"id\": ");
    text_add_json(into, subscriber->node.id);
    write_text(into, "namespace", subscriber->viewer.namespace_name);
    write_text(into, "serviceAccount", subscriber->viewer.service_account);
    write_text(into, "workload", subscriber->node.workload);
    write_text(into, "version", subscriber->node.version);
    write_text(into, "agent", subscriber->node.agent);
    write_text(into, "address", row->address);
    write_time(into, "connectedSince", subscriber->since_ns);
    text_printf(into, ", \"variant\": \"%s\", \"synced\": %s, \"nacks\": %llu",
                subscriber->delta ? "delta" : "sotw",
                subscriber_synced(subscriber) ? "true" : "false",
                (unsigned long long)subscriber->nacks);
    if (row->certificate_not_after_s != 0) {
        text_printf(into, ", \"certificateSecondsLeft\": %lld",
                    (long long)(row->certificate_not_after_s - clock_wall_ns() / NS_PER_S));
    }
}

void page_proxies(const struct admin_server_options *of, struct text *into)
{
    const struct link *at = NULL;
    struct ads_row row;
    const char *between = "\n";
    text_add_text(into, "{\"proxies\": [");
    while (ads_service_next(xds_server_ads(of->xds), &at, &row)) {
        text_add_text(into, between);
        write_proxy(&row, into);
        write_types(row.subscriber, into);
        text_add_byte(into, '}');
        between = ",\n";
    }
    text_add_text(into, "\n]}\n");
}

/* ---- What one proxy was told ----------------------------------------------------------------- */

static void write_resource(struct span name, uint64_t version, struct text *into)
{
    char shown[VERSION_TEXT_BYTES];
    version_write(version, shown);
    text_add_text(into, "{\"name\": ");
    text_add_json(into, name);
    if (version == 0) {
        text_add_text(into, ", \"version\": null}");
    } else {
        text_printf(into, ", \"version\": \"%s\"}", shown);
    }
}

static void write_told(const struct subscription *subscription, struct text *into)
{
    const char *between = "";
    struct span name;
    void *value = NULL;
    size_t at = 0;
    text_printf(into, "\"%s\": [", xds_type_short((enum xds_type)subscription->type));
    while (map_next(&subscription->names, &at, &name, &value)) {
        const struct wanted *wanted = value;
        text_add_text(into, between);
        write_resource(name, wanted->told, into);
        between = ",\n";
    }
    const struct listing *all = subscription->told_all;
    for (uint32_t i = 0; all != NULL && i < all->count; i++) {
        text_add_text(into, between);
        write_resource(all->items[i]->name, all->items[i]->version, into);
        between = ",\n";
    }
    text_add_text(into, "]");
}

bool page_config(const struct admin_server_options *of, struct span proxy, struct text *into)
{
    const struct link *at = NULL;
    struct ads_row row;
    const char *between = "";
    bool found = false;
    while (!found && ads_service_next(xds_server_ads(of->xds), &at, &row)) {
        found = span_equal(row.subscriber->node.id, proxy);
    }
    if (!found) {
        return false;
    }
    write_proxy(&row, into);
    text_add_text(into, ", \"told\": {");
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        if (row.subscriber->types[type].begun) {
            text_add_text(into, between);
            write_told(&row.subscriber->types[type], into);
            between = ",\n";
        }
    }
    text_add_text(into, "}}\n");
    return true;
}
