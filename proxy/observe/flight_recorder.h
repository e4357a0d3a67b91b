#ifndef REMORA_PROXY_OBSERVE_FLIGHT_RECORDER_H
#define REMORA_PROXY_OBSERVE_FLIGHT_RECORDER_H

#include "lib/base/text.h"
#include "proxy/observe/request_record.h"

/*
 * The last requests that were slow, failed or answered here, as finished JSON lines in a fixed
 * ring: what happened at 3 a.m. can be read without having had a log switched on.
 */
enum { RECORDER_ENTRIES = 256, RECORDER_SLOW_MS = 1000 };

struct flight_recorder {
    char *lines[RECORDER_ENTRIES]; /* NULL = free */
    uint32_t next;
};

/* Keeps it when it is worth keeping. */
void flight_recorder_note(struct flight_recorder *recorder, const struct request_record *record);
/* A JSON list, newest first. */
void flight_recorder_write(const struct flight_recorder *recorder, struct text *ret_json);
void flight_recorder_done(struct flight_recorder *recorder);

#endif
