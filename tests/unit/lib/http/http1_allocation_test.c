#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/poison.h"
#include "tests/unit/lib/http/http1_rig.h"
#include "tests/unit/test_main.h"

/* Counts every malloc of the process where AddressSanitizer is there to tell, else our own. */
#ifdef REMORA_POISON
/* Of sanitizer/allocator_interface.h, which GCC does not install. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));
static uint64_t allocations;
static void on_malloc(const volatile void *memory, size_t bytes)
{
    allocations++;
}
static void on_free(const volatile void *memory)
{
}
static uint64_t allocations_now(void)
{
    static int hooked;
    if (hooked == 0) {
        hooked = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
        assert_int_not_equal(hooked, 0);
    }
    return allocations;
}
#else
static uint64_t allocations_now(void)
{
    return mem_allocations();
}
#endif

static uint64_t allocations_of(struct http1_rig *rig, int requests)
{
    uint64_t before = allocations_now();
    for (int i = 0; i < requests; i++) {
        raw_peer_send_text(&rig->peer, HTTP1_RIG_GET);
        loop_settle(rig->loop);
        raw_peer_clear(&rig->peer);
    }
    return allocations_now() - before;
}

/* An owner without memory of its own, as the request layer is in its steady state. */
struct lean {
    struct http_conn *conn;
    struct http_stream *stream;
    struct arena arena;
    int answered;
};

static void lean_head(void *owner, struct http_head *head)
{
}

static void lean_body(void *owner, const struct piece *piece)
{
}

static void lean_trailers(void *owner, struct headers *trailers)
{
}

static void lean_room(void *owner)
{
}

static void lean_reset(void *owner, enum failure failure)
{
}

static void lean_end(void *owner)
{
    struct lean *lean = owner;
    struct http_head head;
    http_head_init(&head, &lean->arena);
    head.status = 200;
    head.content_length = 2;
    headers_add(&head.headers, SPAN("Server"), SPAN("x"));
    http_stream_send_head(lean->stream, &head, false);
    struct byte_queue queue;
    byte_queue_init(&queue);
    byte_queue_copy(&queue, "ok", 2);
    http_stream_send_body(lean->stream, &queue, SIZE_MAX);
    http_stream_send_end(lean->stream);
    http_stream_release(lean->stream);
    arena_done(&lean->arena);
    lean->answered++;
}

static void lean_stream(void *owner, struct http_conn *conn, struct http_stream *stream)
{
    static const struct http_stream_events events = {lean_head, lean_body, lean_trailers,
                                                     lean_end,  lean_room, lean_reset};
    struct lean *lean = owner;
    lean->stream = stream;
    http_stream_attach(stream, &lean->arena, &events, lean);
}

static void lean_closed(void *owner, struct http_conn *conn, enum failure failure)
{
    ((struct lean *)owner)->conn = NULL;
}

static void a_kept_connection_allocates_nothing_for_a_request(void **state)
{
    static const struct http_conn_events events = {.on_stream = lean_stream,
                                                   .on_closed = lean_closed};
    struct http1_rig rig = {.loop = loop_create_simulated(1000 * NS_PER_S)};
    http_limits_default(&rig.limits);
    pipe_transports(rig.loop, NULL, NULL, &rig.transport, &rig.other);
    raw_peer_own(&rig.peer, rig.other);
    struct lean lean = {.answered = 0};
    lean.conn = http1_server_create(rig.transport, &rig.limits, false, &events, &lean);
    allocations_of(&rig, 10);
#ifdef REMORA_POISON
    uint64_t before = allocations_now();
    mem_free(mem_alloc(1));
    assert_int_equal(allocations_now(), before + 1);
#endif
    assert_int_equal(allocations_of(&rig, 1000), 0);
    assert_int_equal(lean.answered, 1010);
    assert_int_equal(chunk_in_use(), 0);
    http_conn_close(lean.conn, FAILURE_NONE);
    raw_peer_done(&rig.peer);
    loop_settle(rig.loop);
    loop_destroy(rig.loop);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_kept_connection_allocates_nothing_for_a_request),
    };
    return TEST_MAIN(cases, argc, argv);
}
