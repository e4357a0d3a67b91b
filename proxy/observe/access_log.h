#ifndef REMORA_PROXY_OBSERVE_ACCESS_LOG_H
#define REMORA_PROXY_OBSERVE_ACCESS_LOG_H

#include "lib/base/text.h"
#include "lib/net/loop.h"
#include "proxy/observe/request_record.h"

/*
 * One line a finished request or connection, on standard output, as JSON or as text. Lines wait in
 * a queue of 256 KiB and are written once a turn without ever blocking: what does not fit is
 * dropped and counted. What a client says is cut to ACCESS_LOG_VALUE_BYTES (a path to
 * ACCESS_LOG_PATH_BYTES), so that no request can make its own line too long to be written.
 */
enum {
    ACCESS_LOG_QUEUE_BYTES = 262144,
    ACCESS_LOG_LINE_BYTES = 16384,
    ACCESS_LOG_VALUE_BYTES = 256,
    ACCESS_LOG_PATH_BYTES = 1024,
};

struct access_log;

struct access_log *access_log_create(struct loop *loop, int fd);
/* Writes once more what can be written at once. */
void access_log_destroy(struct access_log *log);
void access_log_form(struct access_log *log, bool text);
void access_log_write(struct access_log *log, const struct request_record *record);
/* Lines. */
uint64_t access_log_dropped(const struct access_log *log);

/* One line with its newline. Pure. */
void access_log_line(const struct request_record *record, bool as_text, int64_t wall_ns,
                     struct text *ret_line);

#endif
