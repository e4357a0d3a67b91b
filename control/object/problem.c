#include "control/object/problem.h"

#include "control/object/message.h"
#include "lib/base/memory.h"

void problems_init(struct problems *problems, struct span file)
{
    *problems = (struct problems){.file = mem_text(file.at, file.length)};
}

void problems_cut(struct problems *problems, size_t keep)
{
    while (problems->count > keep) {
        struct problem *last = &problems->items[--problems->count];
        problems->errors -= last->warning ? 0 : 1;
        mem_free(last->object);
        mem_free(last->field);
        mem_free(last->text);
    }
}

void problems_done(struct problems *problems)
{
    problems_cut(problems, 0);
    mem_free(problems->items);
    mem_free(problems->file);
    *problems = (struct problems){0};
}

__attribute__((format(printf, 5, 0))) static void add(struct problems *problems,
                                                      const struct problem *place,
                                                      struct span object, struct span field,
                                                      const char *format, va_list arguments)
{
    problems->errors += place->warning ? 0 : 1;
    if (problems->count == PROBLEMS_KEPT) {
        problems->left_out++;
        return;
    }
    struct text text = {0};
    text_vprintf(&text, format, arguments);
    mem_grow(&problems->items, &problems->capacity, problems->count + 1,
             sizeof(problems->items[0]));
    problems->items[problems->count++] = (struct problem){
        .line = place->line,
        .warning = place->warning,
        .object = message_of(object, PROBLEM_TEXT_BYTES),
        .field = message_of(field, PROBLEM_TEXT_BYTES),
        .text = message_take(&text, PROBLEM_TEXT_BYTES),
    };
}

void problems_add(struct problems *problems, uint32_t line, struct span object, struct span field,
                  const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(problems, &(struct problem){.line = line}, object, field, format, arguments);
    va_end(arguments);
}

void problems_warn(struct problems *problems, uint32_t line, struct span object, struct span field,
                   const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(problems, &(struct problem){.line = line, .warning = true}, object, field, format,
        arguments);
    va_end(arguments);
}

void problem_format(const struct problems *problems, const struct problem *problem,
                    struct text *into)
{
    text_add_text(into, problems->file);
    if (problem->line > 0) {
        text_printf(into, ":%u", problem->line);
    }
    if (into->length > 0) {
        text_add_text(into, ": ");
    }
    if (problem->object[0] != '\0') {
        text_printf(into, "%s: ", problem->object);
    }
    if (problem->field[0] != '\0') {
        text_printf(into, "%s: ", problem->field);
    }
    text_add_text(into, problem->text);
}
