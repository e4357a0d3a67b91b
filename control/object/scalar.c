#include "control/object/scalar.h"

#include "lib/base/duration.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static bool refuse(struct scalar_error *error, const char *text)
{
    snprintf(error->text, sizeof(error->text), "%s", text);
    return false;
}

static bool refuse_kind(struct scalar_error *error, const char *wanted)
{
    error->wanted = wanted;
    return false;
}

static bool text_decode(const struct field *field, const struct value *value, struct span *place,
                        struct scalar_error *error)
{
    if (value->kind != VALUE_STRING) {
        return refuse_kind(error, "a string");
    }
    int64_t most = field->most > 0 ? field->most : FIELD_TEXT_MOST;
    if ((int64_t)value->text.length > most || (int64_t)value->text.length < field->least) {
        snprintf(error->text, sizeof(error->text), "has %zu bytes, may have %lld to %lld",
                 value->text.length, (long long)field->least, (long long)most);
        return false;
    }
    const char *wrong = field->check != NULL ? field->check(value->text) : NULL;
    if (wrong != NULL) {
        return refuse(error, wrong);
    }
    *place = value->text;
    return true;
}

static bool word_decode(const struct field *field, const struct value *value, int8_t *place,
                        struct scalar_error *error)
{
    if (value->kind != VALUE_STRING) {
        return refuse_kind(error, "a string");
    }
    size_t used = (size_t)snprintf(error->text, sizeof(error->text), "must be one of");
    for (int8_t i = 0; field->words[i] != NULL; i++) {
        if (span_equal_text(value->text, field->words[i])) {
            *place = (int8_t)(i + 1);
            return true;
        }
        if (used < sizeof(error->text)) {
            used += (size_t)snprintf(error->text + used, sizeof(error->text) - used, "%s %s",
                                     i > 0 ? "," : "", field->words[i]);
        }
    }
    return false;
}

