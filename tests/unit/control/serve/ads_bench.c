#include "ads_bench.h"

#include "lib/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 32 };

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* SotW does not say names: the bytes of what has none there are "NAME@VERSION". */
static void receive(void *owner, struct span message)
{
    struct ads_bench *bench = owner;
    struct xds_response response;
    struct xds_error error;
    enum xds_type type;
    const char *items[256];
    size_t count = 0;
    CHECK(xds_response_decode(message, bench->delta, &bench->arena, &response, &error));
    CHECK(xds_type_of_url(response.type_url, &type));
    for (uint32_t i = 0; i < response.resource_count && count < 200; i++) {
        const struct xds_resource *resource = &response.resources[i];
        items[count++] = bench->delta
                             ? arena_printf(&bench->arena, "%.*s@%.*s", SPAN_ARG(resource->name),
                                            SPAN_ARG(resource->value))
                             : arena_printf(&bench->arena, "%.*s", SPAN_ARG(resource->value));
    }
    for (uint32_t i = 0; i < response.removed_count && count < 200; i++) {
        items[count++] = arena_printf(&bench->arena, "~%.*s", SPAN_ARG(response.removed[i]));
    }
    qsort(items, count, sizeof(items[0]), by_text);
    CHECK(bench->count < ADS_LINES);
    char *line = bench->lines[bench->count++];
    size_t length = (size_t)snprintf(line, ADS_LINE_BYTES, "%s", xds_type_short(type));
    for (size_t i = 0; i < count && length < ADS_LINE_BYTES; i++) {
        length += (size_t)snprintf(line + length, ADS_LINE_BYTES - length, " %s", items[i]);
    }
    bench->told[type] += response.resource_count;
    bench->gone[type] += response.removed_count;
    if (bench->room > 0) {
        bench->full = --bench->room == 0;
    }
    bench->before[type] = bench->nonces[type];
    bench->nonces[type] = response.nonce;
    bench->versions[type] = response.version;
    bench->largest = message.length > bench->largest ? message.length : bench->largest;
}

static bool has_room(void *owner)
{
    struct ads_bench *bench = owner;
    /* Room that was given takes it out of being full. */
    return bench->room > 0 || !bench->full;
}

static const struct subscriber_events events = {.send = receive, .has_room = has_room};

void ads_bench_init(struct ads_bench *bench, bool delta)
{
    const struct subscriber_identity identity = {SPAN("shop"), SPAN("web")};
    *bench = (struct ads_bench){.delta = delta, .agent = "test"};
    fake_supply_init(&bench->world);
    bench->subscriber = subscriber_create(bench->world.supply, delta, &identity, &events, bench);
}

void ads_bench_done(struct ads_bench *bench)
{
    subscriber_destroy(bench->subscriber);
    fake_supply_done(&bench->world);
    arena_done(&bench->arena);
}

struct request {
    struct xds_request request;
    struct span names[WORDS], unsubscribed[WORDS];
    struct xds_pair held[WORDS];
};

/* "NAME@BYTES" as name and version of those bytes. */
static void hold(struct ads_bench *bench, struct request *into, struct span word)
{
    size_t at = span_find_byte(word, '@');
    struct span bytes = span_cut(word, at + 1, word.length);
    struct resource *like = resource_create(XDS_PHONE, SPAN("x"), bytes);
    char *version = arena_alloc(&bench->arena, VERSION_TEXT_BYTES);
    version_write(like->version, version);
    resource_unref(like);
    into->held[into->request.version_count++] =
        (struct xds_pair){span_cut(word, 0, at), span_of(version)};
}

static void take_word(struct ads_bench *bench, enum xds_type type, struct request *into,
                      struct span word)
{
    struct xds_request *request = &into->request;
    struct span rest = span_cut(word, 1, word.length);
    if (span_equal(word, SPAN("ack"))) {
        request->nonce = bench->nonces[type];
        request->version = bench->versions[type];
    } else if (span_equal(word, SPAN("stale"))) {
        request->nonce = bench->before[type];
    } else if (span_starts_with(word, SPAN("nack:"))) {
        request->nonce = bench->nonces[type];
        request->refused = true;
        request->error_code = 3;
        request->error_message = span_cut(word, 5, word.length);
    } else if (word.at[0] == '+') {
        into->names[request->name_count++] = rest;
    } else if (word.at[0] == '-') {
        into->unsubscribed[request->unsubscribed_count++] = rest;
    } else if (word.at[0] == '=') {
        hold(bench, into, rest);
    } else {
        UNREACHABLE("a word of a request");
    }
}

enum grpc_code ads_send(struct ads_bench *bench, enum xds_type type, const char *words)
{
    struct request into = {.request = {.type_url = span_of(xds_type_url(type))}};
    struct xds_caller caller = {.id = SPAN("web-1"), .agent = span_of(bench->agent)};
    struct span rest = span_of(words);
    struct span word;
    into.request.names = into.names;
    into.request.unsubscribed = into.unsubscribed;
    into.request.versions = into.held;
    into.request.caller = bench->sent_node ? NULL : &caller;
    bench->sent_node = true;
    while (rest.length > 0 && span_next(&rest, ' ', &word)) {
        take_word(bench, type, &into, word);
    }
    struct span message = xds_request_encode(&into.request, bench->delta, &bench->arena);
    return subscriber_receive(bench->subscriber, message, &bench->error);
}

void ads_change(struct ads_bench *bench, enum xds_type type, const char *name, const char *bytes)
{
    if (bytes != NULL) {
        fake_supply_put(&bench->world, type, name, bytes);
    } else {
        fake_supply_remove(&bench->world, type, name);
    }
    subscriber_mark(bench->subscriber, 1U << type);
    subscriber_sync(bench->subscriber);
}

const char *ads_take(struct ads_bench *bench)
{
    return bench->taken < bench->count ? bench->lines[bench->taken++] : "";
}
