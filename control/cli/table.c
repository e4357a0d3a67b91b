#include "control/cli/table.h"

#include "lib/base/memory.h"

#include <stdio.h>
#include <string.h>

static void add(struct table *table, char *cell)
{
    for (char *at = cell; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 127) {
            *at = '?';
        }
    }
    mem_grow(&table->cells, &table->capacity, table->count + 1, sizeof(table->cells[0]));
    table->cells[table->count++] = cell;
}

void table_init(struct table *table, const char *const *headings)
{
    *table = (struct table){0};
    for (size_t i = 0; headings[i] != NULL && i < TABLE_COLUMNS; i++) {
        table->right[i] = headings[i][0] == '>';
        add(table, mem_strdup(headings[i] + table->right[i]));
        table->columns++;
    }
}

void table_done(struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        mem_free(table->cells[i]);
    }
    mem_free(table->cells);
}

void table_add(struct table *table, const char *format, ...)
{
    char cell[TABLE_CELL_BYTES + 1];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cell, sizeof(cell), format, arguments);
    va_end(arguments);
    add(table, mem_strdup(cell[0] != '\0' ? cell : "-"));
}

/* Characters, not bytes: UTF-8 continuation bytes take no place. */
static int width_of(const char *cell)
{
    int width = 0;
    for (; *cell != '\0'; cell++) {
        width += ((unsigned char)*cell & 0xc0) != 0x80;
    }
    return width;
}

static void write_cell(const struct table *table, size_t at, int width, struct text *into)
{
    size_t column = at % table->columns;
    const char *cell = table->cells[at];
    bool is_last = column + 1 == table->columns;
    int padding = width - width_of(cell);
    if (table->right[column]) {
        text_printf(into, "%*s%s", padding, "", cell);
    } else {
        text_printf(into, "%s%*s", cell, is_last ? 0 : padding, "");
    }
    text_add_text(into, is_last ? "\n" : "  ");
}

void table_write(const struct table *table, struct text *into)
{
    int widths[TABLE_COLUMNS] = {0};
    for (size_t i = 0; i < table->count; i++) {
        int width = width_of(table->cells[i]);
        if (width > widths[i % table->columns]) {
            widths[i % table->columns] = width;
        }
    }
    for (size_t i = 0; i < table->count; i++) {
        write_cell(table, i, widths[i % table->columns], into);
    }
}

void age_write(int64_t seconds, char *into)
{
    enum { INTO = 16, DAY = 86400, HOUR = 3600, MINUTE = 60 };
    if (seconds < 0) {
        snprintf(into, INTO, "ended");
    } else if (seconds >= DAY) {
        snprintf(into, INTO, "%dd%dh", (int)(seconds / DAY), (int)(seconds % DAY / HOUR));
    } else if (seconds >= HOUR) {
        snprintf(into, INTO, "%dh%dm", (int)(seconds / HOUR), (int)(seconds % HOUR / MINUTE));
    } else if (seconds >= MINUTE) {
        snprintf(into, INTO, "%dm%ds", (int)(seconds / MINUTE), (int)(seconds % MINUTE));
    } else {
        snprintf(into, INTO, "%ds", (int)seconds);
    }
}
