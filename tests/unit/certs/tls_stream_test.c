#include "tests/unit/certs/tls_fixture.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "tests/unit/test_main.h"

#define API "spiffe://td.test/ns/shop/sa/api"

enum { TURNS = 64, BULK_BYTES = 3000000 };

static int set_up(void **state)
{
    *state = NEW(struct tls_mesh);
    tls_mesh_init(*state);
    return 0;
}

static int tear_down(void **state)
{
    tls_mesh_done(*state);
    mem_free(*state);
    return 0;
}

static void connect_well(struct tls_mesh *mesh)
{
    tls_mesh_connect(mesh, API);
    tls_mesh_run(mesh, TURNS);
    assert_string_equal(mesh->client.detail, "");
    assert_string_equal(mesh->server.detail, "");
    assert_true(mesh->client.ready);
    assert_true(mesh->server.ready);
}

static void fill(unsigned char *bytes, size_t length, unsigned seed)
{
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (unsigned char)(i * 31 + (i >> 8) * 7 + seed);
    }
}

static void a_byte_at_a_time_is_enough(void **state)
{
    struct tls_mesh *mesh = *state;
    mesh->client_pipe.deliver_bytes = 1;
    mesh->server_pipe.deliver_bytes = 1;
    mesh->server_pipe.accept_bytes = 1;
    tls_mesh_connect(mesh, API);
    tls_end_send(&mesh->client, "hello", 5);
    tls_end_send(&mesh->server, "welcome", 7);
    tls_mesh_run(mesh, 20000);
    assert_true(mesh->client.ready && mesh->server.ready);
    assert_int_equal(mesh->server.got.length, 5);
    assert_int_equal(mesh->client.got.length, 7);
}

static void megabytes_pass_both_ways_under_back_pressure(void **state)
{
    struct tls_mesh *mesh = *state;
    unsigned char *up = mem_alloc(BULK_BYTES), *down = mem_alloc(BULK_BYTES);
    fill(up, BULK_BYTES, 1);
    fill(down, BULK_BYTES, 2);
    mesh->client_pipe.accept_bytes = 10000;
    mesh->server_pipe.window_bytes = 5000;
    connect_well(mesh);
    mesh->server.paused = true;
    tls_end_watch(&mesh->server);
    tls_end_send(&mesh->client, up, BULK_BYTES);
    tls_end_send(&mesh->server, down, BULK_BYTES);
    tls_mesh_run(mesh, 200);
    /* The server reads nothing: 64 KiB here, 64 KiB in the pipe, and no more. */
    assert_true(mesh->client.to_send.length > BULK_BYTES - 300000);
    assert_true(transport_unsent(mesh->client.transport) <= 70000);
    assert_true(transport_unsent(mesh->client.transport) > 30000);
    mesh->server.paused = false;
    tls_end_watch(&mesh->server);
    for (int i = 0; i < 5000 && mesh->server.got.length + mesh->client.got.length < 2 * BULK_BYTES;
         i++) {
        tls_mesh_run(mesh, 1);
    }
    assert_int_equal(mesh->server.got.length, BULK_BYTES);
    assert_int_equal(mesh->client.got.length, BULK_BYTES);
    assert_memory_equal(mesh->server.got.bytes, up, BULK_BYTES);
    assert_memory_equal(mesh->client.got.bytes, down, BULK_BYTES);
    mem_free(up);
    mem_free(down);
}

static void small_writes_of_a_turn_become_one_record(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_well(mesh);
    uint64_t before = pipe_written(mesh->client.below);
    for (int i = 0; i < 50; i++) {
        struct iovec one = {"0123456789", 10};
        assert_int_equal(transport_write(mesh->client.transport, &one, 1), 10);
    }
    tls_mesh_run(mesh, 4);
    assert_int_equal(pipe_written(mesh->client.below) - before, 500 + 5 + 1 + 16);
    assert_int_equal(mesh->server.got.length, 500);
}

