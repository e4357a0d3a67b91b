#include "control/serve/subscriber.h"

#include "fake_supply.h"
#include "lib/base/random.h"
#include "lib/xds/xds_discovery.h"
#include "tests/unit/test_main.h"

#include <stdlib.h>

/*
 * A client that subscribes, unsubscribes, answers late, refuses, stops reading and reconnects, over
 * a world that changes all the time. Whatever happened: when the world stands still and the client
 * reads and answers, it has exactly what there is of what it wants.
 */
enum { NAMES = 6, STEPS = 120, RUNS = 1000, PENDING = 64, QUIET_ROUNDS = 50 };
/* Two resources of this are more than a part of a response: then all that there is takes several.
 */
enum { LARGE_BYTES = REPLY_BYTES / 2 + 1 };

static const enum xds_type types[] = {XDS_CLUSTER, XDS_ENDPOINTS, XDS_LISTENER, XDS_ROUTE,
                                      XDS_PHONE};
enum { TYPES = sizeof(types) / sizeof(types[0]) };

static const char *const names[NAMES] = {"a", "b", "c", "d", "e", "f"};

struct wish {
    bool begun, all;
    bool wanted[NAMES];
    unsigned held[NAMES]; /* value; 0 = nothing */
    char version[NAMES][VERSION_TEXT_BYTES];
    char type_version[VERSION_TEXT_BYTES];
    char pending[PENDING][VERSION_TEXT_BYTES]; /* nonces that are not answered */
    size_t pending_count;
};

struct storm {
    bool delta;
    bool full;
    bool is_calm;  /* the client reads all */
    bool is_large; /* resources are of LARGE_BYTES */
    bool sent_node;
    struct fake_supply world;
    unsigned values[XDS_TYPES][NAMES]; /* what there is; 0 = nothing */
    unsigned next_value;
    struct wish wishes[XDS_TYPES];
    struct subscriber *subscriber;
    size_t responses;
};

static bool can_be_whole(enum xds_type type)
{
    return type == XDS_CLUSTER || type == XDS_LISTENER || type == XDS_PHONE;
}

/* ---- The client's ear ------------------------------------------------------------------------ */

static size_t index_of(struct span name)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (span_equal_text(name, names[i])) {
            return i;
        }
    }
    return NAMES;
}

/* The bytes of a resource are "NAME VALUE " and padding. */
static void take_resource(struct wish *wish, const struct xds_resource *resource, bool delta)
{
    struct span rest = resource->value;
    struct span name;
    struct span digits;
    uint64_t value;
    assert_true(span_next(&rest, ' ', &name) && span_next(&rest, ' ', &digits) &&
                span_to_u64(digits, UINT32_MAX, &value));
    size_t at = index_of(name);
    assert_true(at < NAMES);
    if (delta) {
        assert_true(span_equal(resource->name, name));
        snprintf(wish->version[at], VERSION_TEXT_BYTES, "%.*s", SPAN_ARG(resource->version));
    }
    if (wish->all || wish->wanted[at]) {
        wish->held[at] = (unsigned)value;
    }
}

static void hear(void *owner, struct span message)
{
    struct storm *storm = owner;
    struct arena arena = {0};
    struct xds_response response;
    struct xds_error error;
    enum xds_type type;
    bool seen[NAMES] = {false};
    assert_true(xds_response_decode(message, storm->delta, &arena, &response, &error));
    assert_true(xds_type_of_url(response.type_url, &type));
    struct wish *wish = &storm->wishes[type];
    if (!storm->delta && can_be_whole(type)) {
        memset(wish->held, 0, sizeof(wish->held));
    }
    for (uint32_t i = 0; i < response.resource_count; i++) {
        take_resource(wish, &response.resources[i], storm->delta);
        if (storm->delta) {
            size_t at = index_of(response.resources[i].name);
            assert_false(seen[at]);
            seen[at] = true;
        }
    }
    for (uint32_t i = 0; i < response.removed_count; i++) {
        size_t at = index_of(response.removed[i]);
        assert_false(seen[at]);
        wish->held[at] = 0;
    }
    assert_true(wish->pending_count < PENDING);
    snprintf(wish->pending[wish->pending_count++], VERSION_TEXT_BYTES, "%.*s",
             SPAN_ARG(response.nonce));
    snprintf(wish->type_version, VERSION_TEXT_BYTES, "%.*s", SPAN_ARG(response.version));
    storm->responses++;
    storm->full = !storm->is_calm && random_below(3) == 0;
    arena_done(&arena);
}

