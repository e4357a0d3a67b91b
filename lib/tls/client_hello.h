#ifndef REMORA_TLS_CLIENT_HELLO_H
#define REMORA_TLS_CLIENT_HELLO_H

#include "lib/base/span.h"

/*
 * Reads the names out of a TLS ClientHello without taking it (RFC 8446 section 4.1.2, 5.1), also
 * when it is spread over many records and reads. Pure; never looks at more than CLIENT_HELLO_BYTES.
 */
enum { CLIENT_HELLO_BYTES = 65536, CLIENT_HELLO_NAME_BYTES = 255, CLIENT_HELLO_ALPN = 8 };

enum client_hello_status { CLIENT_HELLO_MORE, CLIENT_HELLO_DONE, CLIENT_HELLO_BAD };

struct client_hello {
    char server_name[CLIENT_HELLO_NAME_BYTES + 1]; /* host syntax, lower case; "" = none */
    struct span alpn[CLIENT_HELLO_ALPN];           /* into ret_scratch of the call */
    size_t alpn_count;
};

/* scratch: CLIENT_HELLO_BYTES that must live as long as ret is looked at. */
enum client_hello_status client_hello_read(struct span bytes, unsigned char *scratch,
                                           struct client_hello *ret);

#endif
