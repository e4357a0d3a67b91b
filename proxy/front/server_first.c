#include "proxy/front/server_first.h"

#include "lib/base/clock.h"

static const int64_t life_ns = 24 * 3600 * NS_PER_S;

static struct server_first_entry *find(const struct server_first *table, const struct address *to)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (address_equal(&table->entries[i].to, to)) {
            return (struct server_first_entry *)&table->entries[i];
        }
    }
    return NULL;
}

static void forget(struct server_first *table, struct server_first_entry *entry)
{
    *entry = table->entries[--table->count];
}

bool server_first_known(const struct server_first *table, const struct address *to, int64_t now_ns)
{
    const struct server_first_entry *entry = find(table, to);
    return entry != NULL && now_ns - entry->confirmed_ns < life_ns;
}

static struct server_first_entry *oldest(struct server_first *table)
{
    struct server_first_entry *found = &table->entries[0];
    for (uint32_t i = 1; i < table->count; i++) {
        if (table->entries[i].confirmed_ns < found->confirmed_ns) {
            found = &table->entries[i];
        }
    }
    return found;
}

void server_first_learn(struct server_first *table, const struct address *to, int64_t now_ns)
{
    struct server_first_entry *entry = find(table, to);
    if (entry == NULL) {
        entry =
            table->count < SERVER_FIRST_ENTRIES ? &table->entries[table->count++] : oldest(table);
    }
    *entry = (struct server_first_entry){.to = *to, .confirmed_ns = now_ns};
}

void server_first_doubt(struct server_first *table, const struct address *to)
{
    struct server_first_entry *entry = find(table, to);
    if (entry != NULL && ++entry->doubts >= 2) {
        forget(table, entry);
    }
}
