#include "control/serve/node_claim.h"

static struct span metadata(const struct xds_caller *caller, const char *name, const char *other)
{
    struct span value = xds_caller_metadata(caller, name);
    return value.length > 0 || other == NULL ? value : xds_caller_metadata(caller, other);
}

/* Addresses with commas between; what is none is left out. */
static void read_addresses(struct span list, struct node_claim *claim)
{
    struct span piece;
    while (claim->address_count < NODE_ADDRESSES && span_next(&list, ',', &piece)) {
        if (address_parse_ip(span_trim(piece), &claim->addresses[claim->address_count])) {
            claim->address_count++;
        }
    }
}

void node_claim_read(const struct xds_caller *caller, struct arena *arena, struct node_claim *ret)
{
    *ret = (struct node_claim){
        .id = arena_span(arena, caller->id),
        .cluster = arena_span(arena, caller->cluster),
        .agent = arena_span(arena, caller->agent),
        .namespace_name = arena_span(arena, metadata(caller, "NAMESPACE", NULL)),
        .service_account = arena_span(arena, metadata(caller, "SERVICE_ACCOUNT", NULL)),
        .workload = arena_span(arena, metadata(caller, "WORKLOAD", "WORKLOAD_NAME")),
        .version = arena_span(arena, metadata(caller, "VERSION", NULL)),
    };
    read_addresses(metadata(caller, "ADDRESS", "INSTANCE_IPS"), ret);
}
