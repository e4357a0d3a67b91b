#ifndef REMORA_TESTS_FAKES_PIPE_TRANSPORT_H
#define REMORA_TESTS_FAKES_PIPE_TRANSPORT_H

#include "lib/net/transport.h"

/*
 * Two transports in memory, connected to each other, over a real or a simulated loop: what one side
 * writes the other reads, readiness comes in the turn after. Everything that a network may do to a
 * byte stream can be asked for, per side and at an exact byte.
 *
 * Both sides must be closed (or aborted), and the loop turned or destroyed, before a test ends.
 */
enum pipe_fault {
    PIPE_FAULT_NONE,
    PIPE_FAULT_END,   /* the other reads a clean end; this side's further writes fail */
    PIPE_FAULT_RESET, /* the other reads a failure, and so does this side */
    PIPE_FAULT_WRITE, /* only this side's writes fail */
};

/* All zero = a well-behaved side. What is said of writes is of those by this side. */
struct pipe_options {
    size_t accept_bytes; /* one write takes at most so many; 0 = no limit */
    size_t window_bytes; /* so many may be unread by the other; 0 = 64 KiB */
    bool stall;          /* takes no more than stall_after bytes in all, until pipe_resume */
    size_t stall_after;
    enum pipe_fault
        fault; /* happens when fault_at bytes have been written in all (0 = at the first try) */
    size_t fault_at;
    size_t deliver_bytes; /* one read gives at most so many; 0 = no limit */
    bool late;            /* readiness is told one turn later than it could be */
    bool connecting;      /* not ready until pipe_connected or pipe_fail */
};

/* local and peer are 10.0.0.1:40000 and 10.0.0.2:80; NULL options = well-behaved. */
void pipe_transports(struct loop *loop, const struct pipe_options *a, const struct pipe_options *b,
                     struct transport **ret_a, struct transport **ret_b);

/* For the rest of what stalled. */
void pipe_resume(struct transport *side);
void pipe_connected(struct transport *side);
/* This side fails from now on, as from the network; what it had not read is lost. */
void pipe_fail(struct transport *side, enum failure failure);
/* Changes the options on the way; counts of bytes go on from where they are. */
struct pipe_options *pipe_options_of(struct transport *side);

/* Bytes that this side's owner has written and read so far. */
uint64_t pipe_written(const struct transport *side);
uint64_t pipe_taken(const struct transport *side);

/* What the owner at the other end has done to its side. */
enum pipe_end { PIPE_OPEN, PIPE_SHUT, PIPE_CLOSED, PIPE_ABORTED };
enum pipe_end pipe_other_end(const struct transport *side);

#endif
