#ifndef REMORA_CONTROL_CLI_TABLE_H
#define REMORA_CONTROL_CLI_TABLE_H

#include "lib/base/text.h"

/*
 * Columns for people: the first row is the heading; each column is as wide as its widest cell, but
 * no wider than TABLE_CELL_BYTES; numbers to the right where the heading begins with '>'. Control
 * bytes of what others named are shown as '?'.
 */
enum { TABLE_COLUMNS = 12, TABLE_CELL_BYTES = 120 };

struct table {
    char **cells;
    size_t count, capacity;
    size_t columns;
    bool right[TABLE_COLUMNS];
};

/* Headings end with NULL. */
void table_init(struct table *table, const char *const *headings);
void table_done(struct table *table);
/* The next cell; a row is full when all columns have one. */
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_write(const struct table *table, struct text *into);

/* "3d4h", "12m", "5s"; negative: "ended". into: 16 bytes. */
void age_write(int64_t seconds, char *into);

#endif
