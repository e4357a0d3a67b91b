#include "control/admin/admin_page.h"
#include "control/admin/top_identities.h"

static void write_quantile(const struct load_sum *sum, const char *name, unsigned permille,
                           struct text *into)
{
    uint64_t us;
    if (distribution_quantile(&sum->latency, permille, &us)) {
        text_printf(into, ", \"%s\": %.3f", name, (double)us / 1000.0);
    } else {
        text_printf(into, ", \"%s\": null", name);
    }
}

static void write_sum(const struct load_sum *sum, struct text *into)
{
    text_printf(into, "\"requestsPerSecond\": %.3f, \"failuresPerSecond\": %.3f",
                sum->requests_per_s, sum->failures_per_s);
    if (sum->requests_per_s > 0) {
        text_printf(into, ", \"success\": %.6f", 1.0 - sum->failures_per_s / sum->requests_per_s);
    } else {
        text_add_text(into, ", \"success\": null");
    }
    write_quantile(sum, "p50Ms", 500, into);
    write_quantile(sum, "p99Ms", 990, into);
    text_printf(into,
                ", \"bytesSentPerSecond\": %.1f, \"bytesReceivedPerSecond\": %.1f, "
                "\"connections\": %llu",
                sum->bytes_sent_per_s, sum->bytes_received_per_s,
                (unsigned long long)sum->connections);
}

static void write_parts(const char *name, const struct load_part *parts, size_t count,
                        struct text *into)
{
    text_printf(into, ", \"%s\": [", name);
    for (size_t i = 0; i < count; i++) {
        text_add_text(into, i > 0 ? ", {\"name\": " : "{\"name\": ");
        text_add_json(into, parts[i].name);
        text_add_text(into, ", ");
        write_sum(&parts[i].sum, into);
        text_add_text(into, "}");
    }
    text_add_text(into, "]");
}

void page_top(const struct admin_server_options *of, int64_t now_ns, struct text *into)
{
    struct arena arena = {0};
    size_t count;
    const struct load_row *rows = load_table_rows(of->load, now_ns, &arena, &count);
    text_printf(into, "{\"windowMs\": %d, \"services\": [", LOAD_WINDOW_MS);
    for (size_t i = 0; i < count; i++) {
        text_add_text(into, i > 0 ? ",\n{\"service\": " : "\n{\"service\": ");
        text_add_json(into, rows[i].service);
        text_printf(into, ", \"seenBy\": \"%s\", ", rows[i].inbound ? "itself" : "callers");
        write_sum(&rows[i].sum, into);
        write_parts("versions", rows[i].versions, rows[i].version_count, into);
        write_parts("sources", rows[i].sources, rows[i].source_count, into);
        text_add_text(into, ", \"identities\": ");
        top_identities_write(mesh_world_supply(of->mesh), rows[i].service, into);
        text_add_text(into, "}");
    }
    text_add_text(into, "\n]}\n");
    arena_done(&arena);
}
