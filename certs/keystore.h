#ifndef REMORA_CERTS_KEYSTORE_H
#define REMORA_CERTS_KEYSTORE_H

#include "lib/base/text.h"

/*
 * Secrets on disk: files of mode 0600 in a folder of mode 0700, both of our own user. A file that
 * others may read, write, or own is refused, not repaired. Replacing is atomic and durable (new
 * file, fsync, rename, fsync of the folder): a crash leaves the old file or the new one. Blocks;
 * main thread only.
 */
enum { KEYSTORE_FILE_BYTES = 1 << 20, KEYSTORE_NAME_BYTES = 64, KEYSTORE_REASON_BYTES = 192 };

struct keystore;

/* Makes the folder (not its parents) where it is missing. NULL and a text in reason. */
struct keystore *keystore_open(const char *folder, char *reason);
void keystore_close(struct keystore *store);

enum keystore_status { KEYSTORE_OK, KEYSTORE_MISSING, KEYSTORE_REFUSED };

/* name: [A-Za-z0-9._-], no leading dot. Appends the content; clear a key with key_text_done. */
enum keystore_status keystore_read(struct keystore *store, const char *name, struct text *ret,
                                   char *reason);
bool keystore_write(struct keystore *store, const char *name, struct span bytes, char *reason);
/* True also when there was none. */
bool keystore_remove(struct keystore *store, const char *name, char *reason);

/* True when the file system of the path is tmpfs or ramfs: what it holds dies with the machine. */
bool path_is_memory_backed(const char *path);

#endif