static bool has_room(void *owner)
{
    return !((struct storm *)owner)->full;
}

static const struct subscriber_events events = {.send = hear, .has_room = has_room};

/* ---- The client's mouth ---------------------------------------------------------------------- */

static void say(struct storm *storm, enum xds_type type, struct xds_request *request)
{
    struct arena arena = {0};
    struct xds_error error;
    struct xds_caller caller = {.id = SPAN("storm")};
    request->type_url = span_of(xds_type_url(type));
    request->caller = storm->sent_node ? NULL : &caller;
    storm->sent_node = true;
    assert_int_equal(subscriber_receive(storm->subscriber,
                                        xds_request_encode(request, storm->delta, &arena), &error),
                     GRPC_OK);
    arena_done(&arena);
}

/* All that is wanted, as SotW says it each time and delta at the beginning of a stream. */
static uint32_t list_wanted(const struct wish *wish, struct span *into)
{
    uint32_t count = 0;
    if (wish->all) {
        into[count++] = SPAN("*");
    }
    for (size_t i = 0; i < NAMES; i++) {
        if (wish->wanted[i]) {
            into[count++] = span_of(names[i]);
        }
    }
    return count;
}

static void send_whole(struct storm *storm, enum xds_type type, const char *nonce, bool refused)
{
    struct wish *wish = &storm->wishes[type];
    struct span wanted[NAMES + 1];
    struct xds_pair held[NAMES];
    struct xds_request request = {.names = wanted,
                                  .name_count = list_wanted(wish, wanted),
                                  .versions = held,
                                  .nonce = span_of(nonce),
                                  .version = span_of(wish->type_version),
                                  .refused = refused};
    for (size_t i = 0; i < NAMES && storm->delta; i++) {
        if (wish->held[i] != 0) {
            held[request.version_count++] =
                (struct xds_pair){span_of(names[i]), span_of(wish->version[i])};
        }
    }
    wish->begun = true;
    say(storm, type, &request);
}

/* Answers the oldest response that waits. */
static void answer(struct storm *storm, enum xds_type type, bool refused)
{
    struct wish *wish = &storm->wishes[type];
    if (wish->pending_count == 0) {
        return;
    }
    char nonce[VERSION_TEXT_BYTES];
    memcpy(nonce, wish->pending[0], sizeof(nonce));
    wish->pending_count--;
    memmove(wish->pending[0], wish->pending[1], wish->pending_count * VERSION_TEXT_BYTES);
    if (!storm->delta) {
        send_whole(storm, type, nonce, refused);
        return;
    }
    struct xds_request request = {.nonce = span_of(nonce), .refused = refused};
    say(storm, type, &request);
}

static const char *last_nonce(const struct wish *wish)
{
    return wish->pending_count > 0 ? wish->pending[wish->pending_count - 1] : "";
}

static void toggle_name(struct storm *storm, enum xds_type type)
{
    struct wish *wish = &storm->wishes[type];
    size_t at = random_below(NAMES);
    bool wanted = wish->wanted[at] = !wish->wanted[at];
    if (!wanted && !wish->all) {
        wish->held[at] = 0;
    }
    if (!wish->begun || !storm->delta) {
        send_whole(storm, type, wish->begun ? last_nonce(wish) : "", false);
        return;
    }
    struct span name = span_of(names[at]);
    struct xds_request request = {
        .names = &name, .name_count = wanted, .unsubscribed = &name, .unsubscribed_count = !wanted};
    say(storm, type, &request);
}

static void toggle_all(struct storm *storm, enum xds_type type)
{
    struct wish *wish = &storm->wishes[type];
    if (!can_be_whole(type)) {
        return;
    }
    wish->all = !wish->all;
    for (size_t i = 0; i < NAMES && !wish->all; i++) {
        wish->held[i] = wish->wanted[i] ? wish->held[i] : 0;
    }
    if (!wish->begun || !storm->delta) {
        send_whole(storm, type, wish->begun ? last_nonce(wish) : "", false);
        return;
    }
    struct span star = SPAN("*");
    struct xds_request request = {.names = &star,
                                  .name_count = wish->all,
                                  .unsubscribed = &star,
                                  .unsubscribed_count = !wish->all};
    say(storm, type, &request);
}

/* ---- The world ------------------------------------------------------------------------------- */

