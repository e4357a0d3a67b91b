#ifndef REMORA_CONTROL_SOURCE_SOURCE_H
#define REMORA_CONTROL_SOURCE_SOURCE_H

/*
 * control/source: where objects come from.
 *
 *   source (this header: a stream of objects) <── directory/  files below one folder, by inotify
 *                                             <── kube/       the Kubernetes API, by list and watch
 *
 * A source tells what changed in batches: any number of objects, removals and problems, then one
 * on_synced. The first on_synced means that the listener has seen everything there is. What is
 * broken changes nothing: the last good version of an object stays in force until a good one comes
 * or the object is gone.
 */

#include "control/object/object.h"

/*
 * Called in the loop's thread, and out of source_start too; none of them may destroy the source.
 * Objects are borrowed: take a reference to keep one.
 */
struct source_listener {
    /* Added, or changed in content. */
    void (*on_object)(void *owner, struct object *object);
    /* Gone; the last version that was told. */
    void (*on_removed)(void *owner, struct object *object);
    /* All that is wrong with one file (problems->file), in place of what was told of it before;
     * count 0 = nothing any more. */
    void (*on_problems)(void *owner, const struct problems *problems);
    void (*on_synced)(void *owner);
    void *owner;
};

struct source;
struct source_ops {
    void (*start)(struct source *source);
    void (*destroy)(struct source *source);
};
struct source {
    const struct source_ops *ops;
};

/* Once. May call back before it returns. */
static inline void source_start(struct source *source)
{
    source->ops->start(source);
}

/* Takes NULL. No calls come after it; objects that others hold live on. */
static inline void source_destroy(struct source *source)
{
    if (source != NULL) {
        source->ops->destroy(source);
    }
}

#endif
