#include "lib/net/mailbox.h"

#include "lib/base/check.h"
#include "lib/base/memory.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct mailbox {
    struct loop *loop;
    void *owner;
    struct watch watch;          /* real loop */
    struct turn_task ready_task; /* simulated loop: one thread, no descriptor */
    struct turn_task free_task;
    int fd;
    struct message *batch; /* taken out, being delivered */
    pthread_mutex_t lock;  /* guards what follows */
    struct message *first;
    struct message **last;
    bool closed;
};

static struct message *take_all(struct mailbox *mailbox)
{
    CHECK(pthread_mutex_lock(&mailbox->lock) == 0);
    struct message *first = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    CHECK(pthread_mutex_unlock(&mailbox->lock) == 0);
    return first;
}

static void deliver(struct mailbox *mailbox)
{
    mailbox->batch = take_all(mailbox);
    while (mailbox->batch != NULL) {
        struct message *message = mailbox->batch;
        mailbox->batch = message->next;
        message->deliver(message, mailbox->owner);
    }
}

static void on_ready(struct watch *watch, unsigned events)
{
    struct mailbox *mailbox = CONTAINER_OF(watch, struct mailbox, watch);
    uint64_t count;
    /* Before taking: a message posted from now on makes the descriptor readable again. */
    while (read(mailbox->fd, &count, sizeof(count)) < 0 && errno == EINTR) {
    }
    deliver(mailbox);
}

static void run_ready(struct turn_task *task)
{
    deliver(CONTAINER_OF(task, struct mailbox, ready_task));
}

static void run_free(struct turn_task *task)
{
    struct mailbox *mailbox = CONTAINER_OF(task, struct mailbox, free_task);
    pthread_mutex_destroy(&mailbox->lock);
    if (mailbox->fd >= 0) {
        close(mailbox->fd);
    }
    mem_free(mailbox);
}

struct mailbox *mailbox_create(struct loop *loop, void *owner)
{
    struct mailbox *mailbox = NEW(struct mailbox);
    mailbox->loop = loop;
    mailbox->owner = owner;
    mailbox->last = &mailbox->first;
    mailbox->ready_task.run = run_ready;
    mailbox->free_task.run = run_free;
    mailbox->fd = -1;
    CHECK(pthread_mutex_init(&mailbox->lock, NULL) == 0);
    if (!loop_is_simulated(loop)) {
        mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        CHECK(mailbox->fd >= 0);
        watch_init(&mailbox->watch, loop, mailbox->fd, on_ready);
        watch_want(&mailbox->watch, WATCH_READ);
    }
    return mailbox;
}

static void wake(struct mailbox *mailbox)
{
    if (mailbox->fd < 0) {
        loop_ready_later(mailbox->loop, &mailbox->ready_task);
        return;
    }
    uint64_t one = 1;
    while (write(mailbox->fd, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

bool mailbox_post(struct mailbox *mailbox, struct message *message)
{
    message->next = NULL;
    CHECK(pthread_mutex_lock(&mailbox->lock) == 0);
    bool open = !mailbox->closed;
    if (open) {
        bool was_empty = mailbox->first == NULL;
        *mailbox->last = message;
        mailbox->last = &message->next;
        /* Under the lock, so that the descriptor is still there. */
        if (was_empty) {
            wake(mailbox);
        }
    }
    CHECK(pthread_mutex_unlock(&mailbox->lock) == 0);
    if (!open) {
        message->discard(message);
    }
    return open;
}

static void discard_all(struct message *message)
{
    while (message != NULL) {
        struct message *next = message->next;
        message->discard(message);
        message = next;
    }
}

void mailbox_close(struct mailbox *mailbox)
{
    CHECK(pthread_mutex_lock(&mailbox->lock) == 0);
    mailbox->closed = true;
    CHECK(pthread_mutex_unlock(&mailbox->lock) == 0);
    if (mailbox->fd >= 0) {
        watch_stop(&mailbox->watch);
    }
    turn_task_cancel(&mailbox->ready_task);
    /* Closed from inside a delivery: the rest of the batch goes too. */
    struct message *batch = mailbox->batch;
    mailbox->batch = NULL;
    discard_all(batch);
    discard_all(take_all(mailbox));
}

void mailbox_destroy(struct mailbox *mailbox)
{
    if (mailbox == NULL) {
        return;
    }
    mailbox_close(mailbox);
    loop_free_later(mailbox->loop, &mailbox->free_task);
}
