#ifndef REMORA_NET_MAILBOX_H
#define REMORA_NET_MAILBOX_H

#include "lib/net/loop.h"

/*
 * Messages to the thread of a loop, the only way in which threads speak to each other. Delivery is
 * in the order of posting for each sender, in the ready phase of the receiver's turn. Off the
 * request path.
 */
struct message {
    struct message *next;
    /* Runs in the receiver's thread, and owns the message from then on. */
    void (*deliver)(struct message *message, void *owner);
    /* Frees a message that can no longer be delivered. */
    void (*discard)(struct message *message);
};

struct mailbox;

struct mailbox *mailbox_create(struct loop *loop, void *owner);
/* Any thread. False, and the message discarded, when the mailbox is closed. */
bool mailbox_post(struct mailbox *mailbox, struct message *message);
/* Receiver's thread: takes no more; discards what waits. Posting stays legal until destroy. */
void mailbox_close(struct mailbox *mailbox);
void mailbox_destroy(struct mailbox *mailbox);

#endif
