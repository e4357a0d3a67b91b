#include "control/serve/load_table.h"

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"

#include <stdlib.h>
#include <string.h>

/* A filled bucket, kept. */
struct load_bucket {
    uint16_t bucket;
    uint32_t count;
};

/* One load_facts, kept: texts and buckets follow the struct. */
struct sample {
    struct link link;
    int64_t at_ns;
    size_t bytes;
    struct span source, node, service, version;
    bool inbound;
    uint64_t interval_ms;
    uint64_t requests, failures, latency_sum_us, bytes_sent, bytes_received, connections;
    size_t bucket_count;
    struct load_bucket *buckets;
};

struct load_table {
    struct list samples; /* oldest first */
    size_t bytes;
};

struct load_table *load_table_create(void)
{
    struct load_table *table = NEW(struct load_table);
    list_init(&table->samples);
    return table;
}

static void drop_oldest(struct load_table *table)
{
    struct link *link = list_pop(&table->samples);
    struct sample *sample = CONTAINER_OF(link, struct sample, link);
    table->bytes -= sample->bytes;
    mem_free(sample);
}

void load_table_destroy(struct load_table *table)
{
    if (table == NULL) {
        return;
    }
    while (!list_empty(&table->samples)) {
        drop_oldest(table);
    }
    mem_free(table);
}

void load_table_expire(struct load_table *table, int64_t now_ns)
{
    struct link *link;
    while ((link = list_first(&table->samples)) != NULL &&
           CONTAINER_OF(link, struct sample, link)->at_ns < now_ns - LOAD_WINDOW_MS * NS_PER_MS) {
        drop_oldest(table);
    }
}

size_t load_table_bytes(const struct load_table *table)
{
    return table->bytes;
}

uint64_t load_interval_ms(size_t proxies)
{
    uint64_t wanted = (uint64_t)proxies * 1000 / LOAD_PROXIES_A_SECOND;
    if (wanted < LOAD_INTERVAL_MS) {
        return LOAD_INTERVAL_MS;
    }
    return wanted < LOAD_INTERVAL_MOST_MS ? wanted : LOAD_INTERVAL_MOST_MS;
}

/* ---- Adding ---------------------------------------------------------------------------------- */

static bool buckets_valid(const struct load_facts *facts)
{
    for (size_t i = 0; i < facts->latency_count; i++) {
        const struct digest_entry *entry = &facts->latency[i];
        if (entry->bucket >= STATS_BUCKETS || entry->count == 0 || entry->count > UINT32_MAX ||
            (i > 0 && entry->bucket <= entry[-1].bucket)) {
            return false;
        }
    }
    return true;
}

static bool facts_valid(const struct load_facts *facts)
{
    return facts->service.length > 0 && facts->interval_ms > 0 &&
           facts->interval_ms <= 10 * LOAD_INTERVAL_MOST_MS && facts->failures <= facts->requests &&
           facts->requests <= UINT32_MAX && facts->latency_count <= STATS_BUCKETS &&
           buckets_valid(facts);
}

static struct span put_text(char **at, struct span text)
{
    struct span kept = {*at, text.length};
    if (text.length > 0) {
        memcpy(*at, text.at, text.length);
    }
    *at += text.length;
    return kept;
}

bool load_table_add(struct load_table *table, int64_t now_ns, const struct load_facts *facts)
{
    if (!facts_valid(facts)) {
        return false;
    }
    size_t buckets = facts->latency_count * sizeof(struct load_bucket);
    size_t texts =
        facts->source.length + facts->node.length + facts->service.length + facts->version.length;
    struct sample *sample = mem_alloc(sizeof(*sample) + buckets + texts);
    *sample = (struct sample){
        .at_ns = now_ns,
        .bytes = sizeof(*sample) + buckets + texts,
        .inbound = facts->inbound,
        .interval_ms = facts->interval_ms,
        .requests = facts->requests,
        .failures = facts->failures,
        .latency_sum_us = facts->latency_sum_us,
        .bytes_sent = facts->bytes_sent,
        .bytes_received = facts->bytes_received,
        .connections = facts->connections,
        .bucket_count = facts->latency_count,
        .buckets = (struct load_bucket *)(sample + 1),
    };
    for (size_t i = 0; i < facts->latency_count; i++) {
        sample->buckets[i] = (struct load_bucket){(uint16_t)facts->latency[i].bucket,
                                                  (uint32_t)facts->latency[i].count};
    }
    char *at = (char *)(sample + 1) + buckets;
    sample->source = put_text(&at, facts->source);
    sample->node = put_text(&at, facts->node);
    sample->service = put_text(&at, facts->service);
    sample->version = put_text(&at, facts->version);
    list_push_back(&table->samples, &sample->link);
    table->bytes += sample->bytes;
    while (table->bytes > LOAD_BYTES) {
        drop_oldest(table);
    }
    return true;
}

/* ---- Adding up ------------------------------------------------------------------------------- */

/* What one proxy said of one thing: its rates are over the time that its reports cover. */
struct tally {
    struct span name;
    uint64_t interval_ms, requests, failures, bytes_sent, bytes_received;
    uint64_t connections; /* of the last report */
};

struct group {
    struct span name;
    struct map tallies; /* by node -> struct tally */
    struct distribution *latency;
};

struct service {
    struct span name;
    bool inbound;
    struct group whole;
    struct map versions; /* -> struct group */
    struct map sources;
};

