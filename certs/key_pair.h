#ifndef REMORA_CERTS_KEY_PAIR_H
#define REMORA_CERTS_KEY_PAIR_H

#include "lib/base/span.h"
#include "lib/base/text.h"

#include <openssl/base.h>

/*
 * EC P-256 keys (RFC 5480), the only kind that Remora makes and signs for. A key is an EVP_PKEY:
 * counted (EVP_PKEY_up_ref, EVP_PKEY_free), immutable, shared between threads.
 */

/* Never NULL. */
EVP_PKEY *key_pair_make(void);
/* A PEM private key (PKCS#8 or SEC1, not encrypted). NULL and a static text when it is not P-256.
 */
EVP_PKEY *key_pair_from_pem(struct span pem, const char **ret_reason);
/* Appends PKCS#8 PEM. Clear it with key_text_done. */
void key_pair_to_pem(const EVP_PKEY *key, struct text *ret_pem);
/* Overwrites and frees a text that held a key. Give the text room first: growing leaves copies. */
void key_text_done(struct text *text);

bool key_is_p256(const EVP_PKEY *key);

#endif
