#include "lib/stats/declaration.h"

static const char *const kind_names[] = {"counter", "gauge", "histogram"};
static const char *const unit_names[] = {"", "bytes", "ms", "s", "ratio"};

const char *stats_kind_name(enum stats_kind kind)
{
    return kind_names[kind];
}

void stats_declaration_table(const struct stats_declaration *declarations, size_t count,
                             struct text *text)
{
    text_add_text(text, "| name | kind | unit | labels | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        const struct stats_declaration *one = &declarations[i];
        text_printf(text, "| `%s` | %s | %s | ", one->name, kind_names[one->kind],
                    unit_names[one->unit]);
        struct span rest = one->labels[0] != '\0' ? span_of(one->labels) : SPAN_EMPTY;
        struct span label;
        bool first = true;
        while (span_next(&rest, ',', &label)) {
            text_printf(text, first ? "%.*s" : ", %.*s", SPAN_ARG(label));
            first = false;
        }
        text_printf(text, " | %s |\n", one->help);
    }
}
