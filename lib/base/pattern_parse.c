#include "lib/base/pattern_tree.h"

#include <string.h>

struct parser {
    struct span rest;
    struct arena *arena;
    const char *reason; /* NULL = good so far */
    unsigned depth;
    bool fold; /* letters in any case */
};

static struct pattern_node *parse_choice(struct parser *parser);

/* Always false. The first reason is the one that is told. */
static bool refuse(struct parser *parser, const char *reason)
{
    if (parser->reason == NULL) {
        parser->reason = reason;
    }
    return false;
}

static struct pattern_node *fail(struct parser *parser, const char *reason)
{
    refuse(parser, reason);
    return NULL;
}

static struct pattern_node *node_of(struct parser *parser, enum pattern_kind kind)
{
    struct pattern_node *node = ARENA_NEW(parser->arena, struct pattern_node);
    node->kind = kind;
    return node;
}

static bool at_end(const struct parser *parser)
{
    return parser->rest.length == 0;
}

static char peek(const struct parser *parser)
{
    return at_end(parser) ? '\0' : parser->rest.at[0];
}

static char take(struct parser *parser)
{
    char byte = peek(parser);
    parser->rest = span_cut(parser->rest, 1, parser->rest.length);
    return byte;
}

static bool take_text(struct parser *parser, const char *text)
{
    if (!span_starts_with(parser->rest, span_of(text))) {
        return false;
    }
    parser->rest = span_cut(parser->rest, strlen(text), parser->rest.length);
    return true;
}

/* ---- sets of bytes ---- */

static void add_range(struct byte_set *set, unsigned from, unsigned to)
{
    for (unsigned byte = from; byte <= to; byte++) {
        byte_set_add(set, byte);
    }
}

static void invert(struct byte_set *set)
{
    for (size_t i = 0; i < 4; i++) {
        set->words[i] = ~set->words[i];
    }
}

static void fold_letters(const struct parser *parser, struct byte_set *set)
{
    for (unsigned byte = 'a'; parser->fold && byte <= 'z'; byte++) {
        unsigned upper = byte - 'a' + 'A';
        if (byte_set_has(set, byte) || byte_set_has(set, upper)) {
            byte_set_add(set, byte);
            byte_set_add(set, upper);
        }
    }
}

static void add_set(struct byte_set *to, const struct byte_set *from)
{
    for (size_t i = 0; i < 4; i++) {
        to->words[i] |= from->words[i];
    }
}

/* \d \w \s and, in capitals, what is not in them. */
static bool letter_set(char letter, struct byte_set *ret)
{
    struct byte_set set = {{0}};
    switch (letter | 0x20) {
    case 'd':
        add_range(&set, '0', '9');
        break;
    case 'w':
        add_range(&set, '0', '9');
        add_range(&set, 'A', 'Z');
        add_range(&set, 'a', 'z');
        byte_set_add(&set, '_');
        break;
    case 's':
        add_range(&set, '\t', '\n');
        add_range(&set, '\f', '\r');
        byte_set_add(&set, ' ');
        break;
    default:
        return false;
    }
    if ((letter & 0x20) == 0) {
        invert(&set);
    }
    add_set(ret, &set);
    return true;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* \x41 or \x{41} */
static int take_hex(struct parser *parser)
{
    bool braced = peek(parser) == '{';
    if (braced) {
        take(parser);
    }
    int high = hex_digit(take(parser));
    int low = hex_digit(take(parser));
    if (high < 0 || low < 0 || (braced && take(parser) != '}')) {
        return -1;
    }
    return high * 16 + low;
}

static bool is_punctuation(char byte)
{
    bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
    return byte > ' ' && byte < 0x7f && !letter && !(byte >= '0' && byte <= '9');
}

/* The byte that an escape stands for, without its backslash; -1 = none. */
static int take_escaped_byte(struct parser *parser)
{
    static const char letters[] = "nrtfva";
    static const char bytes[] = "\n\r\t\f\v\a";
    char byte = take(parser);
    if (byte == 'x') {
        return take_hex(parser);
    }
    const char *found = byte != '\0' ? strchr(letters, byte) : NULL;
    if (found != NULL) {
        return bytes[found - letters];
    }
    return is_punctuation(byte) ? byte : -1;
}

static bool take_named_set(struct parser *parser, struct byte_set *set)
{
    static const struct {
        const char *name;
        const char *ranges; /* pairs */
    } named[] = {
        {"[:alnum:]", "09AZaz"},   {"[:alpha:]", "AZaz"},    {"[:digit:]", "09"},
        {"[:lower:]", "az"},       {"[:upper:]", "AZ"},      {"[:word:]", "09AZaz__"},
        {"[:punct:]", "!/:@[`{~"}, {"[:xdigit:]", "09AFaf"}, {"[:space:]", "\t\r  "},
    };
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        if (take_text(parser, named[i].name)) {
            for (const char *at = named[i].ranges; *at != '\0'; at += 2) {
                add_range(set, (unsigned char)at[0], (unsigned char)at[1]);
            }
            return true;
        }
    }
    return false;
}

