#include "lib/stats/writer.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/stats/series.h"

struct stats_writer {
    struct stats_registry *registry;
    size_t slot;
    /* The cells of this slot that are held or were found: only they are safe from expiry. */
    struct map cells;
    struct label_key key;
};

struct stats_writer *stats_writer_create(struct stats_registry *registry)
{
    pthread_mutex_lock(&registry->mutex);
    size_t slot = 0;
    while (slot < registry->slots && registry->slot_taken[slot]) {
        slot++;
    }
    CHECK(slot < registry->slots);
    registry->slot_taken[slot] = true;
    pthread_mutex_unlock(&registry->mutex);

    struct stats_writer *writer = NEW(struct stats_writer);
    writer->registry = registry;
    writer->slot = slot;
    map_init_borrowed(&writer->cells);
    return writer;
}

/* Gives the series back to expiry. */
static void let_go(struct stats_writer *writer, struct stats_cell *cell, int64_t idle_since_ns)
{
    struct stats_series *series = cell->series;
    CHECK(map_remove(&writer->cells, series->key) == cell);
    pthread_mutex_lock(&writer->registry->mutex);
    CHECK(series->held > 0);
    series->held--;
    if (series->idle_since_ns < idle_since_ns) {
        series->idle_since_ns = idle_since_ns;
    }
    pthread_mutex_unlock(&writer->registry->mutex);
}

void stats_writer_destroy(struct stats_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    int64_t now_ns = clock_now_ns();
    size_t at = 0;
    struct span key;
    void *value;
    while (map_next(&writer->cells, &at, &key, &value)) {
        struct stats_cell *cell = value;
        cell->holders = 0;
        cell->found = false;
        let_go(writer, cell, now_ns);
    }
    map_done(&writer->cells);
    pthread_mutex_lock(&writer->registry->mutex);
    writer->registry->slot_taken[writer->slot] = false;
    pthread_mutex_unlock(&writer->registry->mutex);
    mem_free(writer);
}

/* The cell of the key, which from now on is in the writer's own table. */
static struct stats_cell *take(struct stats_writer *writer, unsigned stat)
{
    struct span key = label_key_span(&writer->key);
    pthread_mutex_lock(&writer->registry->mutex);
    struct stats_series *series = stats_series_take(writer->registry, stat, key);
    struct stats_cell *cell = stats_series_cell(series, writer->slot);
    bool known =
        cell->holders > 0 || cell->found; /* the one for others, asked for by another name */
    if (!known) {
        series->held++;
    }
    pthread_mutex_unlock(&writer->registry->mutex);
    if (!known) {
        map_put(&writer->cells, series->key, cell);
    }
    return cell;
}

static struct stats_cell *look_up(struct stats_writer *writer, unsigned stat,
                                  const struct span *labels, size_t count)
{
    CHECK(stat < writer->registry->family_count);
    CHECK(count == writer->registry->families[stat].label_count);
    label_key_make(&writer->key, stat, labels, count);
    struct stats_cell *cell = map_get(&writer->cells, label_key_span(&writer->key));
    return cell != NULL ? cell : take(writer, stat);
}

struct stats_cell *stats_hold(struct stats_writer *writer, unsigned stat, const struct span *labels,
                              size_t count)
{
    struct stats_cell *cell = look_up(writer, stat, labels, count);
    CHECK(cell->holders < UINT32_MAX);
    cell->holders++;
    return cell;
}

void stats_release(struct stats_writer *writer, struct stats_cell *cell, int64_t now_ns)
{
    if (cell == NULL) {
        return;
    }
    CHECK(cell->holders > 0);
    cell->holders--;
    if (cell->holders == 0 && !cell->found) {
        let_go(writer, cell, now_ns);
    }
}

struct stats_cell *stats_find(struct stats_writer *writer, unsigned stat, const struct span *labels,
                              size_t count, int64_t now_ns)
{
    struct stats_cell *cell = look_up(writer, stat, labels, count);
    cell->found = true;
    cell->used_ns = now_ns;
    return cell;
}

void stats_writer_expire(struct stats_writer *writer, int64_t now_ns)
{
    size_t at = 0;
    struct span key;
    void *value;
    while (map_next(&writer->cells, &at, &key, &value)) {
        struct stats_cell *cell = value;
        if (!cell->found || now_ns - cell->used_ns < STATS_IDLE_S * NS_PER_S) {
            continue;
        }
        cell->found = false;
        if (cell->holders == 0) {
            let_go(writer, cell, cell->used_ns);
        }
    }
}
