#ifndef REMORA_TESTS_UNIT_LIB_HTTP_HTTP2_RIG_H
#define REMORA_TESTS_UNIT_LIB_HTTP_HTTP2_RIG_H

#include "tests/unit/lib/http/exchange.h"
#include "tests/unit/lib/http/frames.h"

/* An HTTP/2 connection whose peer is the test, on a clock that stands still. */
struct rig {
    struct loop *loop;
    struct wire *wire;
    struct http_limits limits;
    struct side side;
    struct text frames;
    struct reader reader;
};

/* The preface is queued in frames, not yet sent. Limits may be changed between the two. */
void rig_prepare(struct rig *rig);
void rig_open(struct rig *rig, bool is_server, bool in_mesh);
void rig_server(struct rig *rig);
/* The server's SETTINGS are queued in frames. */
void rig_client(struct rig *rig);
/* Closes what is open; everything must have gone back. */
void rig_done(struct rig *rig);
/* Sends what was built, and lets everything happen that takes no time. */
void rig_go(struct rig *rig);
void rig_wait_ms(struct rig *rig, int64_t ms);
/* The GOAWAY code that the connection sent; UINT32_MAX when none. */
uint32_t rig_goaway(struct rig *rig);

void rig_respond(struct exchange *exchange, uint16_t status, bool end);
/* GET, or POST where more follows. */
void rig_request(struct exchange *exchange, bool end);
/* Sends as much as is taken; returns it. */
size_t rig_send(struct exchange *exchange, const char *bytes, size_t length);

#endif
