#include "lib/grpc/grpc_frame.h"

/* A stream that stays does not keep the room of its largest message. */
enum { KEPT_BYTES = 64 * 1024 };

static size_t limit_of(const struct grpc_frame *frame)
{
    return frame->limit != 0 ? frame->limit : GRPC_MESSAGE_BYTES;
}

static enum grpc_frame_status read_prefix(struct grpc_frame *frame, struct span *rest)
{
    while (frame->prefix_length < GRPC_PREFIX_BYTES && rest->length > 0) {
        frame->prefix[frame->prefix_length++] = (unsigned char)rest->at[0];
        *rest = span_cut(*rest, 1, rest->length);
    }
    if (frame->prefix_length < GRPC_PREFIX_BYTES) {
        return GRPC_FRAME_MORE;
    }
    if (frame->prefix[0] != 0) {
        return GRPC_FRAME_BAD;
    }
    frame->wanted = (size_t)frame->prefix[1] << 24 | (size_t)frame->prefix[2] << 16 |
                    (size_t)frame->prefix[3] << 8 | frame->prefix[4];
    if (frame->wanted > limit_of(frame)) {
        return GRPC_FRAME_TOO_LARGE;
    }
    frame->reading = true;
    return GRPC_FRAME_MESSAGE;
}

enum grpc_frame_status grpc_frame_read(struct grpc_frame *frame, struct span *rest)
{
    if (!frame->reading) {
        enum grpc_frame_status status = read_prefix(frame, rest);
        if (status != GRPC_FRAME_MESSAGE) {
            return status;
        }
    }
    size_t missing = frame->wanted - frame->message.length;
    struct span part = span_cut(*rest, 0, missing);
    text_add(&frame->message, part);
    *rest = span_cut(*rest, part.length, rest->length);
    return frame->message.length == frame->wanted ? GRPC_FRAME_MESSAGE : GRPC_FRAME_MORE;
}

void grpc_frame_next(struct grpc_frame *frame)
{
    if (frame->message.capacity > KEPT_BYTES) {
        text_done(&frame->message);
    } else {
        text_clear(&frame->message);
    }
    frame->prefix_length = 0;
    frame->wanted = 0;
    frame->reading = false;
}

bool grpc_frame_clean(const struct grpc_frame *frame)
{
    return frame->prefix_length == 0;
}

void grpc_frame_done(struct grpc_frame *frame)
{
    text_done(&frame->message);
}

void grpc_frame_write(struct byte_queue *queue, struct span message)
{
    const unsigned char prefix[GRPC_PREFIX_BYTES] = {
        0,
        (unsigned char)(message.length >> 24),
        (unsigned char)(message.length >> 16),
        (unsigned char)(message.length >> 8),
        (unsigned char)message.length,
    };
    byte_queue_copy(queue, prefix, sizeof(prefix));
    byte_queue_copy(queue, message.at, message.length);
}