static void close_notify_is_a_clean_end_and_reading_goes_on(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_well(mesh);
    tls_end_send(&mesh->client, "last", 4);
    tls_mesh_run(mesh, 4);
    transport_shutdown(mesh->client.transport);
    tls_mesh_run(mesh, TURNS);
    assert_true(mesh->server.ended);
    assert_int_equal(mesh->server.got.length, 4);
    struct iovec word = {"answer", 6};
    assert_int_equal(transport_write(mesh->server.transport, &word, 1), 6);
    assert_int_equal(transport_write(mesh->client.transport, &word, 1), 0);
    tls_mesh_run(mesh, TURNS);
    assert_int_equal(mesh->client.got.length, 6);
    assert_false(mesh->client.ended);
}

static void closing_sends_what_was_accepted_and_a_clean_end(void **state)
{
    struct tls_mesh *mesh = *state;
    mesh->client_pipe.accept_bytes = 700;
    connect_well(mesh);
    unsigned char bytes[20000];
    fill(bytes, sizeof(bytes), 3);
    struct iovec word = {bytes, sizeof(bytes)};
    assert_int_equal(transport_write(mesh->client.transport, &word, 1), sizeof(bytes));
    transport_close(mesh->client.transport);
    mesh->client.transport = NULL;
    tls_mesh_run(mesh, 500);
    assert_true(mesh->server.ended);
    assert_int_equal(mesh->server.got.length, sizeof(bytes));
    assert_memory_equal(mesh->server.got.bytes, bytes, sizeof(bytes));
    assert_int_equal(pipe_other_end(mesh->server.below), PIPE_CLOSED);
}

static void closing_gives_up_after_five_seconds(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_well(mesh);
    *pipe_options_of(mesh->client.below) = (struct pipe_options){.stall = true};
    pipe_options_of(mesh->client.below)->stall_after = (size_t)pipe_written(mesh->client.below);
    struct iovec word = {"lost", 4};
    assert_int_equal(transport_write(mesh->client.transport, &word, 1), 4);
    transport_close(mesh->client.transport);
    mesh->client.transport = NULL;
    tls_mesh_run(mesh, TURNS);
    assert_int_equal(pipe_other_end(mesh->server.below), PIPE_OPEN);
    loop_advance(mesh->loop, 5001 * NS_PER_MS);
    assert_int_equal(pipe_other_end(mesh->server.below), PIPE_ABORTED);
}

static void an_end_without_close_notify_is_a_failure(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_well(mesh);
    tls_end_send(&mesh->client, "half", 4);
    tls_mesh_run(mesh, 4);
    pipe_options_of(mesh->client.below)->fault = PIPE_FAULT_END;
    struct iovec word = {"x", 1};
    (void)transport_write(mesh->client.transport, &word, 1);
    tls_mesh_run(mesh, TURNS);
    assert_int_equal(mesh->server.got.length, 4);
    assert_true(mesh->server.failed);
    assert_int_equal(mesh->server.failure, FAILURE_UPSTREAM_CLOSED);
    assert_non_null(strstr(mesh->server.detail, "close_notify"));
}

static void a_reset_at_any_byte_of_the_handshake_ends_both(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_well(mesh);
    size_t length = (size_t)pipe_written(mesh->client.below);
    for (size_t at = 1; at < length; at += 97) {
        for (int fault = PIPE_FAULT_END; fault <= PIPE_FAULT_RESET; fault++) {
            tls_session_cache_clear(mesh->sessions);
            mesh->client_pipe.fault = (enum pipe_fault)fault;
            mesh->client_pipe.fault_at = at;
            tls_mesh_connect(mesh, API);
            tls_mesh_run(mesh, TURNS);
            assert_false(mesh->server.ready);
            assert_true(mesh->server.failed);
            assert_int_not_equal(mesh->server.failure, FAILURE_NONE);
        }
    }
}

static void silence_ends_at_the_deadline(void **state)
{
    struct tls_mesh *mesh = *state;
    mesh->server_pipe.stall = true;
    tls_mesh_connect(mesh, API);
    tls_mesh_run(mesh, TURNS);
    loop_advance(mesh->loop, 4999 * NS_PER_MS);
    assert_false(mesh->client.failed);
    loop_advance(mesh->loop, 2 * NS_PER_MS);
    assert_true(mesh->client.failed);
    assert_int_equal(mesh->client.failure, FAILURE_TLS_HANDSHAKE);
    assert_non_null(strstr(mesh->client.detail, "in time"));
}

