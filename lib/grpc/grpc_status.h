#ifndef REMORA_GRPC_GRPC_STATUS_H
#define REMORA_GRPC_GRPC_STATUS_H

#include "lib/base/arena.h"
#include "lib/base/failure.h"

/* Status codes of gRPC, and what HTTP and stream failures mean in them ("gRPC over HTTP/2"). */
enum grpc_code {
    GRPC_OK = 0,
    GRPC_CANCELLED = 1,
    GRPC_UNKNOWN = 2,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_NOT_FOUND = 5,
    GRPC_ALREADY_EXISTS = 6,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_FAILED_PRECONDITION = 9,
    GRPC_ABORTED = 10,
    GRPC_OUT_OF_RANGE = 11,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14,
    GRPC_DATA_LOSS = 15,
    GRPC_UNAUTHENTICATED = 16,
    GRPC_CODES = 17,
};

const char *grpc_code_name(enum grpc_code code);
/* Of an answer that has no grpc-status. */
enum grpc_code grpc_code_of_http(uint16_t status);
enum grpc_code grpc_code_of_failure(enum failure failure);
/* "0" to "16"; anything else is UNKNOWN. */
enum grpc_code grpc_code_read(struct span value);

/* grpc-message: percent-encoding of all but printable ASCII without '%'. Decoding keeps what it
 * cannot read. */
struct span grpc_message_encode(struct span text, struct arena *arena);
struct span grpc_message_decode(struct span text, struct arena *arena);
/* grpc-timeout: 1 to 8 digits and one of H M S m u n; rounds up to a millisecond; at
 * most a year. */
bool grpc_timeout_parse(struct span value, int64_t *ret_ms);
struct span grpc_timeout_format(int64_t ms, struct arena *arena);

#endif
