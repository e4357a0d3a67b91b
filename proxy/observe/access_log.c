#include "proxy/observe/access_log.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { RETRY_MS = 50 };

struct access_log {
    struct loop *loop;
    int fd;
    bool as_text;
    struct text queue;
    struct text line;
    struct turn_task flush_task;
    struct timer retry;
    uint64_t dropped;
};

static const char *const protocols[] = {"http1", "http2", "grpc", "tcp", "tls"};

/* ---- Lines ----------------------------------------------------------------------------------- */

static void add_key(struct text *line, const char *key)
{
    text_printf(line, "%s\"%s\":", line->length > 1 ? "," : "", key);
}

static void add_cut(struct text *line, const char *key, struct span value, size_t limit)
{
    if (value.length > 0) {
        add_key(line, key);
        text_add_json(line, span_cut(value, 0, limit));
    }
}

static void add_span(struct text *line, const char *key, struct span value)
{
    add_cut(line, key, value, ACCESS_LOG_VALUE_BYTES);
}

static void add_number(struct text *line, const char *key, int64_t value)
{
    add_key(line, key);
    text_add_i64(line, value);
}

static void add_address(struct text *line, const char *key, const struct address *address)
{
    if (address->family != 0) {
        char text[ADDRESS_TEXT_BYTES];
        address_format(address, text);
        add_span(line, key, span_of(text));
    }
}

static int64_t micros(int64_t from_ns, int64_t to_ns)
{
    return from_ns > 0 && to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0;
}

static void add_trace(struct text *line, const struct trace_ids *trace)
{
    if (!trace->present) {
        return;
    }
    char hex[2 * sizeof(trace->trace) + 1];
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof(trace->trace); i++) {
        hex[2 * i] = digits[trace->trace[i] >> 4];
        hex[2 * i + 1] = digits[trace->trace[i] & 15];
    }
    hex[sizeof(hex) - 1] = '\0';
    add_span(line, "trace_id", span_of(hex));
}

static void json_line(const struct request_record *record, int64_t wall_ns, struct text *line)
{
    char time[CLOCK_TEXT_BYTES];
    clock_format_wall(wall_ns, time);
    text_add_byte(line, '{');
    add_span(line, "time", span_of(time));
    add_span(line, "direction",
             record->direction == RECORD_INBOUND ? SPAN("inbound") : SPAN("outbound"));
    add_span(line, "protocol", span_of(protocols[record->protocol]));
    add_span(line, "method", record->method);
    add_span(line, "authority", record->authority);
    add_cut(line, "path", record->path, ACCESS_LOG_PATH_BYTES);
    if (record->status != 0) {
        add_number(line, "status", record->status);
    }
    if (record->grpc_status >= 0) {
        add_number(line, "grpc_status", record->grpc_status);
    }
    if (record->failure != FAILURE_NONE) {
        add_span(line, "reason", failure_word(record->failure));
        add_span(line, "flags", span_of(failure_facts(record->failure)->flag));
    }
    add_number(line, "duration_us", micros(record->opened_ns, record->done_ns));
    add_number(line, "upstream_us", micros(record->upstream_ns, record->first_byte_ns));
    add_number(line, "bytes_in", (int64_t)record->bytes_in);
    add_number(line, "bytes_out", (int64_t)record->bytes_out);
    add_number(line, "attempts", record->attempts);
    if (record->retry_denied != NULL) {
        add_span(line, "retry_denied", span_of(record->retry_denied));
    }
    add_span(line, "source_workload", record->source_workload);
    add_span(line, "source_identity", record->source_identity);
    add_span(line, "destination_service", record->destination_service);
    add_span(line, "destination_workload", record->destination_workload);
    add_span(line, "destination_identity", record->destination_identity);
    add_span(line, "route", record->route);
    add_span(line, "cluster", record->cluster);
    add_address(line, "downstream", &record->downstream);
    add_address(line, "original_dst", &record->original_dst);
    add_address(line, "upstream", &record->upstream);
    add_key(line, "mtls");
    text_add_text(line, record->mtls_downstream || record->mtls_upstream ? "true" : "false");
    add_span(line, "user_agent", record->user_agent);
    add_span(line, "request_id", record->request_id);
    add_trace(line, &record->trace);
    text_add_text(line, "}\n");
}

static void text_cut(struct text *line, struct span value, size_t limit)
{
    text_add_byte(line, ' ');
    if (value.length == 0) {
        text_add_byte(line, '-');
    } else {
        text_add_json(line, span_cut(value, 0, limit));
    }
}

