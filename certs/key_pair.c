#include "certs/key_pair.h"

#include "lib/base/check.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>

enum { KEY_PEM_BYTES = 8192 };

EVP_PKEY *key_pair_make(void)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    CHECK(ec != NULL && EC_KEY_generate_key(ec) == 1);
    EVP_PKEY *key = EVP_PKEY_new();
    CHECK(key != NULL && EVP_PKEY_assign_EC_KEY(key, ec) == 1);
    return key;
}

bool key_is_p256(const EVP_PKEY *key)
{
    if (EVP_PKEY_id(key) != EVP_PKEY_EC) {
        return false;
    }
    const EC_KEY *ec = EVP_PKEY_get0_EC_KEY(key);
    return EC_GROUP_get_curve_name(EC_KEY_get0_group(ec)) == NID_X9_62_prime256v1;
}

/* PEM asks this for the password of an encrypted key: there is none, and nobody to ask. */
static int no_password(char *into, int room, int writing, void *unused)
{
    return 0;
}

EVP_PKEY *key_pair_from_pem(struct span pem, const char **ret_reason)
{
    if (pem.length > KEY_PEM_BYTES) {
        *ret_reason = "the key file is longer than 8 KiB";
        return NULL;
    }
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.length);
    CHECK(bio != NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (key == NULL) {
        *ret_reason = "not an unencrypted PEM private key";
        return NULL;
    }
    if (!key_is_p256(key)) {
        EVP_PKEY_free(key);
        *ret_reason = "the key is not EC P-256";
        return NULL;
    }
    return key;
}

void key_pair_to_pem(const EVP_PKEY *key, struct text *ret_pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK(bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    const uint8_t *bytes;
    size_t length;
    CHECK(BIO_mem_contents(bio, &bytes, &length) == 1);
    text_add(ret_pem, span_make(bytes, length));
    OPENSSL_cleanse((uint8_t *)(uintptr_t)bytes, length);
    BIO_free(bio);
}

void key_text_done(struct text *text)
{
    if (text->bytes != NULL) {
        OPENSSL_cleanse(text->bytes, text->capacity);
    }
    text_done(text);
}