/* One end of a range. -1 and a reason when there is none; -2 when a whole set was added. */
static int take_class_byte(struct parser *parser, struct byte_set *set)
{
    char byte = take(parser);
    if ((unsigned char)byte > 0x7f) {
        refuse(parser, "a class may have ASCII only");
        return -1;
    }
    if (byte != '\\') {
        return byte;
    }
    if (letter_set(peek(parser), set)) {
        take(parser);
        return -2;
    }
    int escaped = take_escaped_byte(parser);
    if (escaped < 0) {
        refuse(parser, "an escape that is not known");
    }
    return escaped;
}

static bool take_class_item(struct parser *parser, struct byte_set *set)
{
    if (span_starts_with(parser->rest, SPAN("[:"))) {
        return take_named_set(parser, set) || refuse(parser, "a class name that is not known");
    }
    int from = take_class_byte(parser, set);
    if (from < 0) {
        return from == -2;
    }
    int to = from;
    bool range = parser->rest.length > 1 && peek(parser) == '-' && parser->rest.at[1] != ']';
    if (range) {
        take(parser);
        to = take_class_byte(parser, set);
        if (to < from) {
            return refuse(parser, "a range whose end is before its beginning");
        }
    }
    add_range(set, (unsigned)from, (unsigned)to);
    return true;
}

static struct pattern_node *parse_class(struct parser *parser)
{
    struct pattern_node *node = node_of(parser, PATTERN_ITEM);
    bool negated = peek(parser) == '^';
    if (negated) {
        take(parser);
    }
    do { /* a ']' in front stands for itself */
        if (at_end(parser)) {
            return fail(parser, "a class without its ]");
        }
        if (!take_class_item(parser, &node->set)) {
            return NULL;
        }
    } while (peek(parser) != ']');
    take(parser);
    fold_letters(parser, &node->set);
    if (negated) {
        invert(&node->set);
    }
    return node;
}

static struct pattern_node *parse_byte(struct parser *parser, unsigned byte)
{
    struct pattern_node *node = node_of(parser, PATTERN_ITEM);
    byte_set_add(&node->set, byte);
    fold_letters(parser, &node->set);
    return node;
}

static struct pattern_node *parse_escape(struct parser *parser)
{
    char letter = peek(parser);
    if (letter == 'A' || letter == 'z') {
        take(parser);
        return node_of(parser, letter == 'A' ? PATTERN_BEGIN : PATTERN_END);
    }
    struct byte_set set = {{0}};
    if (letter_set(letter, &set)) {
        take(parser);
        struct pattern_node *node = node_of(parser, PATTERN_ITEM);
        node->set = set;
        return node;
    }
    int byte = take_escaped_byte(parser);
    return byte >= 0 ? parse_byte(parser, (unsigned)byte)
                     : fail(parser, "an escape that is not known");
}

/* ---- groups ---- */

/* What stands behind "(?": true when a group follows whose name, if any, is read. */
static bool take_group_kind(struct parser *parser)
{
    if (take_text(parser, "i:")) {
        parser->fold = true;
        return true;
    }
    if (take_text(parser, ":")) {
        return true;
    }
    if (take_text(parser, "P<") ||
        (span_starts_with(parser->rest, SPAN("<")) && !span_starts_with(parser->rest, SPAN("<=")) &&
         !span_starts_with(parser->rest, SPAN("<!")) && take_text(parser, "<"))) {
        size_t close = span_find_byte(parser->rest, '>');
        bool named = close > 0 && close < parser->rest.length;
        parser->rest = span_cut(parser->rest, close + 1, parser->rest.length);
        return named;
    }
    return false;
}

static struct pattern_node *parse_group(struct parser *parser)
{
    bool fold = parser->fold;
    if (take_text(parser, "?") && !take_group_kind(parser)) {
        return fail(parser, "a kind of group that is not known");
    }
    if (++parser->depth > PATTERN_DEPTH) {
        return fail(parser, "groups are nested too deep");
    }
    struct pattern_node *inside = parse_choice(parser);
    parser->depth--;
    parser->fold = fold;
    if (inside != NULL && take(parser) != ')') {
        return fail(parser, "a group without its )");
    }
    return inside;
}