static void a_lower_layer_that_fails_to_connect_says_why(void **state)
{
    struct tls_mesh *mesh = *state;
    mesh->client_pipe.connecting = true;
    tls_mesh_connect(mesh, API);
    tls_mesh_run(mesh, 8);
    assert_false(mesh->client.failed);
    pipe_fail(mesh->client.below, FAILURE_CONNECT_REFUSED);
    tls_mesh_run(mesh, 8);
    assert_true(mesh->client.failed);
    assert_int_equal(mesh->client.failure, FAILURE_CONNECT_REFUSED);
}

static void a_lower_layer_that_connects_late_is_waited_for(void **state)
{
    struct tls_mesh *mesh = *state;
    mesh->client_pipe.connecting = true;
    tls_mesh_connect(mesh, API);
    tls_mesh_run(mesh, 8);
    assert_false(mesh->client.ready);
    pipe_connected(mesh->client.below);
    tls_mesh_run(mesh, TURNS);
    assert_true(mesh->client.ready && mesh->server.ready);
}

/* Three connections of a thread read by turns a few bytes: what each left in the scratch is kept.
 */
static void connections_that_share_the_scratch_keep_their_bytes(void **state)
{
    struct tls_mesh *mesh = *state;
    unsigned char bytes[60000];
    fill(bytes, sizeof(bytes), 5);
    connect_well(mesh);
    mesh->server.paused = mesh->client.paused = true;
    tls_end_watch(&mesh->server);
    tls_end_watch(&mesh->client);
    tls_end_send(&mesh->client, bytes, sizeof(bytes));
    tls_end_send(&mesh->server, bytes, sizeof(bytes));
    tls_mesh_run(mesh, TURNS);
    for (size_t at = 0; at < sizeof(bytes); at += 1000) {
        char part[1000];
        assert_int_equal(transport_read(mesh->server.transport, part, sizeof(part)), sizeof(part));
        assert_memory_equal(part, bytes + at, sizeof(part));
        assert_int_equal(transport_read(mesh->client.transport, part, sizeof(part)), sizeof(part));
        assert_memory_equal(part, bytes + at, sizeof(part));
        tls_mesh_run(mesh, 2);
    }
    assert_int_equal(chunk_in_use(), 0);
}

static void an_idle_connection_holds_no_chunks(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_well(mesh);
    tls_end_send(&mesh->client, "hello", 5);
    tls_mesh_run(mesh, TURNS);
    assert_int_equal(mesh->server.got.length, 5);
    assert_int_equal(chunk_in_use(), 0);
}

static void unread_bytes_come_first(void **state)
{
    struct tls_mesh *mesh = *state;
    connect_well(mesh);
    tls_end_send(&mesh->client, "world", 5);
    mesh->server.paused = true;
    tls_end_watch(&mesh->server);
    tls_mesh_run(mesh, 8);
    transport_unread(mesh->server.transport, SPAN("hello "));
    mesh->server.paused = false;
    tls_end_watch(&mesh->server);
    tls_mesh_run(mesh, 8);
    assert_string_equal(mesh->server.got.bytes, "hello world");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(a_byte_at_a_time_is_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(megabytes_pass_both_ways_under_back_pressure, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(small_writes_of_a_turn_become_one_record, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(close_notify_is_a_clean_end_and_reading_goes_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(closing_sends_what_was_accepted_and_a_clean_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(closing_gives_up_after_five_seconds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_end_without_close_notify_is_a_failure, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_reset_at_any_byte_of_the_handshake_ends_both, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(silence_ends_at_the_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lower_layer_that_fails_to_connect_says_why, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_lower_layer_that_connects_late_is_waited_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(connections_that_share_the_scratch_keep_their_bytes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_idle_connection_holds_no_chunks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unread_bytes_come_first, set_up, tear_down),
    };
    return TEST_MAIN(cases, argc, argv);
}
