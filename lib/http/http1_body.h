#ifndef REMORA_HTTP_HTTP1_BODY_H
#define REMORA_HTTP_HTTP1_BODY_H

#include "lib/http/http1_parser.h"

/*
 * Where the body of an HTTP/1 message ends, pure (RFC 9112 6 and 7.1). Fed with what has come;
 * tells which of it is body, in place. Chunk sizes are 1 to 16 hexadecimal digits, extensions are
 * dropped, lines end in CRLF only (CVE-2025-22871, CVE-2025-55315); anything else fails.
 */
enum http1_body_result {
    HTTP1_BODY_MORE, /* all usable bytes are used up; feed those left again with more behind them */
    HTTP1_BODY_BYTES,    /* *ret_data is body */
    HTTP1_BODY_TRAILERS, /* *ret_data is the raw trailer section; the message ends here */
    HTTP1_BODY_END,      /* the message ends here, without trailers */
    HTTP1_BODY_FAILED,
};

struct http1_body {
    uint64_t remaining;  /* of the body, or of the chunk */
    uint32_t line_bytes; /* of the chunk-size line so far */
    uint8_t framing;     /* enum http1_framing */
    uint8_t state;
    uint8_t digits;
    struct http1_scan trailers;
};

void http1_body_init(struct http1_body *body, enum http1_framing framing, uint64_t length);
/* For END and TRAILERS of a framing without end of its own (CLOSE, TUNNEL) the caller sees the end.
 */
enum http1_body_result http1_body_next(struct http1_body *body, struct span bytes,
                                       const struct http_limits *limits, size_t *ret_used,
                                       struct span *ret_data, struct http1_fault *ret_fault);
/* Undoes the last length bytes of the DATA just told: they are fed again later. */
void http1_body_give_back(struct http1_body *body, size_t length);
/* Bytes still to come, chunk framing left out; UINT64_MAX when nobody knows. */
uint64_t http1_body_remaining(const struct http1_body *body);

#endif