static struct group *group_of(struct map *map, struct span name, struct arena *arena)
{
    struct group *group = map_get(map, name);
    if (group == NULL) {
        group = ARENA_NEW(arena, struct group);
        group->name = arena_span(arena, name);
        map_put(map, group->name, group);
    }
    return group;
}

static void group_add(struct group *group, const struct sample *sample, struct span key,
                      struct arena *arena)
{
    struct tally *tally = map_get(&group->tallies, key);
    if (tally == NULL) {
        tally = ARENA_NEW(arena, struct tally);
        map_put(&group->tallies, key, tally);
    }
    tally->interval_ms += sample->interval_ms;
    tally->requests += sample->requests;
    tally->failures += sample->failures;
    tally->bytes_sent += sample->bytes_sent;
    tally->bytes_received += sample->bytes_received;
    tally->connections = sample->connections;
    if (group->latency == NULL) {
        group->latency = ARENA_NEW(arena, struct distribution);
    }
    for (size_t i = 0; i < sample->bucket_count; i++) {
        group->latency->counts[sample->buckets[i].bucket] += sample->buckets[i].count;
        group->latency->count += sample->buckets[i].count;
    }
    group->latency->sum_us += sample->latency_sum_us;
}

static void service_add(struct service *service, const struct sample *sample, struct arena *arena)
{
    /* One proxy may tell several peers' versions apart: each is a tally of its own. */
    struct span key = span_of(
        arena_printf(arena, "%.*s\n%.*s", SPAN_ARG(sample->node), SPAN_ARG(sample->version)));
    group_add(&service->whole, sample, key, arena);
    group_add(group_of(&service->sources, sample->source, arena), sample, key, arena);
    if (sample->version.length > 0) {
        group_add(group_of(&service->versions, sample->version, arena), sample, key, arena);
    }
}

static void group_sum(struct group *group, struct load_sum *ret)
{
    struct span key;
    void *value = NULL;
    size_t at = 0;
    *ret = (struct load_sum){0};
    while (map_next(&group->tallies, &at, &key, &value)) {
        const struct tally *tally = value;
        double seconds = (double)tally->interval_ms / 1000.0;
        ret->requests_per_s += (double)tally->requests / seconds;
        ret->failures_per_s += (double)tally->failures / seconds;
        ret->bytes_sent_per_s += (double)tally->bytes_sent / seconds;
        ret->bytes_received_per_s += (double)tally->bytes_received / seconds;
        ret->connections += tally->connections;
    }
    map_done(&group->tallies);
    if (group->latency != NULL) {
        ret->latency = *group->latency;
    }
}

static int part_by_name(const void *a, const void *b)
{
    const struct load_part *first = a;
    const struct load_part *second = b;
    return span_compare(first->name, second->name);
}

static const struct load_part *parts_of(struct map *groups, struct arena *arena, size_t *ret_count)
{
    struct load_part *parts = ARENA_ARRAY(arena, struct load_part, groups->count);
    struct span name;
    void *value = NULL;
    size_t at = 0;
    size_t count = 0;
    while (map_next(groups, &at, &name, &value)) {
        struct group *group = value;
        parts[count].name = group->name;
        group_sum(group, &parts[count++].sum);
    }
    map_done(groups);
    if (count > 0) {
        qsort(parts, count, sizeof(parts[0]), part_by_name);
    }
    *ret_count = count;
    return parts;
}

static struct service *service_of(struct map *services, const struct sample *sample,
                                  struct arena *arena)
{
    struct service *service = map_get(services, sample->service);
    if (service == NULL) {
        service = ARENA_NEW(arena, struct service);
        service->name = arena_span(arena, sample->service);
        service->inbound = sample->inbound;
        map_put(services, service->name, service);
    }
    return service;
}

static void row_fill(struct service *service, struct arena *arena, struct load_row *ret)
{
    ret->service = service->name;
    ret->inbound = service->inbound;
    group_sum(&service->whole, &ret->sum);
    ret->versions = parts_of(&service->versions, arena, &ret->version_count);
    ret->sources = parts_of(&service->sources, arena, &ret->source_count);
}

static int row_by_name(const void *a, const void *b)
{
    const struct load_row *first = a;
    const struct load_row *second = b;
    return span_compare(first->service, second->service);
}

/* Callers' view of a service, where there is one: it has the latency that callers have. */
static void gather(struct load_table *table, bool inbound, const struct map *instead,
                   struct map *services, struct arena *arena)
{
    LIST_EACH(&table->samples, link)
    {
        const struct sample *sample = CONTAINER_OF(link, struct sample, link);
        if (sample->inbound == inbound &&
            (instead == NULL || map_get(instead, sample->service) == NULL)) {
            service_add(service_of(services, sample, arena), sample, arena);
        }
    }
}

struct load_row *load_table_rows(struct load_table *table, int64_t now_ns, struct arena *arena,
                                 size_t *ret_count)
{
    struct map callers = {0};
    struct map own = {0};
    load_table_expire(table, now_ns);
    gather(table, false, NULL, &callers, arena);
    gather(table, true, &callers, &own, arena);
    struct load_row *rows = ARENA_ARRAY(arena, struct load_row, callers.count + own.count);
    struct map *both[] = {&callers, &own};
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        struct span name;
        void *value = NULL;
        size_t at = 0;
        while (map_next(both[i], &at, &name, &value)) {
            row_fill(value, arena, &rows[count++]);
        }
        map_done(both[i]);
    }
    if (count > 0) {
        qsort(rows, count, sizeof(rows[0]), row_by_name);
    }
    *ret_count = count;
    return rows;
}
