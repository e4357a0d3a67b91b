#include "proxy/discovery/state_file.h"

#include <string.h>

/* A new kind of resource needs no new version: its records are unknown to older programs. */
enum {
    MAGIC_BYTES = 8,
    HEAD_BYTES = MAGIC_BYTES + 4 + 8,
    MARK_BYTES = 4,
    TYPE_BYTES = 8,
    FRONT_BYTES = MARK_BYTES + TYPE_BYTES + 3 * 4 + 8,
    FOOT_BYTES = MARK_BYTES + 8 + 8,
    SUM_BYTES = 8,
};

static const struct span magic = SPAN("REMORALG");
static const struct span record_mark = SPAN("\x1eREC");
static const struct span foot_mark = SPAN("\x1e"
                                          "END");

static void add_number(struct text *to, uint64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        text_add_byte(to, (char)(number >> (8 * i)));
    }
}

static uint64_t number_at(struct span from, size_t at, unsigned bytes)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < bytes; i++) {
        number |= (uint64_t)(uint8_t)from.at[at + i] << (8 * i);
    }
    return number;
}

/* The sum of what was added from there on. */
static void add_sum(struct text *to, size_t from)
{
    add_number(to, span_hash(span_make(to->bytes + from, to->length - from), 0), SUM_BYTES);
}

static bool sum_fits(struct span file, size_t from, size_t to)
{
    return number_at(file, to, SUM_BYTES) == span_hash(span_cut(file, from, to), 0);
}

void state_file_begin(struct text *file)
{
    text_add(file, magic);
    add_number(file, STATE_FILE_VERSION, 4);
    add_sum(file, 0);
}

void state_file_add(struct text *file, const struct state_record *record)
{
    size_t begin = file->length;
    char type[TYPE_BYTES] = {0};
    const char *name = xds_type_short(record->type);
    memcpy(type, name, strnlen(name, sizeof type));
    text_add(file, record_mark);
    text_add(file, span_make(type, sizeof type));
    add_number(file, record->name.length, 4);
    add_number(file, record->version.length, 4);
    add_number(file, record->bytes.length, 4);
    add_sum(file, begin);
    size_t content = file->length;
    text_add(file, record->name);
    text_add(file, record->version);
    text_add(file, record->bytes);
    add_sum(file, content);
}

void state_file_end(struct text *file, uint64_t records)
{
    text_add(file, foot_mark);
    add_number(file, records, 8);
    add_sum(file, 0);
}

bool state_reader_begin(struct state_reader *reader, struct span file)
{
    *reader = (struct state_reader){.file = file, .at = HEAD_BYTES};
    return file.length >= HEAD_BYTES && span_starts_with(file, magic) &&
           sum_fits(file, 0, HEAD_BYTES - SUM_BYTES) &&
           number_at(file, MAGIC_BYTES, 4) == STATE_FILE_VERSION;
}

static bool type_of(struct span name, enum xds_type *ret)
{
    name.length = strnlen(name.at, name.length);
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        if (span_equal_text(name, xds_type_short((enum xds_type)type))) {
            *ret = (enum xds_type)type;
            return true;
        }
    }
    return false;
}

static bool marked(const struct state_reader *reader, struct span mark, size_t bytes)
{
    struct span rest = span_cut(reader->file, reader->at, reader->file.length);
    return rest.length >= bytes && span_starts_with(rest, mark);
}

static bool front_fits(const struct state_reader *reader)
{
    return marked(reader, record_mark, FRONT_BYTES) &&
           sum_fits(reader->file, reader->at, reader->at + FRONT_BYTES - SUM_BYTES);
}

static bool foot_fits(const struct state_reader *reader)
{
    return reader->at + FOOT_BYTES == reader->file.length &&
           marked(reader, foot_mark, FOOT_BYTES) &&
           sum_fits(reader->file, 0, reader->at + FOOT_BYTES - SUM_BYTES);
}

/* To the next place where a record or the foot begins; the end of the file when there is none. */
static void skip_broken(struct state_reader *reader)
{
    reader->discarded++;
    do {
        reader->at++;
        struct span rest = span_cut(reader->file, reader->at, reader->file.length);
        reader->at += span_find_byte(rest, record_mark.at[0]);
    } while (reader->at < reader->file.length && !front_fits(reader) && !foot_fits(reader));
}

/* A record whose front is good. False when its content is not. */
static bool take(struct state_reader *reader, struct state_record *ret)
{
    struct span file = reader->file;
    size_t front = reader->at;
    size_t lengths = front + MARK_BYTES + TYPE_BYTES;
    size_t name = (size_t)number_at(file, lengths, 4);
    size_t version = (size_t)number_at(file, lengths + 4, 4);
    size_t bytes = (size_t)number_at(file, lengths + 8, 4);
    size_t content = front + FRONT_BYTES;
    size_t length = name + version + bytes;
    if (length > file.length - content || file.length - content - length < SUM_BYTES) {
        reader->at = file.length; /* cut off */
        return false;
    }
    reader->at = content + length + SUM_BYTES;
    ret->name = span_cut(file, content, content + name);
    ret->version = span_cut(file, content + name, content + name + version);
    ret->bytes = span_cut(file, content + name + version, content + length);
    return sum_fits(file, content, content + length) &&
           type_of(span_cut(file, front + MARK_BYTES, lengths), &ret->type);
}

bool state_reader_next(struct state_reader *reader, struct state_record *ret)
{
    while (reader->at < reader->file.length) {
        if (front_fits(reader)) {
            if (take(reader, ret)) {
                reader->records++;
                return true;
            }
            reader->discarded++;
        } else if (foot_fits(reader)) {
            reader->whole = reader->discarded == 0;
            reader->at = reader->file.length;
        } else {
            skip_broken(reader);
        }
    }
    return false;
}
