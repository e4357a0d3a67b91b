#include "lib/tls/client_hello.h"

#include <openssl/bytestring.h>

#include <string.h>

enum {
    RECORD_HEADER_BYTES = 5,
    RECORD_HANDSHAKE = 22,
    RECORD_LIMIT = 16384,
    MESSAGE_HEADER_BYTES = 4,
    MESSAGE_CLIENT_HELLO = 1,
    EXTENSION_SERVER_NAME = 0,
    EXTENSION_ALPN = 16,
    NAME_TYPE_HOST = 0,
};

/* Gathers the first handshake message from the payloads of its records. */
static enum client_hello_status gather(struct span bytes, unsigned char *scratch,
                                       size_t *ret_length)
{
    const unsigned char *at = (const unsigned char *)bytes.at;
    size_t left = bytes.length < CLIENT_HELLO_BYTES ? bytes.length : CLIENT_HELLO_BYTES;
    size_t gathered = 0;
    while (left > 0) {
        if (at[0] != RECORD_HANDSHAKE || (left > 1 && at[1] != 3)) {
            return CLIENT_HELLO_BAD;
        }
        if (left < RECORD_HEADER_BYTES) {
            break;
        }
        size_t payload = (size_t)at[3] << 8 | at[4];
        if (payload == 0 || payload > RECORD_LIMIT) {
            return CLIENT_HELLO_BAD;
        }
        at += RECORD_HEADER_BYTES;
        left -= RECORD_HEADER_BYTES;
        size_t there = payload < left ? payload : left;
        memcpy(scratch + gathered, at, there);
        gathered += there;
        at += there;
        left -= there;
        if (gathered > 0 && scratch[0] != MESSAGE_CLIENT_HELLO) {
            return CLIENT_HELLO_BAD;
        }
        if (gathered >= MESSAGE_HEADER_BYTES) {
            size_t wanted = MESSAGE_HEADER_BYTES +
                            ((size_t)scratch[1] << 16 | (size_t)scratch[2] << 8 | scratch[3]);
            if (wanted > CLIENT_HELLO_BYTES) {
                return CLIENT_HELLO_BAD;
            }
            if (gathered >= wanted) {
                *ret_length = wanted;
                return CLIENT_HELLO_DONE;
            }
        }
    }
    return bytes.length < CLIENT_HELLO_BYTES ? CLIENT_HELLO_MORE : CLIENT_HELLO_BAD;
}

/* Letters, digits, '-', '_' in labels that are not empty: what a log and a route may safely show.
 */
static bool take_host(const CBS *name, char *into)
{
    const uint8_t *at = CBS_data(name);
    size_t length = CBS_len(name);
    if (length == 0 || length > CLIENT_HELLO_NAME_BYTES) {
        return false;
    }
    char host[CLIENT_HELLO_NAME_BYTES + 1];
    bool label_empty = true;
    for (size_t i = 0; i < length; i++) {
        char byte = (char)at[i];
        if (byte >= 'A' && byte <= 'Z') {
            byte = (char)(byte + ('a' - 'A'));
        }
        bool word = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
                    byte == '_';
        if (!word && (byte != '.' || label_empty)) {
            return false;
        }
        label_empty = !word;
        host[i] = byte;
    }
    if (label_empty) {
        return false;
    }
    memcpy(into, host, length);
    into[length] = '\0';
    return true;
}

static bool read_server_name(CBS *extension, struct client_hello *ret)
{
    CBS list, name;
    uint8_t type;
    /* RFC 6066 section 3: one name of each type, and host is the only type there is. */
    return CBS_get_u16_length_prefixed(extension, &list) && CBS_len(extension) == 0 &&
           CBS_get_u8(&list, &type) && type == NAME_TYPE_HOST &&
           CBS_get_u16_length_prefixed(&list, &name) && CBS_len(&list) == 0 &&
           take_host(&name, ret->server_name);
}

static bool read_alpn(CBS *extension, struct client_hello *ret)
{
    CBS list, protocol;
    if (!CBS_get_u16_length_prefixed(extension, &list) || CBS_len(extension) != 0 ||
        CBS_len(&list) == 0) {
        return false;
    }
    while (CBS_len(&list) > 0) {
        if (!CBS_get_u8_length_prefixed(&list, &protocol) || CBS_len(&protocol) == 0) {
            return false;
        }
        if (ret->alpn_count < CLIENT_HELLO_ALPN) {
            ret->alpn[ret->alpn_count++] = span_make(CBS_data(&protocol), CBS_len(&protocol));
        }
    }
    return true;
}

static bool read_extensions(CBS *extensions, struct client_hello *ret)
{
    bool has_name = false;
    bool has_alpn = false;
    while (CBS_len(extensions) > 0) {
        uint16_t type;
        CBS extension;
        if (!CBS_get_u16(extensions, &type) ||
            !CBS_get_u16_length_prefixed(extensions, &extension)) {
            return false;
        }
        if (type == EXTENSION_SERVER_NAME) {
            if (has_name || !read_server_name(&extension, ret)) {
                return false;
            }
            has_name = true;
        } else if (type == EXTENSION_ALPN) {
            if (has_alpn || !read_alpn(&extension, ret)) {
                return false;
            }
            has_alpn = true;
        }
    }
    return true;
}

static bool read_hello(CBS hello, struct client_hello *ret)
{
    CBS session_id, ciphers, compressions, extensions;
    uint16_t version;
    if (!CBS_get_u16(&hello, &version) || version >> 8 != 3 || !CBS_skip(&hello, 32) ||
        !CBS_get_u8_length_prefixed(&hello, &session_id) || CBS_len(&session_id) > 32 ||
        !CBS_get_u16_length_prefixed(&hello, &ciphers) || CBS_len(&ciphers) < 2 ||
        CBS_len(&ciphers) % 2 != 0 || !CBS_get_u8_length_prefixed(&hello, &compressions) ||
        CBS_len(&compressions) == 0) {
        return false;
    }
    if (CBS_len(&hello) == 0) {
        return true; /* TLS 1.2 without extensions */
    }
    return CBS_get_u16_length_prefixed(&hello, &extensions) && CBS_len(&hello) == 0 &&
           read_extensions(&extensions, ret);
}

enum client_hello_status client_hello_read(struct span bytes, unsigned char *scratch,
                                           struct client_hello *ret)
{
    size_t length = 0;
    enum client_hello_status status = gather(bytes, scratch, &length);
    if (status != CLIENT_HELLO_DONE) {
        return status;
    }
    CBS hello;
    struct client_hello read = {0};
    CBS_init(&hello, scratch + MESSAGE_HEADER_BYTES, length - MESSAGE_HEADER_BYTES);
    if (!read_hello(hello, &read)) {
        return CLIENT_HELLO_BAD;
    }
    *ret = read;
    return CLIENT_HELLO_DONE;
}
