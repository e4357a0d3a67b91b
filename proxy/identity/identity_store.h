#ifndef REMORA_PROXY_IDENTITY_IDENTITY_STORE_H
#define REMORA_PROXY_IDENTITY_IDENTITY_STORE_H

#include "certs/key_pair.h"
#include "proxy/identity/credential.h"

/*
 * Key, chain and trust bundle across restarts of the process: one file of mode 0600, replaced
 * whole, so that they always belong together. Only on a file system that lives in memory: a private
 * key never reaches a disk. Blocks; main thread.
 */
struct identity_store;

/* NULL and a text (KEYSTORE_REASON_BYTES) when the folder is on a disk, or refused by keystore. */
struct identity_store *identity_store_open(const char *folder, char *reason);
/* Takes NULL. */
void identity_store_close(struct identity_store *store);

bool identity_store_write(struct identity_store *store, const struct credential *credential,
                          struct span roots_pem, char *reason);
/*
 * What was kept, if it is whole: the key (the caller's to free), the chain and the roots as PEM,
 * appended. False with reason "" when there is none.
 */
bool identity_store_read(struct identity_store *store, EVP_PKEY **ret_key, struct text *ret_chain,
                         struct text *ret_roots, char *reason);
/* For one that cannot be used. */
void identity_store_forget(struct identity_store *store);

#endif
