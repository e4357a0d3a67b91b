#include "proxy/observe/flight_recorder.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "proxy/observe/access_log.h"

static bool worth_keeping(const struct request_record *record)
{
    bool http = record->protocol <= RECORD_GRPC;
    return record->failure != FAILURE_NONE || record->status >= 500 ||
           (http && record->done_ns - record->opened_ns >= RECORDER_SLOW_MS * NS_PER_MS);
}

void flight_recorder_note(struct flight_recorder *recorder, const struct request_record *record)
{
    if (!worth_keeping(record)) {
        return;
    }
    struct text line = {0};
    line.limit = ACCESS_LOG_LINE_BYTES;
    access_log_line(record, false, clock_wall_ns(), &line);
    if (line.truncated) {
        text_done(&line);
        return;
    }
    mem_free(recorder->lines[recorder->next]);
    recorder->lines[recorder->next] = text_take(&line);
    recorder->next = (recorder->next + 1) % RECORDER_ENTRIES;
}

void flight_recorder_write(const struct flight_recorder *recorder, struct text *ret_json)
{
    const char *comma = "";
    text_add_byte(ret_json, '[');
    for (uint32_t i = 1; i <= RECORDER_ENTRIES; i++) {
        uint32_t at = (recorder->next + RECORDER_ENTRIES - i) % RECORDER_ENTRIES;
        if (recorder->lines[at] != NULL) {
            text_add_text(ret_json, comma);
            text_add_text(ret_json, recorder->lines[at]);
            comma = ",";
        }
    }
    text_add_byte(ret_json, ']');
}

void flight_recorder_done(struct flight_recorder *recorder)
{
    for (uint32_t i = 0; i < RECORDER_ENTRIES; i++) {
        mem_free(recorder->lines[i]);
        recorder->lines[i] = NULL;
    }
}
