#include "control/object/annotation.h"

#include "control/object/field.h"

static bool is_port(struct span text)
{
    uint64_t port;
    return span_to_u64(text, 65535, &port) && port > 0;
}

/* "8080:18080,9090:19090", or one number alone where `alone` says so. */
static bool port_pairs_good(struct span list, bool alone)
{
    struct span each;
    bool any = false;
    while (list.length > 0 && span_next(&list, ',', &each)) {
        each = span_trim(each);
        size_t colon = span_find_byte(each, ':');
        bool pair = colon < each.length;
        bool good = pair ? is_port(span_cut(each, 0, colon)) &&
                               is_port(span_cut(each, colon + 1, each.length))
                         : alone && is_port(each);
        if (!good) {
            return false;
        }
        any = true;
    }
    return any;
}

static const char *check_port_pairs(struct span text)
{
    return port_pairs_good(text, false) ? NULL
                                        : "must be pairs of ports such as 8080:18080,9090:19090";
}

static const char *check_port_or_pairs(struct span text)
{
    return port_pairs_good(text, true)
               ? NULL
               : "must be a port, or pairs of ports such as 8080:18080,9090:19090";
}

static const char *check_ports(struct span text)
{
    struct span each;
    while (text.length > 0 && span_next(&text, ',', &each)) {
        if (!is_port(span_trim(each))) {
            return "must be ports such as 9000,9001";
        }
    }
    return NULL;
}

static const struct annotation {
    const char *name;
    field_check *check; /* NULL: of use to others (injection), not checked here */
} annotations[] = {
    {"remora.dev/local-port", check_port_pairs},
    {"remora.dev/inbound-port", check_port_or_pairs},
    {"remora.dev/tunnel-port", check_port_or_pairs},
    {"remora.dev/opaque-ports", check_ports},
    {"remora.dev/exclude-inbound-ports", check_ports},
    {"remora.dev/exclude-outbound-ports", check_ports},
    {"remora.dev/exclude-outbound-cidrs", NULL},
    {"remora.dev/proxy-cpu", NULL},
    {"remora.dev/proxy-memory", NULL},
    {"remora.dev/log-level", NULL},
};

static const struct annotation *find(struct span name)
{
    for (size_t i = 0; i < sizeof(annotations) / sizeof(annotations[0]); i++) {
        if (span_equal_text(name, annotations[i].name)) {
            return &annotations[i];
        }
    }
    return NULL;
}

bool annotations_check(const struct value *metadata, struct span title, struct problems *problems)
{
    const struct value *all = value_member(metadata, SPAN("annotations"));
    bool good = true;
    for (const struct value *each = all != NULL ? all->children : NULL; each != NULL;
         each = each->next) {
        if (!span_starts_with(each->key, SPAN("remora.dev/")) || each->kind != VALUE_STRING) {
            continue;
        }
        const struct annotation *known = find(each->key);
        struct text field = {0};
        text_printf(&field, "metadata.annotations.%.*s", SPAN_ARG(each->key));
        const char *wrong = known != NULL && known->check != NULL ? known->check(each->text) : NULL;
        if (known == NULL) {
            problems_warn(problems, each->line, title, text_span(&field), "unknown annotation");
        } else if (wrong != NULL) {
            problems_add(problems, each->line, title, text_span(&field), "%s", wrong);
            good = false;
        }
        text_done(&field);
    }
    return good;
}
