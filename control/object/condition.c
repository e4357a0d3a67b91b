#include "control/object/condition.h"

#include "control/object/message.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <stdio.h>
#include <string.h>

/* metav1.Condition allows 32768; nobody reads more than this. */
enum { MESSAGE_BYTES = 2048 };

void conditions_clear(struct conditions *conditions)
{
    for (uint32_t i = 0; i < conditions->count; i++) {
        mem_free(conditions->items[i].message);
    }
    conditions->count = 0;
}

void conditions_done(struct conditions *conditions)
{
    conditions_clear(conditions);
    mem_free(conditions->items);
    *conditions = (struct conditions){0};
}

static struct condition *find(const struct conditions *conditions, int part,
                              enum condition_type type)
{
    for (uint32_t i = 0; i < conditions->count; i++) {
        if (conditions->items[i].part == part && conditions->items[i].type == type) {
            return &conditions->items[i];
        }
    }
    return NULL;
}

const struct condition *conditions_get(const struct conditions *conditions, int part,
                                       enum condition_type type)
{
    return find(conditions, part, type);
}

static struct condition *add(struct conditions *conditions, int part, enum condition_type type)
{
    size_t capacity = conditions->capacity;
    mem_grow(&conditions->items, &capacity, conditions->count + 1, sizeof(conditions->items[0]));
    conditions->capacity = (uint32_t)capacity;
    struct condition *condition = &conditions->items[conditions->count++];
    *condition = (struct condition){.part = (int16_t)part, .type = (uint8_t)type};
    return condition;
}

bool conditions_set(struct conditions *conditions, int part, enum condition_type type, bool holds,
                    const char *reason, const char *format, ...)
{
    struct text text = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vprintf(&text, format, arguments);
    va_end(arguments);
    char *message = message_take(&text, MESSAGE_BYTES);
    struct condition *condition = find(conditions, part, type);
    if (condition != NULL && condition->holds == holds && strcmp(condition->reason, reason) == 0 &&
        strcmp(message, condition->message) == 0) {
        mem_free(message);
        return false;
    }
    bool flipped = condition == NULL || condition->holds != holds;
    if (condition == NULL) {
        condition = add(conditions, part, type);
    }
    mem_free(condition->message);
    condition->message = message;
    condition->holds = holds;
    condition->reason = reason;
    condition->since_s = flipped ? clock_wall_ns() / NS_PER_S : condition->since_s;
    condition->is_news = conditions->has_news = true;
    return true;
}

struct span condition_field(enum kind kind, const struct condition *condition, char *into)
{
    if (condition->part == CONDITION_OF_OBJECT || condition->type != CONDITION_ACCEPTED) {
        return SPAN_EMPTY;
    }
    int length = snprintf(into, CONDITION_FIELD_BYTES, "spec.%s[%d]",
                          kind_is_route(kind) ? "parentRefs" : "targetRefs", condition->part);
    return span_make(into, (size_t)length);
}

const char *condition_type_name(uint8_t type)
{
    static const char *const names[CONDITION_TYPES] = {"Accepted", "ResolvedRefs", "Programmed"};
    return names[type];
}
