#include "lib/http/websocket.h"

#include "lib/base/check.h"
#include "lib/base/random.h"

#include <openssl/base64.h>
#include <openssl/sha.h>

enum { NONCE_BYTES = 16 };

static struct span encode(const uint8_t *bytes, size_t count, char *ret)
{
    size_t length = EVP_EncodeBlock((uint8_t *)ret, bytes, count);
    CHECK(length < WEBSOCKET_TEXT_BYTES);
    return span_make(ret, length);
}

bool websocket_asked(const struct http_head *head)
{
    return span_equal_nocase(head->upgrade, SPAN("websocket"));
}

struct span websocket_key(char *ret)
{
    uint8_t nonce[NONCE_BYTES];
    random_secret(nonce, sizeof(nonce));
    return encode(nonce, sizeof(nonce), ret);
}

struct span websocket_accept(struct span key, char *ret)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t digest[SHA_DIGEST_LENGTH];
    SHA_CTX sha;
    SHA1_Init(&sha);
    SHA1_Update(&sha, key.at, key.length);
    SHA1_Update(&sha, guid, sizeof(guid) - 1);
    SHA1_Final(digest, &sha);
    return encode(digest, sizeof(digest), ret);
}

bool websocket_accepts(const struct http_head *response, struct span accept)
{
    size_t right = 0;
    size_t wrong = 0;
    HEADERS_EACH(&response->headers, field)
    {
        if (span_equal_nocase(field->name, WEBSOCKET_ACCEPT)) {
            right += span_equal(field->value, accept);
            wrong += !span_equal(field->value, accept);
        }
    }
    return right == 1 && wrong == 0;
}
