#include "lib/tls/ticket_keys.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/random.h"

#include <openssl/aead.h>
#include <openssl/mem.h>

#include <pthread.h>
#include <string.h>

enum { SECRET_BYTES = 32 };

struct ticket_key {
    uint8_t name[TICKET_NAME_BYTES];
    uint8_t secret[SECRET_BYTES];
    int64_t made_ns; /* monotonic */
    bool exists;
};

struct ticket_keys {
    pthread_mutex_t lock;
    struct ticket_key current;
    struct ticket_key previous;
};

static void make_key(struct ticket_key *key)
{
    random_secret(key->name, sizeof(key->name));
    random_secret(key->secret, sizeof(key->secret));
    key->made_ns = clock_now_ns();
    key->exists = true;
}

struct ticket_keys *ticket_keys_create(void)
{
    struct ticket_keys *keys = NEW(struct ticket_keys);
    pthread_mutex_init(&keys->lock, NULL);
    make_key(&keys->current);
    return keys;
}

void ticket_keys_destroy(struct ticket_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    pthread_mutex_destroy(&keys->lock);
    OPENSSL_cleanse(keys, sizeof(*keys));
    mem_free(keys);
}

static void replace_old(struct ticket_keys *keys)
{
    int64_t life_ns = TICKET_KEY_LIFE_S * NS_PER_S;
    int64_t age_ns = clock_now_ns() - keys->current.made_ns;
    if (age_ns >= 2 * life_ns) {
        OPENSSL_cleanse(&keys->previous, sizeof(keys->previous));
        make_key(&keys->current);
    } else if (age_ns >= life_ns) {
        keys->previous = keys->current;
        make_key(&keys->current);
    }
}

/* A copy, so that the lock is not held during encryption. */
static struct ticket_key current_key(struct ticket_keys *keys)
{
    pthread_mutex_lock(&keys->lock);
    replace_old(keys);
    struct ticket_key copy = keys->current;
    pthread_mutex_unlock(&keys->lock);
    return copy;
}

static bool find_key(struct ticket_keys *keys, const uint8_t *name, struct ticket_key *ret)
{
    pthread_mutex_lock(&keys->lock);
    replace_old(keys);
    const struct ticket_key *found = NULL;
    if (memcmp(keys->current.name, name, TICKET_NAME_BYTES) == 0) {
        found = &keys->current;
    } else if (keys->previous.exists && memcmp(keys->previous.name, name, TICKET_NAME_BYTES) == 0) {
        found = &keys->previous;
    }
    if (found != NULL) {
        *ret = *found;
    }
    pthread_mutex_unlock(&keys->lock);
    return found != NULL;
}

bool ticket_keys_seal(struct ticket_keys *keys, uint8_t *out, size_t room, const uint8_t *in,
                      size_t length, size_t *ret_length)
{
    if (room < TICKET_OVERHEAD_BYTES || room - TICKET_OVERHEAD_BYTES < length) {
        return false;
    }
    enum { HEAD = TICKET_NAME_BYTES + TICKET_NONCE_BYTES };
    struct ticket_key key = current_key(keys);
    uint8_t nonce[TICKET_NONCE_BYTES];
    random_secret(nonce, sizeof(nonce));
    EVP_AEAD_CTX ctx;
    CHECK(EVP_AEAD_CTX_init(&ctx, EVP_aead_aes_256_gcm(), key.secret, SECRET_BYTES,
                            TICKET_TAG_BYTES, NULL) == 1);
    memmove(out + HEAD, in, length);
    size_t sealed;
    bool good = EVP_AEAD_CTX_seal(&ctx, out + HEAD, &sealed, room - HEAD, nonce, sizeof(nonce),
                                  out + HEAD, length, key.name, TICKET_NAME_BYTES) == 1;
    memcpy(out, key.name, TICKET_NAME_BYTES);
    memcpy(out + TICKET_NAME_BYTES, nonce, TICKET_NONCE_BYTES);
    EVP_AEAD_CTX_cleanup(&ctx);
    OPENSSL_cleanse(&key, sizeof(key));
    if (good) {
        *ret_length = HEAD + sealed;
    }
    return good;
}

bool ticket_keys_open(struct ticket_keys *keys, uint8_t *out, size_t room, const uint8_t *in,
                      size_t length, size_t *ret_length)
{
    struct ticket_key key;
    if (length < TICKET_OVERHEAD_BYTES || room < length || !find_key(keys, in, &key)) {
        return false;
    }
    enum { HEAD = TICKET_NAME_BYTES + TICKET_NONCE_BYTES };
    uint8_t nonce[TICKET_NONCE_BYTES];
    memcpy(nonce, in + TICKET_NAME_BYTES, TICKET_NONCE_BYTES);
    EVP_AEAD_CTX ctx;
    CHECK(EVP_AEAD_CTX_init(&ctx, EVP_aead_aes_256_gcm(), key.secret, SECRET_BYTES,
                            TICKET_TAG_BYTES, NULL) == 1);
    memmove(out, in + HEAD, length - HEAD);
    bool good = EVP_AEAD_CTX_open(&ctx, out, ret_length, room, nonce, sizeof(nonce), out,
                                  length - HEAD, key.name, TICKET_NAME_BYTES) == 1;
    EVP_AEAD_CTX_cleanup(&ctx);
    OPENSSL_cleanse(&key, sizeof(key));
    return good;
}
