#include "certs/certificate_list.h"

#include "certs/certificate.h"
#include "lib/base/check.h"
#include "lib/base/memory.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/pem.h>

#include <string.h>

static void truncate_to(struct certificate_list *list, size_t count)
{
    while (list->count > count) {
        mem_free((void *)(uintptr_t)list->ders[--list->count].at);
    }
}

void certificate_list_done(struct certificate_list *list)
{
    truncate_to(list, 0);
    mem_free(list->ders);
    *list = (struct certificate_list){0};
}

void certificate_list_add(struct certificate_list *list, struct span der)
{
    mem_grow(&list->ders, &list->capacity, list->count + 1, sizeof(*list->ders));
    list->ders[list->count++] = span_make(mem_dup(der.at, der.length), der.length);
}

static bool take_block(struct certificate_list *list, const char *name, struct span der,
                       const char **ret_reason)
{
    if (strcmp(name, "CERTIFICATE") != 0) {
        *ret_reason = "a PEM block is not a CERTIFICATE";
        return false;
    }
    if (list->count >= CERTIFICATE_LIST_LIMIT || der.length > CERTIFICATE_BYTES) {
        *ret_reason = "more than 1024 certificates, or one longer than 16 KiB";
        return false;
    }
    certificate_list_add(list, der);
    return true;
}

bool certificate_list_add_pem(struct certificate_list *list, struct span pem,
                              const char **ret_reason)
{
    if (pem.length > CERTIFICATE_LIST_PEM_BYTES) {
        *ret_reason = "the PEM text is longer than 4 MiB";
        return false;
    }
    size_t before = list->count;
    BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.length);
    CHECK(bio != NULL);
    char *name, *header;
    unsigned char *bytes;
    long length;
    bool good = true;
    while (good && PEM_read_bio(bio, &name, &header, &bytes, &length) == 1) {
        good = take_block(list, name, span_make(bytes, (size_t)length), ret_reason);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(bytes);
    }
    BIO_free(bio);
    if (good) {
        uint32_t error = ERR_peek_last_error();
        good = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
        *ret_reason = good ? "there is no CERTIFICATE in the PEM text" : "the PEM text is broken";
        good = good && list->count > before;
    }
    ERR_clear_error();
    if (!good) {
        truncate_to(list, before);
    }
    return good;
}

void certificate_to_pem(struct span der, struct text *ret_pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const uint8_t *bytes;
    size_t length;
    CHECK(bio != NULL &&
          PEM_write_bio(bio, "CERTIFICATE", "", (const unsigned char *)der.at, (long)der.length) >
              0 &&
          BIO_mem_contents(bio, &bytes, &length) == 1);
    text_add(ret_pem, span_make(bytes, length));
    BIO_free(bio);
}

void certificate_list_to_pem(const struct certificate_list *list, struct text *ret_pem)
{
    for (size_t i = 0; i < list->count; i++) {
        certificate_to_pem(list->ders[i], ret_pem);
    }
}
