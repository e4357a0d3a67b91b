#ifndef REMORA_GRPC_GRPC_FRAME_H
#define REMORA_GRPC_GRPC_FRAME_H

#include "lib/base/byte_queue.h"
#include "lib/base/text.h"

/*
 * Length-prefixed messages: 1 byte compressed flag, 4 bytes length in network order, the bytes. A
 * message may span DATA frames and a frame may hold many. Compression is not offered, so flag 1 is
 * an error.
 */
enum { GRPC_PREFIX_BYTES = 5, GRPC_MESSAGE_BYTES = 16 << 20 };

enum grpc_frame_status {
    GRPC_FRAME_MORE,
    GRPC_FRAME_MESSAGE,
    GRPC_FRAME_TOO_LARGE,
    GRPC_FRAME_BAD
};

/* Collects one message at a time. All zero with a limit set is the beginning. */
struct grpc_frame {
    size_t limit; /* of one message; 0 = GRPC_MESSAGE_BYTES */
    struct text message;
    size_t wanted;
    unsigned char prefix[GRPC_PREFIX_BYTES];
    uint8_t prefix_length;
    bool reading; /* the prefix is complete */
};

/*
 * Takes bytes from *rest. MESSAGE: frame->message holds one whole; call grpc_frame_next before the
 * next read. Bytes behind it stay in *rest.
 */
enum grpc_frame_status grpc_frame_read(struct grpc_frame *frame, struct span *rest);
void grpc_frame_next(struct grpc_frame *frame);
/* True when nothing of a message is left over: a stream may end here. */
bool grpc_frame_clean(const struct grpc_frame *frame);
void grpc_frame_done(struct grpc_frame *frame);

/* Prefix and message at the end of a queue; copies. */
void grpc_frame_write(struct byte_queue *queue, struct span message);

#endif
