#ifndef REMORA_CERTS_CERTIFICATE_LIST_H
#define REMORA_CERTS_CERTIFICATE_LIST_H

#include "lib/base/text.h"

/*
 * Certificates in DER, in order, as they stand in a PEM file. Owns the bytes. All zero = empty.
 * Whether they are well-formed certificates is for certificate_parse.
 */
enum { CERTIFICATE_LIST_LIMIT = 1024, CERTIFICATE_LIST_PEM_BYTES = 4 << 20 };

struct certificate_list {
    struct span *ders;
    size_t count;
    size_t capacity;
};

void certificate_list_done(struct certificate_list *list);
/* Copies. */
void certificate_list_add(struct certificate_list *list, struct span der);
/*
 * Appends every CERTIFICATE block; text between blocks is passed over. False with a static text,
 * and the list as it was, when a block is broken, of another kind, too many, or there is none.
 */
bool certificate_list_add_pem(struct certificate_list *list, struct span pem,
                              const char **ret_reason);
void certificate_list_to_pem(const struct certificate_list *list, struct text *ret_pem);
void certificate_to_pem(struct span der, struct text *ret_pem);

#endif
