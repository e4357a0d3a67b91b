#include "lib/xds/discovery_parts.h"

#include "google/protobuf/struct.pb-c.h"

#include <string.h>

static Pb__Struct *metadata_struct(struct arena *scratch, const struct xds_caller *caller)
{
    Pb__Struct *fields = wire_new(scratch, &pb__struct__descriptor);
    fields->n_fields = caller->metadata_count;
    fields->fields = ARENA_ARRAY(scratch, Pb__Struct__FieldsEntry *, caller->metadata_count);
    for (uint32_t i = 0; i < caller->metadata_count; i++) {
        Pb__Value *value = wire_new(scratch, &pb__value__descriptor);
        value->kind_case = PB__VALUE__KIND_STRING_VALUE;
        value->string_value = wire_string(scratch, caller->metadata[i].value);
        Pb__Struct__FieldsEntry *entry = wire_new(scratch, &pb__struct__fields_entry__descriptor);
        entry->key = wire_string(scratch, caller->metadata[i].name);
        entry->value = value;
        fields->fields[i] = entry;
    }
    return fields;
}

Core__Node *caller_write(struct arena *scratch, const struct xds_caller *caller)
{
    if (caller == NULL) {
        return NULL;
    }
    Core__Node *message = wire_new(scratch, &core__node__descriptor);
    message->id = wire_string(scratch, caller->id);
    message->cluster = wire_string(scratch, caller->cluster);
    message->metadata = metadata_struct(scratch, caller);
    message->locality = wire_new(scratch, &core__locality__descriptor);
    message->locality->region = wire_string(scratch, caller->region);
    message->locality->zone = wire_string(scratch, caller->zone);
    message->locality->sub_zone = wire_string(scratch, caller->sub_zone);
    message->user_agent_name = wire_string(scratch, caller->agent);
    if (caller->agent_version.length > 0) {
        message->user_agent_version_type_case =
            CORE__NODE__USER_AGENT_VERSION_TYPE_USER_AGENT_VERSION;
        message->user_agent_version = wire_string(scratch, caller->agent_version);
    }
    message->n_client_features = caller->feature_count;
    message->client_features = wire_strings(scratch, caller->features, caller->feature_count);
    return message;
}

static void metadata_texts(struct wire_reader *reader, const Pb__Struct *fields,
                           struct xds_caller *ret)
{
    struct xds_pair *pairs = ARENA_ARRAY(reader->arena, struct xds_pair, fields->n_fields);
    for (size_t i = 0; i < fields->n_fields; i++) {
        const Pb__Struct__FieldsEntry *entry = fields->fields[i];
        if (entry->value == NULL || entry->value->kind_case != PB__VALUE__KIND_STRING_VALUE) {
            continue;
        }
        pairs[ret->metadata_count].name = wire_text(reader, entry->key);
        pairs[ret->metadata_count].value = wire_text(reader, entry->value->string_value);
        ret->metadata_count++;
    }
    ret->metadata = pairs;
}

const struct xds_caller *caller_read(struct wire_reader *reader, const Core__Node *message)
{
    if (message == NULL) {
        return NULL;
    }
    struct xds_caller *caller = ARENA_NEW(reader->arena, struct xds_caller);
    caller->id = wire_text(reader, message->id);
    caller->cluster = wire_text(reader, message->cluster);
    if (message->locality != NULL) {
        caller->region = wire_text(reader, message->locality->region);
        caller->zone = wire_text(reader, message->locality->zone);
        caller->sub_zone = wire_text(reader, message->locality->sub_zone);
    }
    caller->agent = wire_text(reader, message->user_agent_name);
    if (message->user_agent_version_type_case ==
        CORE__NODE__USER_AGENT_VERSION_TYPE_USER_AGENT_VERSION) {
        caller->agent_version = wire_text(reader, message->user_agent_version);
    }
    if (message->metadata != NULL) {
        metadata_texts(reader, message->metadata, caller);
    }
    caller->features = wire_texts(reader, message->client_features, message->n_client_features);
    caller->feature_count = wire_count(message->n_client_features);
    return caller;
}

struct span xds_caller_metadata(const struct xds_caller *caller, const char *name)
{
    for (uint32_t i = 0; caller != NULL && i < caller->metadata_count; i++) {
        if (span_equal_text(caller->metadata[i].name, name)) {
            return caller->metadata[i].value;
        }
    }
    return SPAN_EMPTY;
}
