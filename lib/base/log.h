#ifndef REMORA_BASE_LOG_H
#define REMORA_BASE_LOG_H

#include "lib/base/span.h"

/*
 * Log lines of the program itself (not the access log), one JSON object or one text line each, on
 * standard error: time, level, area, message, and fields. A value is cut at LOG_VALUE_BYTES and a
 * line at LOG_LINE_BYTES, so that a pipe takes it whole (PIPE_BUF) or not at all. It is written
 * with one write(2) that never blocks the caller for long: when the pipe is full the line is
 * dropped and counted. Any thread; not in a signal's function.
 *
 *     LOG_WARN("xds", "control plane unreachable", LOG_TEXT("server", name), LOG_NUMBER("retry_ms",
 * ms));
 *
 * A function that returns a failure does not log it: one of the two.
 */
enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_OFF };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

enum { LOG_LINE_BYTES = 4096, LOG_VALUE_BYTES = 1024 };

struct log_field {
    const char *name; /* NULL: the field is left out */
    struct span text; /* used when is_number is false */
    int64_t number;
    bool is_number;
};

#define LOG_TEXT(name, value) ((struct log_field){(name), span_of(value), 0, false})
#define LOG_SPAN(name, value) ((struct log_field){(name), (value), 0, false})
#define LOG_NUMBER(name, value) ((struct log_field){(name), {NULL, 0}, (int64_t)(value), true})

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
void log_set_format(enum log_format format);
/* "debug", "info", "warn", "error", "off"; false on other words. */
bool log_level_parse(struct span word, enum log_level *ret_level);
const char *log_level_name(enum log_level level);
uint64_t log_dropped_lines(void);

void log_write(enum log_level level, const char *area, const char *message,
               const struct log_field *fields, size_t count);

/*
 * For messages that an attacker or a broken peer can cause at will: at most one line a second for
 * each place in the code that uses it; the next line that passes says how many were left out.
 */
struct log_limit {
    int64_t second;
    uint64_t suppressed; /* since the last line that passed */
    uint64_t left_out;   /* what the line that passes now reports */
};
bool log_limit_pass(struct log_limit *limit);

#define LOG_FIELDS_(...) ((struct log_field[]){{0}, ##__VA_ARGS__})
#define LOG_AT_(level, area, message, ...)                                                         \
    do {                                                                                           \
        if ((level) >= log_get_level()) {                                                          \
            const struct log_field *fields_ = LOG_FIELDS_(__VA_ARGS__);                            \
            log_write((level), (area), (message), fields_ + 1,                                     \
                      sizeof(LOG_FIELDS_(__VA_ARGS__)) / sizeof(struct log_field) - 1);            \
        }                                                                                          \
    } while (0)
#define LOG_DEBUG(area, message, ...) LOG_AT_(LOG_LEVEL_DEBUG, area, message, ##__VA_ARGS__)
#define LOG_INFO(area, message, ...) LOG_AT_(LOG_LEVEL_INFO, area, message, ##__VA_ARGS__)
#define LOG_WARN(area, message, ...) LOG_AT_(LOG_LEVEL_WARN, area, message, ##__VA_ARGS__)
#define LOG_ERROR(area, message, ...) LOG_AT_(LOG_LEVEL_ERROR, area, message, ##__VA_ARGS__)
#define LOG_WARN_LIMITED(area, message, ...)                                                       \
    do {                                                                                           \
        static _Thread_local struct log_limit limit_;                                              \
        if (log_limit_pass(&limit_)) {                                                             \
            LOG_AT_(LOG_LEVEL_WARN, area, message,                                                 \
                    LOG_NUMBER(limit_.left_out > 0 ? "suppressed" : NULL, limit_.left_out),        \
                    ##__VA_ARGS__);                                                                \
        }                                                                                          \
    } while (0)

#endif
