#include "lib/net/mailbox.h"

#include "lib/base/memory.h"
#include "tests/unit/test_main.h"

#include <pthread.h>
#include <stdatomic.h>

enum { SENDERS = 4, EACH = 5000 };

struct receiver {
    struct mailbox *mailbox;
    int delivered;
    int last[SENDERS];
    int close_after;
    bool destroy;
};

struct numbered {
    struct message message;
    int sender;
    int number;
};

static atomic_int discarded;

static void deliver(struct message *message, void *owner)
{
    struct numbered *numbered = CONTAINER_OF(message, struct numbered, message);
    struct receiver *receiver = owner;
    assert_int_equal(numbered->number, receiver->last[numbered->sender] + 1);
    receiver->last[numbered->sender] = numbered->number;
    receiver->delivered++;
    mem_free(numbered);
    if (receiver->delivered == receiver->close_after) {
        (receiver->destroy ? mailbox_destroy : mailbox_close)(receiver->mailbox);
    }
}

static void discard(struct message *message)
{
    atomic_fetch_add(&discarded, 1);
    mem_free(CONTAINER_OF(message, struct numbered, message));
}

static bool post(struct mailbox *mailbox, int sender, int number)
{
    struct numbered *numbered = NEW(struct numbered);
    numbered->message.deliver = deliver;
    numbered->message.discard = discard;
    numbered->sender = sender;
    numbered->number = number;
    return mailbox_post(mailbox, &numbered->message);
}

struct sender {
    pthread_t thread;
    struct mailbox *mailbox;
    int number;
};

static void *send_all(void *argument)
{
    struct sender *sender = argument;
    for (int i = 1; i <= EACH; i++) {
        post(sender->mailbox, sender->number, i);
    }
    return NULL;
}

static bool has_all(void *owner)
{
    return ((struct receiver *)owner)->delivered == SENDERS * EACH;
}

static void messages_of_each_thread_arrive_in_order(void **state)
{
    struct loop *loop = loop_create();
    struct receiver receiver = {0};
    receiver.mailbox = mailbox_create(loop, &receiver);
    struct sender senders[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.mailbox = receiver.mailbox, .number = i};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    assert_true(loop_run_until(loop, has_all, &receiver, 30000));
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
    }
    mailbox_destroy(receiver.mailbox);
    loop_destroy(loop);
}

static void a_closed_mailbox_discards_what_waits_and_what_comes(void **state)
{
    struct loop *loop = loop_create();
    struct receiver receiver = {0};
    receiver.mailbox = mailbox_create(loop, &receiver);
    atomic_store(&discarded, 0);
    assert_true(post(receiver.mailbox, 0, 1));
    mailbox_close(receiver.mailbox);
    assert_false(post(receiver.mailbox, 0, 2));
    assert_int_equal(atomic_load(&discarded), 2);
    loop_turn(loop);
    assert_int_equal(receiver.delivered, 0);
    mailbox_destroy(receiver.mailbox);
    loop_destroy(loop);
}

static void it_may_be_closed_or_destroyed_by_a_message(void **state)
{
    for (int destroy = 0; destroy < 2; destroy++) {
        struct loop *loop = loop_create();
        struct receiver receiver = {.close_after = 2, .destroy = destroy};
        receiver.mailbox = mailbox_create(loop, &receiver);
        atomic_store(&discarded, 0);
        for (int i = 1; i <= 5; i++) {
            post(receiver.mailbox, 0, i);
        }
        loop_turn(loop);
        assert_int_equal(receiver.delivered, 2);
        assert_int_equal(atomic_load(&discarded), 3);
        if (!destroy) {
            mailbox_destroy(receiver.mailbox);
        }
        loop_destroy(loop);
    }
}

static void a_simulated_loop_delivers_in_its_next_turn(void **state)
{
    struct loop *loop = loop_create_simulated(0);
    struct receiver receiver = {0};
    receiver.mailbox = mailbox_create(loop, &receiver);
    post(receiver.mailbox, 0, 1);
    post(receiver.mailbox, 0, 2);
    assert_int_equal(receiver.delivered, 0);
    loop_turn(loop);
    assert_int_equal(receiver.delivered, 2);
    mailbox_destroy(receiver.mailbox);
    loop_destroy(loop);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(messages_of_each_thread_arrive_in_order),
        cmocka_unit_test(a_closed_mailbox_discards_what_waits_and_what_comes),
        cmocka_unit_test(it_may_be_closed_or_destroyed_by_a_message),
        cmocka_unit_test(a_simulated_loop_delivers_in_its_next_turn),
    };
    return TEST_MAIN(cases, argc, argv);
}