static void change(struct storm *storm, enum xds_type type)
{
    size_t at = random_below(NAMES);
    if (random_below(3) == 0) {
        storm->values[type][at] = 0;
        fake_supply_remove(&storm->world, type, names[at]);
    } else {
        static char bytes[LARGE_BYTES + 1];
        storm->values[type][at] = ++storm->next_value;
        int length = snprintf(bytes, sizeof(bytes), "%s %u ", names[at], storm->next_value);
        size_t padding = storm->is_large ? (size_t)(LARGE_BYTES - length) : 0;
        memset(bytes + length, 'x', padding);
        bytes[(size_t)length + padding] = '\0';
        fake_supply_put(&storm->world, type, names[at], bytes);
    }
    subscriber_mark(storm->subscriber, 1U << type);
    subscriber_sync(storm->subscriber);
}

static void open_stream(struct storm *storm)
{
    const struct subscriber_identity identity = {SPAN("shop"), SPAN("web")};
    subscriber_destroy(storm->subscriber);
    storm->sent_node = false;
    storm->subscriber =
        subscriber_create(storm->world.supply, storm->delta, &identity, &events, storm);
    for (size_t i = 0; i < TYPES; i++) {
        struct wish *wish = &storm->wishes[types[i]];
        struct span unused[NAMES + 1];
        wish->pending_count = 0;
        /* A first request without a name would be one for everything. */
        wish->begun = wish->begun && list_wanted(wish, unused) > 0;
        if (wish->begun) {
            send_whole(storm, types[i], "", false);
        }
    }
}

/* ---- Runs ------------------------------------------------------------------------------------ */

static void step(struct storm *storm)
{
    enum xds_type type = types[random_below(TYPES)];
    switch (random_below(12)) {
    case 0:
    case 1:
    case 2:
        change(storm, type);
        break;
    case 3:
    case 4:
        toggle_name(storm, type);
        break;
    case 5:
        toggle_all(storm, type);
        break;
    case 6:
        storm->full = !storm->full;
        subscriber_sync(storm->subscriber);
        break;
    case 7:
        if (random_below(4) == 0) {
            open_stream(storm);
        }
        break;
    default:
        answer(storm, type, random_below(8) == 0);
        break;
    }
}

static void settle(struct storm *storm)
{
    size_t before;
    storm->full = false;
    storm->is_calm = true;
    subscriber_sync(storm->subscriber);
    for (int round = 0; round < QUIET_ROUNDS; round++) {
        before = storm->responses;
        for (size_t i = 0; i < TYPES; i++) {
            while (storm->wishes[types[i]].pending_count > 0) {
                answer(storm, types[i], false);
            }
        }
        if (storm->responses == before) {
            return;
        }
    }
    fail_msg("responses without end");
}

static void assert_right(const struct storm *storm, unsigned run)
{
    for (size_t i = 0; i < TYPES; i++) {
        enum xds_type type = types[i];
        const struct wish *wish = &storm->wishes[type];
        const struct subscription *subscription = &storm->subscriber->types[type];
        assert_false(subscription->due || subscription->owed || subscription->waits);
        for (size_t n = 0; n < NAMES && wish->begun; n++) {
            unsigned there = storm->values[type][n];
            bool wanted = wish->all || wish->wanted[n];
            /* In SotW nobody tells that a route or endpoints are gone. */
            bool told = storm->delta || can_be_whole(type) || there != 0;
            if (wanted && told && wish->held[n] != there) {
                fail_msg("run %u, %s %s: has %u, there is %u", run, xds_type_short(type), names[n],
                         wish->held[n], there);
            }
        }
    }
}

static void run_storms(bool delta, bool is_large, unsigned runs)
{
    for (unsigned run = 0; run < runs; run++) {
        struct storm storm = {.delta = delta, .is_large = is_large};
        random_seed(run + 1);
        fake_supply_init(&storm.world);
        open_stream(&storm);
        for (int i = 0; i < STEPS; i++) {
            step(&storm);
        }
        settle(&storm);
        assert_right(&storm, run);
        subscriber_destroy(storm.subscriber);
        fake_supply_done(&storm.world);
    }
}

static void a_delta_client_ends_up_with_what_there_is(void **unused)
{
    run_storms(true, false, RUNS);
}

static void a_delta_client_that_is_told_in_parts_does_too(void **unused)
{
    run_storms(true, true, RUNS / 20);
}

static void a_sotw_client_ends_up_with_what_there_is(void **unused)
{
    run_storms(false, false, RUNS);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_delta_client_ends_up_with_what_there_is),
        cmocka_unit_test(a_delta_client_that_is_told_in_parts_does_too),
        cmocka_unit_test(a_sotw_client_ends_up_with_what_there_is),
    };
    return TEST_MAIN(cases, argc, argv);
}
