#ifndef REMORA_TESTS_UNIT_PROXY_REQUEST_FAKE_STREAM_H
#define REMORA_TESTS_UNIT_PROXY_REQUEST_FAKE_STREAM_H

#include "lib/base/text.h"
#include "lib/http/http_stream.h"

/*
 * The far side of a stream: keeps what is sent, takes no more than its room, counts credit. Fails
 * on calls that http_stream.h does not allow.
 */
struct fake_stream {
    struct http_stream stream;
    struct text heads; /* "STATUS name=value;..." a line each; requests: "METHOD PATH ..." */
    struct text body;
    struct text trailers;
    size_t room; /* that is left */
    size_t consumed;
    enum failure reset_with;
    bool head_sent, ended, reset, released;
};

void fake_stream_init(struct fake_stream *fake, size_t room);
void fake_stream_done(struct fake_stream *fake);

#endif
