#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/poison.h"
#include "lib/net/loop_private.h"
#include "proxy/upstream/cluster_run.h"
#include "tests/unit/proxy/upstream/upstream_rig.h"
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

static struct rig rig;

/* Opens connections to all endpoints, so that every pick finds a session with room. */
static struct cluster *warm(uint32_t endpoints)
{
    rig_init(&rig);
    rig.codec = HTTP_CODEC_2;
    rig.connects = rig.answers = true;
    struct cluster *cluster = rig_plain(&rig, endpoints, rig_http2);
    for (uint32_t i = 0; i < endpoints; i++) {
        struct lease_wish wish = {.kind = LEASE_HTTP};
        for (uint32_t j = 0; j < endpoints; j++) {
            if (j != i) {
                wish.tried[wish.tried_count++] = cluster->endpoints[j];
            }
        }
        struct caller a = {0};
        caller_start(&a, &rig, cluster, &wish);
        rig_go(&rig);
        assert_true(a.ended);
        caller_end(&a);
        rig_go(&rig);
    }
    assert_int_equal(cluster->connections, endpoints);
    return cluster;
}

static void nothing(void *owner)
{
}

static void nothing_failed(void *owner, enum failure failure)
{
    fail();
}

static const struct lease_events events = {nothing, nothing_failed};

/* A lease and its end, as far as this folder goes: the stream is opened and released unused. */
static void lease_and_end(struct cluster *cluster)
{
    static const struct lease_wish wish = {.kind = LEASE_HTTP};
    static const struct lease_outcome outcome = {
        .status = 200, .grpc_status = -1, .latency_ns = 3 * NS_PER_MS};
    struct lease lease = {0};
    assert_int_equal(lease_start(&lease, cluster, &wish, &events, &lease), LEASE_READY);
    lease_end(&lease, &outcome);
}

static void a_lease_of_a_pooled_session_allocates_nothing_and_moves_no_timer(void **state)
{
    for (uint32_t endpoints = 1; endpoints <= 8; endpoints += 7) {
        struct cluster *cluster = warm(endpoints);
        /* What is kept for the next use is there after the first round. */
        for (int i = 0; i < 50; i++) {
            lease_and_end(cluster);
        }
        rig_go(&rig);
        uint64_t before = allocations_now();
        uint32_t timers = rig.loop->heap_count;
        int64_t next = rig.loop->heap[0].at_ns;
        for (int i = 0; i < 50; i++) {
            lease_and_end(cluster);
        }
        assert_int_equal(allocations_now() - before, 0);
        assert_int_equal(rig.loop->heap_count, timers);
        assert_int_equal(rig.loop->heap[0].at_ns, next);
        assert_false(link_linked(&cluster->settle.link));
        rig_go(&rig);
        assert_int_equal(rig.dial_count, endpoints);
        rig_all_given_back(cluster);
        rig_done(&rig);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_lease_of_a_pooled_session_allocates_nothing_and_moves_no_timer),
    };
    return TEST_MAIN(cases, argc, argv);
}
