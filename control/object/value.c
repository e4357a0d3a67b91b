#include "control/object/value.h"

static bool is_digits(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') {
            return false;
        }
    }
    return text.length > 0;
}

static struct span without_sign(struct span text)
{
    bool has = text.length > 0 && (text.at[0] == '-' || text.at[0] == '+');
    return span_cut(text, has ? 1 : 0, text.length);
}

/* YAML 1.2.2, 10.3.2: [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_float(struct span text)
{
    text = without_sign(text);
    size_t whole = 0;
    while (whole < text.length && text.at[whole] >= '0' && text.at[whole] <= '9') {
        whole++;
    }
    struct span rest = span_cut(text, whole, text.length);
    size_t fraction = 0;
    if (span_starts_with(rest, SPAN("."))) {
        rest = span_cut(rest, 1, rest.length);
        while (fraction < rest.length && rest.at[fraction] >= '0' && rest.at[fraction] <= '9') {
            fraction++;
        }
        rest = span_cut(rest, fraction, rest.length);
    }
    if (whole + fraction == 0) {
        return false;
    }
    if (rest.length > 0 && (rest.at[0] == 'e' || rest.at[0] == 'E')) {
        return is_digits(without_sign(span_cut(rest, 1, rest.length)));
    }
    return rest.length == 0;
}

static bool is_one_of(struct span text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (span_equal_text(text, *words)) {
            return true;
        }
    }
    return false;
}

enum value_kind value_kind_of_plain(struct span text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
    static const char *const odd[] = {".inf",  ".Inf", ".INF", "-.inf", "-.Inf",
                                      "-.INF", ".nan", ".NaN", ".NAN",  NULL};
    if (is_one_of(text, nulls)) {
        return VALUE_NULL;
    }
    if (is_one_of(text, bools)) {
        return VALUE_BOOL;
    }
    if (is_digits(without_sign(text))) {
        return VALUE_INT;
    }
    if (is_one_of(text, odd) || is_float(text)) {
        return VALUE_FLOAT;
    }
    return VALUE_STRING;
}

const struct value *value_member(const struct value *map, struct span key)
{
    if (map->kind != VALUE_MAP) {
        return NULL;
    }
    for (const struct value *member = map->children; member != NULL; member = member->next) {
        if (span_equal(member->key, key)) {
            return member;
        }
    }
    return NULL;
}

const char *value_kind_name(uint8_t kind)
{
    static const char *const names[] = {"null",     "true or false", "a whole number", "a number",
                                        "a string", "a list",        "a map"};
    return names[kind];
}

/* The tree is at most VALUE_DEPTH deep. */
uint64_t value_hash(const struct value *value)
{
    uint64_t parts[4] = {value->kind, span_hash(value->key, 1), span_hash(value->text, 2),
                         value->count};
    uint64_t hash = span_hash(span_make(parts, sizeof(parts)), 3);
    for (const struct value *child = value->children; child != NULL; child = child->next) {
        uint64_t pair[2] = {hash, value_hash(child)};
        hash = span_hash(span_make(pair, sizeof(pair)), 4);
    }
    return hash;
}
