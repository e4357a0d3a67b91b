#include "lib/base/log.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/base/utf8.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

_Static_assert(LOG_LINE_BYTES <= PIPE_BUF, "a line must fit what a pipe takes whole");

/*
 * Room for the end of a line that had to leave fields out; and how much of a message is taken, so
 * that it fits even where each byte is escaped to six.
 */
enum { LOG_TAIL_BYTES = 32, LOG_MESSAGE_BYTES = 512 };

static atomic_int current_level = LOG_LEVEL_INFO;
static atomic_int current_format = LOG_FORMAT_TEXT;
static _Atomic uint64_t dropped_lines;
/*
 * Held for one poll and one write that does not block. Without it two threads could both be told
 * that the pipe has room for a line, and the second would block.
 */
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};
enum { LEVEL_COUNT = sizeof(level_names) / sizeof(level_names[0]) };

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&current_level, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
    atomic_store_explicit(&current_format, (int)format, memory_order_relaxed);
}

bool log_level_parse(struct span word, enum log_level *ret_level)
{
    for (int i = 0; i < LEVEL_COUNT; i++) {
        if (span_equal_text(word, level_names[i])) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

const char *log_level_name(enum log_level level)
{
    CHECK((unsigned)level < LEVEL_COUNT);
    return level_names[level];
}

uint64_t log_dropped_lines(void)
{
    return atomic_load_explicit(&dropped_lines, memory_order_relaxed);
}

static bool write_line(struct span line)
{
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    /* A pipe that nobody reads any more says POLLOUT too, and would answer with a signal. */
    if (poll(&ready, 1, 0) != 1 || ready.revents != POLLOUT) {
        return false;
    }
    ssize_t written;
    do {
        written = write(STDERR_FILENO, line.at, line.length);
    } while (written < 0 && errno == EINTR);
    return written == (ssize_t)line.length;
}

static void output_line(struct span line)
{
    pthread_mutex_lock(&output);
    bool written = write_line(line);
    pthread_mutex_unlock(&output);
    if (!written) {
        atomic_fetch_add_explicit(&dropped_lines, 1, memory_order_relaxed);
    }
}

/* Text that a person can read back without quotes. */
static bool is_plain(struct span value)
{
    if (value.length == 0) {
        return false;
    }
    for (size_t i = 0; i < value.length; i++) {
        char byte = value.at[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '=' || byte == '\\') {
            return false;
        }
    }
    return true;
}

static void add_value(struct text *line, const struct log_field *field, enum log_format format)
{
    struct span value = span_cut(field->text, 0, LOG_VALUE_BYTES);
    if (field->is_number) {
        text_add_i64(line, field->number);
    } else if (format == LOG_FORMAT_TEXT && is_plain(value)) {
        text_add(line, value);
    } else {
        text_add_json(line, value);
    }
}

/* Adds a field whole or not at all. */
static void add_field(struct text *line, const struct log_field *field, enum log_format format)
{
    size_t start = line->length;
    if (line->truncated || field->name == NULL) {
        return;
    }
    if (format == LOG_FORMAT_JSON) {
        text_add_byte(line, ',');
        text_add_json(line, span_of(field->name));
        text_add_byte(line, ':');
    } else {
        text_add_byte(line, ' ');
        text_add_text(line, field->name);
        text_add_byte(line, '=');
    }
    add_value(line, field, format);
    if (line->truncated) {
        line->length = start;
    }
}

static void add_start(struct text *line, enum log_level level, const char *area,
                      struct span message, enum log_format format)
{
    char now[CLOCK_TEXT_BYTES];
    clock_format_wall(clock_wall_ns(), now);
    if (format == LOG_FORMAT_JSON) {
        text_printf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"area\":\"%s\",\"message\":", now,
                    log_level_name(level), area);
        text_add_json(line, message);
        return;
    }
    text_printf(line, "%s %s %s ", now, log_level_name(level), area);
    if (utf8_printable_prefix(message) == message.length) {
        text_add(line, message);
    } else {
        text_add_json(line, message);
    }
}

void log_write(enum log_level level, const char *area, const char *message,
               const struct log_field *fields, size_t count)
{
    enum log_format format =
        (enum log_format)atomic_load_explicit(&current_format, memory_order_relaxed);
    struct text line = {.limit = LOG_LINE_BYTES - LOG_TAIL_BYTES};
    add_start(&line, level, area, span_cut(span_of(message), 0, LOG_MESSAGE_BYTES), format);
    for (size_t i = 0; i < count; i++) {
        add_field(&line, &fields[i], format);
    }
    bool truncated = line.truncated;
    line.truncated = false;
    line.limit = LOG_LINE_BYTES;
    if (format == LOG_FORMAT_JSON) {
        text_add_text(&line, truncated ? ",\"truncated\":true}\n" : "}\n");
    } else {
        text_add_text(&line, truncated ? " truncated=true\n" : "\n");
    }
    output_line(text_span(&line));
    text_done(&line);
}

bool log_limit_pass(struct log_limit *limit)
{
    /* Second 0 is the state of a limit that was never asked. */
    int64_t second = clock_now_ns() / NS_PER_S + 1;
    if (second == limit->second) {
        limit->suppressed++;
        return false;
    }
    limit->second = second;
    limit->left_out = limit->suppressed;
    limit->suppressed = 0;
    return true;
}
