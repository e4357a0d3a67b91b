#include "control/serve/push_queue.h"

#include "lib/base/clock.h"

static void on_timer(struct timer *timer)
{
    struct push_queue *queue = CONTAINER_OF(timer, struct push_queue, timer);
    queue->begun_ns = queue->first_ns;
    queue->first_ns = 0;
    queue->pushes++;
    unsigned types = queue->events->on_gathered(queue->owner);
    LIST_EACH(&queue->members, link)
    {
        struct push_member *member = CONTAINER_OF(link, struct push_member, member);
        member->types |= types;
        if (member->types != 0 && !link_linked(&member->waiting)) {
            list_push_back(&queue->waiting, &member->waiting);
        }
    }
    loop_ready_later(queue->loop, &queue->visit_task);
}

static void visit(struct turn_task *task)
{
    struct push_queue *queue = CONTAINER_OF(task, struct push_queue, visit_task);
    for (int i = 0; i < PUSH_VISITS; i++) {
        struct link *link = list_pop(&queue->waiting);
        if (link == NULL) {
            queue->last_duration_ns = loop_now_ns(queue->loop) - queue->begun_ns;
            return;
        }
        struct push_member *member = CONTAINER_OF(link, struct push_member, waiting);
        unsigned types = member->types;
        member->types = 0;
        queue->events->on_visit(queue->owner, member, types);
    }
    loop_ready_later(queue->loop, &queue->visit_task);
}

void push_queue_init(struct push_queue *queue, struct loop *loop, const struct push_events *events,
                     void *owner)
{
    *queue = (struct push_queue){.loop = loop, .events = events, .owner = owner};
    list_init(&queue->members);
    list_init(&queue->waiting);
    timer_init(&queue->timer, loop, on_timer);
    queue->visit_task.run = visit;
}

void push_queue_done(struct push_queue *queue)
{
    timer_stop(&queue->timer);
    turn_task_cancel(&queue->visit_task);
}

void push_queue_note(struct push_queue *queue)
{
    int64_t now_ns = loop_now_ns(queue->loop);
    queue->notes++;
    if (queue->first_ns == 0) {
        queue->first_ns = now_ns;
    }
    int64_t at_ns = now_ns + PUSH_QUIET_MS * NS_PER_MS;
    int64_t most_ns = queue->first_ns + PUSH_MOST_MS * NS_PER_MS;
    timer_start_at(&queue->timer, at_ns < most_ns ? at_ns : most_ns);
}

void push_queue_join(struct push_queue *queue, struct push_member *member)
{
    *member = (struct push_member){0};
    list_push_back(&queue->members, &member->member);
}

void push_queue_leave(struct push_member *member)
{
    list_remove(&member->member);
    list_remove(&member->waiting);
}
