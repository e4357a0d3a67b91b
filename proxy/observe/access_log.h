#ifndef REMORA_PROXY_OBSERVE_ACCESS_LOG_H
#define REMORA_PROXY_OBSERVE_ACCESS_LOG_H

#include "lib/base/text.h"
#include "lib/net/loop.h"
#include "proxy/observe/request_record.h"

/*
 * One line a finished request or connection, on standard output, as JSON or as text. Lines wait in
 * a queue of 256 KiB and are written once a turn without ever blocking: what does not fit is
 * dropped and counted.
 */
enum { ACCESS_LOG_QUEUE_BYTES = 262144, ACCESS_LOG_LINE_BYTES = 8192 };

struct access_log;

struct access_log *access_log_create(struct loop *loop, int fd);
void access_log_destroy(struct access_log *log);
void access_log_form(struct access_log *log, bool text);
void access_log_write(struct access_log *log, const struct request_record *record);
uint64_t access_log_dropped(const struct access_log *log);

/* One line with its newline. Pure. */
void access_log_line(const struct request_record *record, bool as_text, int64_t wall_ns,
                     struct text *ret_line);

#endif
