#ifndef REMORA_CONTROL_MODEL_FEED_H
#define REMORA_CONTROL_MODEL_FEED_H

#include "control/model/world.h"
#include "control/source/source.h"
#include "lib/base/map.h"

/*
 * Leads a source into a world: objects are put and removed, each batch is compiled, problems of
 * files are kept for status. What is wrong, and what is not in force yet, is logged once when it
 * comes.
 */
struct feed {
    struct world *world; /* not owned */
    /* After each batch, the first included; changes are valid during the call. */
    void (*on_compiled)(void *owner, const struct world_changes *changes);
    void *owner;
    struct map problems; /* file -> struct problems, of files that have any */
    bool synced;         /* the first batch is in: the world is whole */
};

void feed_init(struct feed *feed, struct world *world,
               void (*on_compiled)(void *owner, const struct world_changes *changes), void *owner);
/* The source must be destroyed before. */
void feed_done(struct feed *feed);
/* For the source; the feed must outlive it. */
struct source_listener feed_listener(struct feed *feed);
/* Walks the files that have problems; start with *at = 0. Borrowed. */
const struct problems *feed_next_problems(const struct feed *feed, size_t *at);

#endif