static bool parse_int(struct span text, int64_t *ret)
{
    bool negative = span_starts_with(text, SPAN("-"));
    if (negative || span_starts_with(text, SPAN("+"))) {
        text = span_cut(text, 1, text.length);
    }
    uint64_t number;
    if (!span_to_u64(text, INT64_MAX, &number)) {
        return false;
    }
    *ret = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

static bool in_range(const struct field *field, int64_t number, const char *unit,
                     struct scalar_error *error)
{
    bool bounded = field->least != 0 || field->most != 0;
    bool off = number == 0 && (field->flags & FIELD_ZERO) != 0;
    if (bounded && !off && (number < field->least || number > field->most)) {
        snprintf(error->text, sizeof(error->text), "must be %s%lld to %lld%s",
                 (field->flags & FIELD_ZERO) != 0 ? "0 or " : "", (long long)field->least,
                 (long long)field->most, unit);
        return false;
    }
    return true;
}

static bool int_decode(const struct field *field, const struct value *value, int64_t *place,
                       struct scalar_error *error)
{
    int64_t number;
    if (value->kind != VALUE_INT) {
        return refuse_kind(error, "a whole number");
    }
    if (!parse_int(value->text, &number)) {
        return refuse(error, "is too large a number");
    }
    if (!in_range(field, number, "", error)) {
        return false;
    }
    *place = number;
    return true;
}

static bool duration_decode(const struct field *field, const struct value *value, int64_t *place,
                            struct scalar_error *error)
{
    int64_t ms;
    if (value->kind != VALUE_STRING) {
        return refuse_kind(error, "a duration such as \"250ms\" or \"1h30m\"");
    }
    if (!duration_parse(value->text, &ms)) {
        return refuse(error, "must be a duration such as 250ms, 10s or 1h30m");
    }
    bool bounded = field->least != 0 || field->most != 0;
    bool off = ms == 0 && (field->flags & FIELD_ZERO) != 0;
    if (bounded && !off && (ms < field->least || ms > field->most)) {
        char least[32];
        char most[32];
        duration_format(field->least, least);
        duration_format(field->most, most);
        snprintf(error->text, sizeof(error->text), "must be %s%s to %s",
                 (field->flags & FIELD_ZERO) != 0 ? "0s or " : "", least, most);
        return false;
    }
    *place = ms;
    return true;
}

static bool bytes_decode(const struct field *field, const struct value *value, int64_t *place,
                         struct scalar_error *error)
{
    uint64_t bytes;
    if (value->kind != VALUE_STRING && value->kind != VALUE_INT) {
        return refuse_kind(error, "a quantity such as \"64Ki\"");
    }
    if (!quantity_parse(value->text, &bytes) || bytes > INT64_MAX) {
        return refuse(error, "must be a quantity such as 64Ki or 1Mi");
    }
    if (!in_range(field, (int64_t)bytes, " bytes", error)) {
        return false;
    }
    *place = (int64_t)bytes;
    return true;
}

static bool number_decode(const struct field *field, const struct value *value, double *place,
                          struct scalar_error *error)
{
    char text[64];
    if (value->kind != VALUE_INT && value->kind != VALUE_FLOAT) {
        return refuse_kind(error, "a number");
    }
    /* strtod's time grows with the digits: nobody needs more than these. */
    if (value->text.length >= sizeof(text)) {
        return refuse(error, "is too long a number");
    }
    snprintf(text, sizeof(text), "%.*s", SPAN_ARG(value->text));
    double number = strtod(text, NULL);
    double least = (double)field->least / 1000;
    double most = (double)field->most / 1000;
    if (!isfinite(number) || number < least || number > most) {
        snprintf(error->text, sizeof(error->text), "must be %g to %g", least, most);
        return false;
    }
    *place = number;
    return true;
}

static bool port_name_decode(const struct field *field, const struct value *value,
                             struct port_name *place, struct scalar_error *error)
{
    if (value->kind == VALUE_INT) {
        static const struct field port = {.least = 1, .most = 65535};
        return int_decode(&port, value, &place->number, error);
    }
    if (value->kind != VALUE_STRING) {
        return refuse_kind(error, "a port number or name");
    }
    const char *wrong = check_port_name(value->text);
    if (wrong != NULL) {
        return refuse(error, wrong);
    }
    *place = (struct port_name){.number = FIELD_UNSET, .name = value->text};
    return true;
}

bool scalar_parse_time(struct span text, int64_t *ret_s)
{
    struct tm parts = {0};
    char zero_ended[40];
    int used = 0;
    if (text.length >= sizeof(zero_ended) || !span_ends_with(text, SPAN("Z"))) {
        return false;
    }
    snprintf(zero_ended, sizeof(zero_ended), "%.*s", SPAN_ARG(text));
    if (sscanf(zero_ended, "%4d-%2d-%2dT%2d:%2d:%2d%n", &parts.tm_year, &parts.tm_mon,
               &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &used) != 6) {
        return false;
    }
    bool sane = parts.tm_year >= 1970 && parts.tm_mon >= 1 && parts.tm_mon <= 12 &&
                parts.tm_mday >= 1 && parts.tm_mday <= 31 && parts.tm_hour >= 0 &&
                parts.tm_hour <= 23 && parts.tm_min >= 0 && parts.tm_min <= 59 &&
                parts.tm_sec >= 0 && parts.tm_sec <= 60;
    if (!sane || (zero_ended[used] != 'Z' && zero_ended[used] != '.')) {
        return false;
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    *ret_s = (int64_t)timegm(&parts);
    return true;
}

static bool time_decode(const struct value *value, int64_t *place, struct scalar_error *error)
{
    /* A plain YAML time stamp is a string in the core schema. */
    if (value->kind != VALUE_STRING) {
        return refuse_kind(error, "a string");
    }
    if (!scalar_parse_time(value->text, place)) {
        return refuse(error, "must be a time such as 2026-01-02T03:04:05Z");
    }
    return true;
}

bool scalar_decode(const struct field *field, const struct value *value, void *place,
                   struct scalar_error *ret_error)
{
    switch ((enum field_type)field->type) {
    case FIELD_TEXT:
        return text_decode(field, value, place, ret_error);
    case FIELD_WORD:
        return word_decode(field, value, place, ret_error);
    case FIELD_BOOL:
        if (value->kind != VALUE_BOOL) {
            return refuse_kind(ret_error, "true or false");
        }
        *(int8_t *)place =
            value->text.at[0] == 't' || value->text.at[0] == 'T' ? CHOICE_YES : CHOICE_NO;
        return true;
    case FIELD_INT:
        return int_decode(field, value, place, ret_error);
    case FIELD_DURATION:
        return duration_decode(field, value, place, ret_error);
    case FIELD_BYTES:
        return bytes_decode(field, value, place, ret_error);
    case FIELD_TIME:
        return time_decode(value, place, ret_error);
    case FIELD_NUMBER:
        return number_decode(field, value, place, ret_error);
    case FIELD_PORT_NAME:
        return port_name_decode(field, value, place, ret_error);
    default:
        return refuse(ret_error, "is not a scalar");
    }
}
