#ifndef REMORA_PROXY_DISCOVERY_LAST_KNOWN_GOOD_H
#define REMORA_PROXY_DISCOVERY_LAST_KNOWN_GOOD_H

#include "proxy/discovery/apply.h"

/*
 * Everything that was accepted, on disk, so that a proxy that starts while its control plane is
 * away runs on it. One file "last-known-good" of resources, each with its own checksum, and one
 * over the whole; replaced whole (temporary file, fsync, rename). Never a key. A part that is
 * broken is left out and counted; a file of another version is left out whole. Written off the
 * request path, at most once a second.
 */
struct last_known_good;

/* Makes the folder if needed and fills apply from the file. NULL, and a text, when the folder
 * cannot be used. */
struct last_known_good *last_known_good_open(struct loop *loop, struct span folder,
                                             struct apply *apply, char *reason,
                                             size_t reason_bytes);
/* Something changed: it will be written. */
void last_known_good_dirty(struct last_known_good *store);
/* Writes what is dirty, then closes. Takes NULL. */
void last_known_good_close(struct last_known_good *store);

struct last_known_good_counters {
    uint64_t written, write_failures, restored, discarded;
};
const struct last_known_good_counters *
last_known_good_counters(const struct last_known_good *store);

#endif
