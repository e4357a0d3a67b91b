#ifndef REMORA_CONTROL_OBJECT_PROBLEM_H
#define REMORA_CONTROL_OBJECT_PROBLEM_H

#include "lib/base/text.h"

/*
 * What is wrong with a file or an object, for the person who wrote it. A list keeps at most
 * PROBLEMS_KEPT of them and counts the rest, so that a hostile file cannot fill memory.
 */
enum { PROBLEMS_KEPT = 64, PROBLEM_TEXT_BYTES = 512 };

struct problem {
    uint32_t line; /* 0 = of the whole file */
    bool warning;  /* the object is in force nevertheless, or was not meant for Remora */
    char *object;  /* "HTTPRoute shop/api"; "" when unknown */
    char *field;   /* "spec.rules[0].timeouts.request"; "" when it is the whole object */
    char *text;
};

struct problems {
    char *file; /* path as the source names it; "" = none */
    struct problem *items;
    size_t count;
    size_t capacity;
    size_t left_out;
    size_t errors; /* those that are no warnings, left out ones too */
};

/* file is copied. */
void problems_init(struct problems *problems, struct span file);
void problems_done(struct problems *problems);
void problems_add(struct problems *problems, uint32_t line, struct span object, struct span field,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));
void problems_warn(struct problems *problems, uint32_t line, struct span object, struct span field,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Drops all but the first `keep` of those that are kept. */
void problems_cut(struct problems *problems, size_t keep);
/* "shop.yaml:12: HTTPRoute shop/api: spec.rules[0].name: ..." */
void problem_format(const struct problems *problems, const struct problem *problem,
                    struct text *into);

#endif
