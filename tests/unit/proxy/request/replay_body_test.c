#include "tests/unit/test_main.h"

#include "proxy/request/replay_body.h"

static void keep(struct replay_body *body, const char *text)
{
    struct chunk *chunk = chunk_take();
    chunk->used = (uint32_t)strlen(text);
    memcpy(chunk->bytes, text, chunk->used);
    const struct piece piece = {.chunk = chunk, .at = 0, .length = chunk->used};
    replay_body_keep(body, &piece);
    chunk_unref(chunk);
}

static void expect_copy(const struct replay_body *body, const char *wanted)
{
    char bytes[64] = "";
    struct byte_queue queue;
    byte_queue_init(&queue);
    replay_body_copy(body, &queue);
    assert_int_equal(queue.length, strlen(wanted));
    byte_queue_peek(&queue, 0, bytes, sizeof(bytes) - 1);
    assert_string_equal(bytes, wanted);
    byte_queue_done(&queue);
}

static void what_is_kept_can_be_copied_as_often_as_wanted(void **state)
{
    struct replay_body body;
    replay_body_init(&body, 10);
    expect_copy(&body, "");
    keep(&body, "hello");
    keep(&body, "world");
    for (int i = 0; i < 3; i++) {
        expect_copy(&body, "helloworld");
    }
    replay_body_drop(&body);
    assert_int_equal(chunk_in_use(), 0);
}

static void one_byte_beyond_the_limit_loses_all(void **state)
{
    static const struct {
        size_t limit;
        const char *second;
        bool lost;
    } rows[] = {{10, "world", false}, {10, "world!", true}, {9, "world", true}, {0, "", true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct replay_body body;
        replay_body_init(&body, rows[i].limit);
        keep(&body, "hello");
        keep(&body, rows[i].second);
        assert_int_equal(body.lost, rows[i].lost);
        if (rows[i].lost) {
            assert_int_equal(body.kept.length, 0);
            assert_int_equal(chunk_in_use(), 0);
            keep(&body, "x"); /* what follows is not kept either: it would be a part */
            assert_int_equal(body.kept.length, 0);
        }
        replay_body_drop(&body);
        assert_int_equal(chunk_in_use(), 0);
    }
}

static void a_body_that_was_let_go_is_lost(void **state)
{
    struct replay_body body;
    replay_body_init(&body, 10);
    replay_body_drop(&body);
    assert_true(body.lost);
    keep(&body, "x");
    assert_int_equal(chunk_in_use(), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(what_is_kept_can_be_copied_as_often_as_wanted),
        cmocka_unit_test(one_byte_beyond_the_limit_loses_all),
        cmocka_unit_test(a_body_that_was_let_go_is_lost),
    };
    return TEST_MAIN(cases, argc, argv);
}
