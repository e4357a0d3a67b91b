#ifndef REMORA_CONTROL_SOURCE_DIRECTORY_DIRECTORY_SOURCE_H
#define REMORA_CONTROL_SOURCE_DIRECTORY_DIRECTORY_SOURCE_H

/*
 * control/source/directory: the manifests below one folder.
 *
 *   directory_source ── inotify + timers: when to look again
 *      ├─ tree           what files there are now (tree.h)
 *      ├─ manifest_file* one a file: signature, its objects, its problems (manifest_file.h)
 *      └─ claims         which file's version of an object is in force (claims.h)
 *
 * inotify only says "look again": after 100 ms of quiet, or 1 s at most, the whole tree is compared
 * with what is known, by each file's device, inode, size and times, and what differs is read. So a
 * lost event, an overflow, or a file system without events costs time and never truth: every 30 s
 * the tree is looked at anyway.
 *
 * Files: *.yaml, *.yml, *.json; names that begin with "." are left out, which is what makes a
 * kubelet's ConfigMap mount right ("..data" is swapped by rename, the visible names are links
 * through it). An object in two files is in force from the one whose path sorts first; the other is
 * a problem. A file that became empty (a full disk does that) keeps its objects: delete it to
 * remove them. A folder that cannot be read keeps all of its files' objects.
 */

#include "control/source/source.h"
#include "lib/net/loop.h"

enum {
    DIRECTORY_QUIET_MS = 100,
    DIRECTORY_MOST_MS = 1000,
    DIRECTORY_DOUBT_MS = 30000,
    DIRECTORY_BLIND_MS = 2000, /* in its place while a folder cannot be watched */
    DIRECTORY_FILES = 20000,
    DIRECTORY_OBJECTS = 200000,
    DIRECTORY_DEPTH = 16,
};

/* path is copied; it need not exist yet. listener is copied. */
struct source *directory_source_create(struct loop *loop, const char *path,
                                       const struct source_listener *listener);

#endif
