/* links: remora_http */
#include "lib/base/check.h"
#include "lib/http/http1_writer.h"
#include "tests/fuzz/fuzz.h"

/*
 * A response head; the first byte chooses the request that it answers. What must hold: an accepted
 * head passes the check for every codec, and written anew and parsed again it is the same; a
 * refusal is always the upstream's fault.
 */
static struct http_limits limits;

static bool parse(struct span bytes, enum http_method method, bool upgrade)
{
    struct http1_scan scan = {0};
    struct http1_fault fault;
    size_t end = 0;
    enum http1_result result = http1_scan(&scan, bytes, &limits, HTTP1_RESPONSE, &end, &fault);
    if (result == HTTP1_MORE) {
        return false;
    }
    if (result == HTTP1_DONE && http1_parse_response(span_cut(bytes, 0, end), &limits, method,
                                                     upgrade, http1_message_scratch(), &fault)) {
        return true;
    }
    CHECK(fault.failure == FAILURE_UPSTREAM_PROTOCOL ||
          fault.failure == FAILURE_UPSTREAM_HEADERS_TOO_LARGE);
    CHECK(fault.detail != NULL);
    return false;
}

static void write_and_parse_again(const struct http_head *head, enum http1_framing framing,
                                  enum http_method method, bool upgrade, struct arena *arena)
{
    struct http1_shape shape = {.framing = framing, .length = head->content_length};
    if (head->status == 101) {
        shape.protocol = head->upgrade;
    }
    struct byte_queue out;
    byte_queue_init(&out);
    CHECK(http1_write_response(&out, head, &shape));
    size_t length = out.length;
    char *bytes = arena_alloc(arena, length);
    CHECK(byte_queue_peek(&out, 0, bytes, length) == length);
    byte_queue_done(&out);
    limits.head_bytes += 1024;
    CHECK(parse(span_make(bytes, length), method, upgrade));
    const struct http1_message *again = http1_message_scratch();
    CHECK(again->framing == framing);
    CHECK(again->head.status == head->status);
    CHECK(again->head.content_length == head->content_length);
    CHECK(span_equal(again->head.upgrade, head->upgrade));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const enum http_method methods[] = {HTTP_METHOD_GET, HTTP_METHOD_HEAD,
                                               HTTP_METHOD_CONNECT, HTTP_METHOD_POST};
    http_limits_default(&limits);
    if (length == 0) {
        return 0;
    }
    enum http_method method = methods[bytes[0] % 4];
    bool upgrade = (bytes[0] & 4) != 0;
    if (!parse(span_make(bytes + 1, length - 1), method, upgrade)) {
        return 0;
    }
    struct arena arena = {0};
    enum http1_framing framing = http1_message_scratch()->framing;
    const struct http_head *head = http1_message_head(http1_message_scratch(), &arena);
    const char *detail = NULL;
    CHECK(http_head_check(head, &detail) == FAILURE_NONE);
    write_and_parse_again(head, framing, method, upgrade, &arena);
    arena_done(&arena);
    return 0;
}
