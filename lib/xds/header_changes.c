#include "lib/xds/wire_parts.h"

#include "lib/base/text.h"

#include <string.h>

/* Envoy takes "%NAME%" in a value as a command; a plain percent sign is written twice. */
static char *value_write(struct arena *scratch, struct span value)
{
    struct text text = {0};
    for (size_t i = 0; i < value.length; i++) {
        text_add_byte(&text, value.at[i]);
        if (value.at[i] == '%') {
            text_add_byte(&text, '%');
        }
    }
    char *written = wire_string(scratch, text_span(&text));
    text_done(&text);
    return written;
}

static bool value_read(struct wire_reader *reader, struct span value, struct span *ret)
{
    char *plain = arena_alloc(reader->arena, value.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < value.length; i++) {
        if (value.at[i] == '%' && (i + 1 == value.length || value.at[++i] != '%')) {
            return wire_fail(reader, "value: \"%.*s\" has a command, which is not supported",
                             SPAN_ARG(value));
        }
        plain[length++] = value.at[i];
    }
    *ret = span_make(plain, length);
    return true;
}

struct header_lists header_changes_write(struct arena *scratch,
                                         const struct xds_header_changes *changes)
{
    struct header_lists lists = {
        .add = ARENA_ARRAY(scratch, Core__HeaderValueOption *, changes->count),
        .remove = ARENA_ARRAY(scratch, char *, changes->count),
    };
    for (uint32_t i = 0; i < changes->count; i++) {
        const struct xds_header_change *change = &changes->items[i];
        if (change->action == XDS_HEADER_REMOVE) {
            lists.remove[lists.n_remove++] = wire_string(scratch, change->name);
            continue;
        }
        Core__HeaderValueOption *option = wire_new(scratch, &core__header_value_option__descriptor);
        option->header = wire_new(scratch, &core__header_value__descriptor);
        option->header->key = wire_string(scratch, change->name);
        option->header->value = value_write(scratch, change->value);
        option->append_action =
            change->action == XDS_HEADER_ADD
                ? CORE__HEADER_VALUE_OPTION__HEADER_APPEND_ACTION__APPEND_IF_EXISTS_OR_ADD
                : CORE__HEADER_VALUE_OPTION__HEADER_APPEND_ACTION__OVERWRITE_IF_EXISTS_OR_ADD;
        option->keep_empty_value = change->value.length == 0;
        lists.add[lists.n_add++] = option;
    }
    return lists;
}

/* RFC 9110 5.1: a token. Pseudo-headers and what frames a message cannot be changed. */
static bool name_check(struct wire_reader *reader, const char *name)
{
    static const char punctuation[] = "!#$%&'*+-.^_`|~";
    for (const char *at = name; *at != '\0'; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');
        bool digit = *at >= '0' && *at <= '9';
        if (!letter && !digit && strchr(punctuation, *at) == NULL) {
            return wire_fail(reader, "header.key: \"%s\" is not a header name", name);
        }
    }
    return name[0] != '\0' || wire_fail(reader, "header.key: empty");
}

static bool action_read(struct wire_reader *reader, const Core__HeaderValueOption *option,
                        uint8_t *ret)
{
    switch (option->append_action) {
    case CORE__HEADER_VALUE_OPTION__HEADER_APPEND_ACTION__APPEND_IF_EXISTS_OR_ADD:
        /* The older field, which says false for "set". */
        *ret = option->append != NULL && !option->append->value ? XDS_HEADER_SET : XDS_HEADER_ADD;
        return true;
    case CORE__HEADER_VALUE_OPTION__HEADER_APPEND_ACTION__OVERWRITE_IF_EXISTS_OR_ADD:
        *ret = XDS_HEADER_SET;
        return true;
    default:
        return wire_fail(reader, "append_action: %d is not supported", (int)option->append_action);
    }
}

static bool option_read(struct wire_reader *reader, const Core__HeaderValueOption *option,
                        struct xds_header_change *ret)
{
    const Core__HeaderValue *header = option->header;
    if (header == NULL) {
        return wire_fail(reader, "header: missing");
    }
    struct span value = header->raw_value.len > 0
                            ? span_make(header->raw_value.data, header->raw_value.len)
                            : span_of(header->value);
    if (!name_check(reader, header->key)) {
        return false;
    }
    for (size_t i = 0; i < value.length; i++) {
        unsigned char byte = (unsigned char)value.at[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f) {
            return wire_fail(reader, "header.value: a control byte in it");
        }
    }
    ret->name = wire_text(reader, header->key);
    return action_read(reader, option, &ret->action) && value_read(reader, value, &ret->value);
}

/* Envoy removes before it adds, so removals come first. */
bool header_changes_read(struct wire_reader *reader, const char *field, struct header_lists lists,
                         struct xds_header_changes *ret)
{
    struct xds_header_change *items =
        ARENA_ARRAY(reader->arena, struct xds_header_change, lists.n_remove + lists.n_add);
    size_t count = 0;
    for (size_t i = 0; i < lists.n_remove; i++) {
        if (!name_check(reader, lists.remove[i])) {
            return false;
        }
        items[count].action = XDS_HEADER_REMOVE;
        items[count++].name = wire_text(reader, lists.remove[i]);
    }
    for (size_t i = 0; i < lists.n_add; i++) {
        size_t path = wire_enter(reader, field, (long)i);
        /* An empty value without keep_empty_value: Envoy leaves the field out. */
        const Core__HeaderValueOption *option = lists.add[i];
        bool dropped = option->header != NULL && option->header->value[0] == '\0' &&
                       option->header->raw_value.len == 0 && !option->keep_empty_value;
        if (!option_read(reader, option, &items[count])) {
            return false;
        }
        count += dropped ? 0 : 1;
        wire_leave(reader, path);
    }
    *ret = (struct xds_header_changes){items, wire_count(count)};
    return true;
}