static void text_value(struct text *line, struct span value)
{
    text_cut(line, value, ACCESS_LOG_VALUE_BYTES);
}

static void text_line(const struct request_record *record, int64_t wall_ns, struct text *line)
{
    char time[CLOCK_TEXT_BYTES];
    clock_format_wall(wall_ns, time);
    text_printf(line, "%s %s %s", time,
                record->direction == RECORD_INBOUND ? "inbound" : "outbound",
                protocols[record->protocol]);
    text_value(line, record->method);
    text_value(line, record->authority);
    text_cut(line, record->path, ACCESS_LOG_PATH_BYTES);
    text_printf(line, " %u %.*s %lldus", record->status, SPAN_ARG(failure_word(record->failure)),
                (long long)micros(record->opened_ns, record->done_ns));
    text_value(line, record->source_workload);
    text_value(line, record->destination_service);
    text_value(line, record->destination_workload);
    text_add_byte(line, '\n');
}

void access_log_line(const struct request_record *record, bool as_text, int64_t wall_ns,
                     struct text *ret_line)
{
    if (as_text) {
        text_line(record, wall_ns, ret_line);
    } else {
        json_line(record, wall_ns, ret_line);
    }
}

/* ---- Writing --------------------------------------------------------------------------------- */

static bool writable(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLOUT};
    return poll(&one, 1, 0) == 1 && (one.revents & (POLLOUT | POLLERR | POLLHUP)) != 0;
}

static void drop_front(struct access_log *log, size_t bytes)
{
    if (bytes > 0) {
        memmove(log->queue.bytes, log->queue.bytes + bytes, log->queue.length - bytes);
        log->queue.length -= bytes;
        log->queue.bytes[log->queue.length] = '\0';
    }
}

/* Nobody will ever read what is left. */
static void drop_all(struct access_log *log)
{
    for (size_t i = 0; i < log->queue.length; i++) {
        log->dropped += log->queue.bytes[i] == '\n';
    }
    text_clear(&log->queue);
}

/* At most a pipe's worth at a time, so that a blocking descriptor does not hold the loop. */
static void write_some(struct access_log *log)
{
    enum { WRITE_BYTES = 4096 };
    size_t done = 0;
    while (done < log->queue.length && writable(log->fd)) {
        size_t left = log->queue.length - done;
        ssize_t written =
            write(log->fd, log->queue.bytes + done, left < WRITE_BYTES ? left : WRITE_BYTES);
        if (written < 0 && errno != EINTR && errno != EAGAIN) {
            drop_front(log, done);
            drop_all(log);
            return;
        }
        if (written <= 0) {
            break;
        }
        done += (size_t)written;
    }
    drop_front(log, done);
}

static void flush(struct turn_task *task)
{
    struct access_log *log = CONTAINER_OF(task, struct access_log, flush_task);
    write_some(log);
    if (log->queue.length > 0) {
        timer_start(&log->retry, RETRY_MS * NS_PER_MS);
    }
}

static void on_retry(struct timer *timer)
{
    struct access_log *log = CONTAINER_OF(timer, struct access_log, retry);
    loop_flush_later(log->loop, &log->flush_task);
}

struct access_log *access_log_create(struct loop *loop, int fd)
{
    struct access_log *log = NEW(struct access_log);
    log->loop = loop;
    log->fd = fd;
    text_init(&log->queue);
    text_init(&log->line);
    log->line.limit = ACCESS_LOG_LINE_BYTES;
    log->flush_task.run = flush;
    timer_init(&log->retry, loop, on_retry);
    return log;
}

void access_log_destroy(struct access_log *log)
{
    if (log != NULL) {
        write_some(log);
        timer_stop(&log->retry);
        turn_task_cancel(&log->flush_task);
        text_done(&log->queue);
        text_done(&log->line);
        mem_free(log);
    }
}

void access_log_form(struct access_log *log, bool text)
{
    log->as_text = text;
}

void access_log_write(struct access_log *log, const struct request_record *record)
{
    text_clear(&log->line);
    access_log_line(record, log->as_text, clock_wall_ns(), &log->line);
    if (log->line.truncated || log->queue.length + log->line.length > ACCESS_LOG_QUEUE_BYTES) {
        log->dropped++;
        return;
    }
    text_add(&log->queue, text_span(&log->line));
    loop_flush_later(log->loop, &log->flush_task);
}

uint64_t access_log_dropped(const struct access_log *log)
{
    return log->dropped;
}
