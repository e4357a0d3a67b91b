#include "tests/unit/lib/stats/prometheus_text.h"

#include "lib/base/map.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct map samples;  /* name and labels seen */
    struct map families; /* names of TYPE lines */
    struct span family;  /* of the last TYPE line */
    bool histogram;
    double bucket; /* of the last bucket line */
    double infinity;
    int count;
};

static bool fault(const char *why, struct span line)
{
    fprintf(stderr, "%s: %.*s\n", why, SPAN_ARG(line));
    return false;
}

static size_t name_length(struct span text)
{
    size_t i = 0;
    while (i < text.length && (text.at[i] == '_' || (text.at[i] >= 'a' && text.at[i] <= 'z') ||
                               (text.at[i] >= 'A' && text.at[i] <= 'Z') ||
                               (i > 0 && text.at[i] >= '0' && text.at[i] <= '9'))) {
        i++;
    }
    return i;
}

/* The quoted value at the front; 0 when it is none. */
static size_t quoted_length(struct span text)
{
    size_t i = 1;
    if (text.length == 0 || text.at[0] != '"') {
        return 0;
    }
    while (i < text.length && text.at[i] != '"') {
        if (text.at[i] == '\\' && (i + 1 == text.length || strchr("\\\"n", text.at[++i]) == NULL)) {
            return 0;
        }
        i++;
    }
    return i < text.length ? i + 1 : 0;
}

/* The braces and all between them; 0 when malformed. */
static size_t labels_length(struct span text)
{
    size_t at = 1;
    for (;;) {
        size_t name = name_length(span_cut(text, at, text.length));
        at += name;
        if (name == 0 || at >= text.length || text.at[at] != '=') {
            return 0;
        }
        size_t value = quoted_length(span_cut(text, at + 1, text.length));
        at += 1 + value;
        if (value == 0 || at >= text.length) {
            return 0;
        }
        if (text.at[at++] == '}') {
            return at;
        }
    }
}

static bool read_type(struct reader *reader, struct span line)
{
    struct span rest = span_cut(line, strlen("# TYPE "), line.length);
    struct span name;
    if (!span_next(&rest, ' ', &name)) {
        return fault("no name", line);
    }
    if (map_put(&reader->families, name, reader) != NULL) {
        return fault("a second TYPE", line);
    }
    reader->family = name;
    reader->histogram = span_equal(rest, SPAN("histogram"));
    reader->bucket = 0;
    return reader->histogram || span_equal(rest, SPAN("counter")) ||
           span_equal(rest, SPAN("gauge")) || fault("unknown type", line);
}

static bool check_histogram(struct reader *reader, struct span suffix, struct span labels,
                            double value, struct span line)
{
    if (span_equal(suffix, SPAN("_bucket"))) {
        if (value < reader->bucket) {
            return fault("buckets fall", line);
        }
        bool last = span_find(labels, SPAN("le=\"+Inf\"")) < labels.length;
        reader->bucket = last ? 0 : value;
        reader->infinity = last ? value : -1;
        return span_find(labels, SPAN("le=\"")) < labels.length || fault("no le", line);
    }
    if (span_equal(suffix, SPAN("_count"))) {
        return value == reader->infinity || fault("the count is not the +Inf bucket", line);
    }
    return span_equal(suffix, SPAN("_sum")) || fault("not of a histogram", line);
}

static bool read_sample(struct reader *reader, struct span line)
{
    size_t name = name_length(line);
    size_t labels = 0;
    if (name == 0) {
        return fault("no name", line);
    }
    if (name < line.length && line.at[name] == '{') {
        labels = labels_length(span_cut(line, name, line.length));
        if (labels == 0) {
            return fault("malformed labels", line);
        }
    }
    struct span number = span_cut(line, name + labels, line.length);
    char *end = NULL;
    char *copy = mem_text(number.at, number.length);
    double value = strtod(copy + 1, &end);
    bool valid = number.length > 1 && copy[0] == ' ' && copy[1] != ' ' && *end == '\0';
    mem_free(copy);
    if (!valid) {
        return fault("malformed number", line);
    }
    if (map_put(&reader->samples, span_cut(line, 0, name + labels), reader) != NULL) {
        return fault("given twice", line);
    }
    if (!span_starts_with(span_cut(line, 0, name), reader->family)) {
        return fault("not of the last TYPE", line);
    }
    reader->count++;
    struct span suffix = span_cut(line, reader->family.length, name);
    if (reader->histogram) {
        return check_histogram(reader, suffix, span_cut(line, name, name + labels), value, line);
    }
    return suffix.length == 0 || fault("not of the last TYPE", line);
}

static bool read_line(struct reader *reader, struct span line)
{
    if (!utf8_valid(line)) {
        return fault("not UTF-8", line);
    }
    if (span_starts_with(line, SPAN("# TYPE "))) {
        return read_type(reader, line);
    }
    if (span_starts_with(line, SPAN("# HELP "))) {
        return true;
    }
    return read_sample(reader, line);
}

int prometheus_text_check(const char *text)
{
    struct reader reader = {.count = 0};
    struct span rest = span_of(text);
    struct span line;
    bool valid = rest.length > 0 && rest.at[rest.length - 1] == '\n';
    /* Only the end of the last line is an empty piece. */
    while (valid && span_next(&rest, '\n', &line)) {
        valid = (line.length == 0 && rest.at == NULL) || read_line(&reader, line);
    }
    map_done(&reader.samples);
    map_done(&reader.families);
    return valid ? reader.count : -1;
}