static struct pattern_node *parse_atom(struct parser *parser)
{
    char byte = take(parser);
    switch (byte) {
    case '(':
        return parse_group(parser);
    case '[':
        return parse_class(parser);
    case '\\':
        return parse_escape(parser);
    case '^':
        return node_of(parser, PATTERN_BEGIN);
    case '$':
        return node_of(parser, PATTERN_END);
    case '.': {
        struct pattern_node *node = parse_byte(parser, '\n');
        invert(&node->set);
        return node;
    }
    case '*':
    case '+':
    case '?':
        return fail(parser, "nothing to repeat");
    default:
        return parse_byte(parser, (unsigned char)byte);
    }
}

/* ---- repetition ---- */

static bool take_number(struct parser *parser, uint32_t *ret)
{
    size_t digits = 0;
    while (digits < parser->rest.length && parser->rest.at[digits] >= '0' &&
           parser->rest.at[digits] <= '9') {
        digits++;
    }
    uint64_t number = 0;
    if (!span_to_u64(span_cut(parser->rest, 0, digits), PATTERN_REPEAT, &number)) {
        return false;
    }
    parser->rest = span_cut(parser->rest, digits, parser->rest.length);
    *ret = (uint32_t)number;
    return true;
}

/* {n} {n,} {n,m}. False when it is none of them; then a brace stands for itself, as RE2 has it. */
static bool take_braces(struct parser *parser, uint32_t *least, uint32_t *most)
{
    struct parser look = *parser;
    if (!take_text(&look, "{") || !take_number(&look, least)) {
        return false;
    }
    *most = *least;
    if (take_text(&look, ",") && !take_number(&look, most)) {
        *most = PATTERN_ENDLESS;
    }
    if (!take_text(&look, "}")) {
        return false;
    }
    parser->rest = look.rest;
    return true;
}

/* Looks like a repetition but is beyond its bounds: not to be taken for plain text. */
static bool is_bad_braces(const struct parser *parser)
{
    return parser->rest.length > 1 && peek(parser) == '{' && parser->rest.at[1] >= '0' &&
           parser->rest.at[1] <= '9' && span_find_byte(parser->rest, '}') < parser->rest.length;
}

/* What stands behind an atom, once. False when it is no repetition. */
static bool take_times(struct parser *parser, uint32_t *least, uint32_t *most)
{
    *least = 0;
    *most = PATTERN_ENDLESS;
    if (take_text(parser, "*")) {
        return true;
    }
    if (take_text(parser, "+")) {
        *least = 1;
        return true;
    }
    if (take_text(parser, "?")) {
        *most = 1;
        return true;
    }
    return take_braces(parser, least, most);
}

static struct pattern_node *parse_repeated(struct parser *parser)
{
    struct pattern_node *atom = parse_atom(parser);
    uint32_t least = 0;
    uint32_t most = 0;
    if (atom == NULL) {
        return NULL;
    }
    if (!take_times(parser, &least, &most)) {
        return is_bad_braces(parser) ? fail(parser, "a repetition beyond 1000") : atom;
    }
    if (most < least) {
        return fail(parser, "a repetition whose end is before its beginning");
    }
    take_text(parser, "?"); /* lazy: the same texts match as a whole */
    if (peek(parser) == '*' || peek(parser) == '+' || peek(parser) == '?') {
        return fail(parser, "a repetition of a repetition");
    }
    struct pattern_node *times = node_of(parser, PATTERN_TIMES);
    times->first = atom;
    times->least = least;
    times->most = most;
    return times;
}

static struct pattern_node *parse_chain(struct parser *parser)
{
    struct pattern_node *chain = node_of(parser, PATTERN_CHAIN);
    struct pattern_node **end = &chain->first;
    while (!at_end(parser) && peek(parser) != '|' && peek(parser) != ')') {
        *end = parse_repeated(parser);
        if (*end == NULL) {
            return NULL;
        }
        end = &(*end)->next;
    }
    return chain;
}

static struct pattern_node *parse_choice(struct parser *parser)
{
    struct pattern_node *choice = node_of(parser, PATTERN_CHOICE);
    struct pattern_node **end = &choice->first;
    do {
        *end = parse_chain(parser);
        if (*end == NULL) {
            return NULL;
        }
        end = &(*end)->next;
    } while (take_text(parser, "|"));
    return choice;
}

struct pattern_node *pattern_parse(struct span expression, struct arena *arena,
                                   const char **ret_reason)
{
    struct parser parser = {.rest = expression, .arena = arena};
    parser.fold = take_text(&parser, "(?i)");
    struct pattern_node *tree = parse_choice(&parser);
    if (tree != NULL && !at_end(&parser)) {
        tree = fail(&parser, "a ) without its group");
    }
    if (tree == NULL) {
        *ret_reason = parser.reason;
    }
    return tree;
}
