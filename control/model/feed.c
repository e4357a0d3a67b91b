#include "control/model/feed.h"

#include "lib/base/log.h"
#include "lib/base/memory.h"

void feed_init(struct feed *feed, struct world *world,
               void (*on_compiled)(void *owner, const struct world_changes *changes), void *owner)
{
    *feed = (struct feed){.world = world, .on_compiled = on_compiled, .owner = owner};
    map_init_borrowed(&feed->problems);
}

static void destroy_problems(struct problems *problems)
{
    if (problems != NULL) {
        problems_done(problems);
        mem_free(problems);
    }
}

void feed_done(struct feed *feed)
{
    size_t at = 0;
    struct span file;
    void *problems;
    while (map_next(&feed->problems, &at, &file, &problems)) {
        destroy_problems(problems);
    }
    map_done(&feed->problems);
}

static void log_not_in_force(const struct object *object)
{
    char title[OBJECT_TITLE_BYTES];
    struct text fields = {0};
    bool whole = !kind_facts((enum kind)object->kind)->in_force;
    for (uint32_t i = 0; !whole && i < object->not_in_force_count; i++) {
        text_printf(&fields, "%s%.*s", i > 0 ? ", " : "", SPAN_ARG(object->not_in_force[i]));
    }
    if (whole || fields.length > 0) {
        LOG_WARN("config", "not in force yet", LOG_SPAN("object", object_title(object, title)),
                 LOG_SPAN("fields", whole ? SPAN("all") : text_span(&fields)));
    }
    text_done(&fields);
}

static void on_object(void *owner, struct object *object)
{
    struct feed *feed = owner;
    log_not_in_force(object);
    world_put(feed->world, object);
}

static void on_removed(void *owner, struct object *object)
{
    struct feed *feed = owner;
    world_remove(feed->world, object);
}

static void log_problems(const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *each = &problems->items[i];
        enum log_level level = each->warning ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
        LOG_AT_(level, "config", each->text, LOG_TEXT("file", problems->file),
                LOG_NUMBER(each->line > 0 ? "line" : NULL, each->line),
                LOG_TEXT(each->object[0] != '\0' ? "object" : NULL, each->object),
                LOG_TEXT(each->field[0] != '\0' ? "field" : NULL, each->field));
    }
    if (problems->left_out > 0) {
        LOG_WARN("config", "more problems in this file", LOG_TEXT("file", problems->file),
                 LOG_NUMBER("left_out", problems->left_out));
    }
}

static void on_problems(void *owner, const struct problems *problems)
{
    struct feed *feed = owner;
    struct problems *before = map_remove(&feed->problems, span_of(problems->file));
    if (problems->count > 0) {
        struct problems *copy = NEW(struct problems);
        problems_copy(problems, copy);
        map_put(&feed->problems, span_of(copy->file), copy);
        log_problems(problems);
    } else if (before != NULL) {
        LOG_INFO("config", "nothing is wrong any more", LOG_TEXT("file", problems->file));
    }
    destroy_problems(before);
}

static void on_synced(void *owner)
{
    struct feed *feed = owner;
    const struct world_changes *changes = world_compile(feed->world);
    feed->synced = true;
    feed->on_compiled(feed->owner, changes);
}

struct source_listener feed_listener(struct feed *feed)
{
    return (struct source_listener){on_object, on_removed, on_problems, on_synced, feed};
}

const struct problems *feed_next_problems(const struct feed *feed, size_t *at)
{
    struct span file;
    void *problems;
    return map_next(&feed->problems, at, &file, &problems) ? problems : NULL;
}
