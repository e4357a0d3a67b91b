#include "crafted_csr.h"

#include "certs/csr.h"
#include "certs/key_pair.h"
#include "lib/base/check.h"

#include <openssl/bn.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

EVP_PKEY *crafted_rsa(int bits)
{
    RSA *rsa = RSA_new();
    BIGNUM *exponent = BN_new();
    EVP_PKEY *key = EVP_PKEY_new();
    CHECK(BN_set_word(exponent, RSA_F4) && RSA_generate_key_ex(rsa, bits, exponent, NULL) &&
          EVP_PKEY_assign_RSA(key, rsa));
    BN_free(exponent);
    return key;
}

EVP_PKEY *crafted_ec(int curve)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(curve);
    EVP_PKEY *key = EVP_PKEY_new();
    CHECK(EC_KEY_generate_key(ec) && EVP_PKEY_assign_EC_KEY(key, ec));
    return key;
}

static void add_extension(STACK_OF(X509_EXTENSION) * extensions, int nid, const char *words)
{
    if (words != NULL) {
        X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, NULL, nid, words);
        CHECK(extension != NULL && sk_X509_EXTENSION_push(extensions, extension));
    }
}

void crafted_csr_pem(const struct crafted_csr *wish, struct text *ret_pem)
{
    EVP_PKEY *key = wish->key != NULL ? wish->key : key_pair_make();
    X509_REQ *request = X509_REQ_new();
    STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
    add_extension(extensions, NID_subject_alt_name, wish->alternatives);
    add_extension(extensions, NID_basic_constraints, wish->constraints);
    add_extension(extensions, NID_key_usage, wish->usage);
    if (wish->common_name != NULL) {
        X509_NAME *name = X509_REQ_get_subject_name(request);
        X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC,
                                   (const unsigned char *)wish->common_name, -1, -1, 0);
    }
    CHECK(
        X509_REQ_set_version(request, X509_REQ_VERSION_1) && X509_REQ_set_pubkey(request, key) &&
        (sk_X509_EXTENSION_num(extensions) == 0 || X509_REQ_add_extensions(request, extensions)) &&
        X509_REQ_sign(request, key, EVP_sha256()));
    unsigned char *der = NULL;
    int length = i2d_X509_REQ(request, &der);
    CHECK(length > 0);
    der[length - 1] ^= wish->breaks_signature;
    csr_to_pem(span_make(der, (size_t)length), ret_pem);
    OPENSSL_free(der);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(request);
    if (wish->key == NULL) {
        EVP_PKEY_free(key);
    }
}
