#include "lib/net/loop_private.h"

#include "lib/base/check.h"

static void on_event(struct ev_loop *ev, ev_io *io, int events)
{
    struct watch *watch = CONTAINER_OF(io, struct watch, io);
    if (!ev_is_active(io)) {
        /* libev stops what watches a descriptor that it cannot watch. */
        watch->wanted = 0;
        watch->loop->watch_count--;
    }
    watch->on_ready(watch, (unsigned)events & (WATCH_READ | WATCH_WRITE));
}

void watch_init(struct watch *watch, struct loop *loop, int fd,
                void (*on_ready)(struct watch *watch, unsigned events))
{
    *watch = (struct watch){.loop = loop, .on_ready = on_ready};
    ev_io_init(&watch->io, on_event, fd, 0);
}

void watch_want(struct watch *watch, unsigned events)
{
    if (events == watch->wanted) {
        return;
    }
    struct loop *loop = watch->loop;
    CHECK(loop->ev != NULL);
    if (watch->wanted != 0) {
        ev_io_stop(loop->ev, &watch->io);
        loop->watch_count--;
    }
    watch->wanted = events;
    if (events != 0) {
        /* Stop and start only mark the descriptor: libev compares old and new before the wait. */
        ev_io_modify(&watch->io, (int)events);
        ev_io_start(loop->ev, &watch->io);
        loop->watch_count++;
    }
}

void watch_stop(struct watch *watch)
{
    watch_want(watch, 0);
}
