#ifndef REMORA_PROXY_DISCOVERY_STATE_FILE_H
#define REMORA_PROXY_DISCOVERY_STATE_FILE_H

#include "lib/base/text.h"
#include "lib/xds/xds_type.h"

/*
 * The format of last known good: what a file of resources looks like, apart from where it lies.
 *
 *   head      "REMORALG", format version, XXH64 of the head
 *   record*   mark, kind of resource, three lengths, XXH64 of those; name, version, bytes; XXH64
 *   foot      mark, number of records, XXH64 of all before
 *
 * All numbers are little-endian. A record whose lengths are good and whose content is not is passed
 * over; where the lengths are not, reading goes on at the next good mark. So a file that was cut
 * off or damaged gives what is whole in it.
 */
enum { STATE_FILE_VERSION = 1, STATE_FILE_BYTES = 256 * 1024 * 1024 };

struct state_record {
    enum xds_type type;
    struct span name;
    struct span version;
    struct span bytes;
};

void state_file_begin(struct text *file);
void state_file_add(struct text *file, const struct state_record *record);
void state_file_end(struct text *file, uint64_t records);

struct state_reader {
    struct span file;
    size_t at;
    uint64_t records;   /* given out */
    uint64_t discarded; /* parts that were broken */
    bool whole;         /* the foot was there and fitted */
};

/* False when it is no such file, or of another version. */
bool state_reader_begin(struct state_reader *reader, struct span file);
/* The next good record; its spans point into the file. */
bool state_reader_next(struct state_reader *reader, struct state_record *ret);

#endif
