#ifndef REMORA_TLS_TICKET_KEYS_H
#define REMORA_TLS_TICKET_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The keys of one config's session tickets (RFC 5077 section 4 in spirit): AES-256-GCM, made here,
 * never stored or shared, replaced hourly; the one before still opens for another hour. They die
 * with the config, so that a ticket of an older trust bundle or another listener opens nothing
 * (CVE-2022-21654, nginx CVE-2025-23419). Any thread.
 */
enum {
    TICKET_NAME_BYTES = 16,
    TICKET_NONCE_BYTES = 12,
    TICKET_TAG_BYTES = 16,
    TICKET_OVERHEAD_BYTES = TICKET_NAME_BYTES + TICKET_NONCE_BYTES + TICKET_TAG_BYTES,
    TICKET_KEY_LIFE_S = 3600,
};

struct ticket_keys;

struct ticket_keys *ticket_keys_create(void);
void ticket_keys_destroy(struct ticket_keys *keys);
/* out and in may be the same. False when there is no room. */
bool ticket_keys_seal(struct ticket_keys *keys, uint8_t *out, size_t room, const uint8_t *in,
                      size_t length, size_t *ret_length);
/* False when no key of ours made it, or it was changed. */
bool ticket_keys_open(struct ticket_keys *keys, uint8_t *out, size_t room, const uint8_t *in,
                      size_t length, size_t *ret_length);

#endif
