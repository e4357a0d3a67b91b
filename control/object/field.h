#ifndef REMORA_CONTROL_OBJECT_FIELD_H
#define REMORA_CONTROL_OBJECT_FIELD_H

#include "lib/base/span.h"
#include "lib/net/address.h"

/*
 * The tables that say what an object may hold: one `struct field` a field, one `struct schema` a
 * map. decode.h reads them to turn a value tree into plain structs; the same tables are made for
 * generating custom resource definitions and the reference page.
 *
 * What a field is in C, and how "not given" looks there:
 */
enum field_type {
    FIELD_TEXT,        /* struct span          at NULL; "" that was given has another at */
    FIELD_WORD,        /* int8_t: 1 + index    0 */
    FIELD_BOOL,        /* int8_t: enum choice  CHOICE_UNSET */
    FIELD_INT,         /* int64_t              FIELD_UNSET */
    FIELD_DURATION,    /* int64_t, ms          FIELD_UNSET */
    FIELD_BYTES,       /* int64_t, bytes       FIELD_UNSET */
    FIELD_TIME,        /* int64_t, s since 1970  FIELD_UNSET */
    FIELD_NUMBER,      /* double               NaN; least and most are in thousandths */
    FIELD_PORT_NAME,   /* struct port_name     number FIELD_UNSET and empty name */
    FIELD_STRUCT,      /* the struct itself, its fields not given */
    FIELD_STRUCT_AT,   /* pointer              NULL */
    FIELD_LIST,        /* struct items         count 0; least and most are counts */
    FIELD_TEXTS,       /* struct texts         count 0; each text is checked */
    FIELD_INTS,        /* struct ints          count 0; least and most bound each, 256 of them */
    FIELD_LABELS,      /* struct labels        count 0; map of text to text */
    FIELD_MAP,         /* struct items         count 0; item begins with struct span, its key */
    FIELD_NAMED_PORTS, /* struct named_ports   count 0; map of name to port number */
    FIELD_ADDRESSES,   /* struct addresses     count 0; IP addresses without port */
    FIELD_ANY,         /* nothing is kept; whatever shape Kubernetes gives it */
};

#define FIELD_UNSET INT64_MIN

enum choice { CHOICE_UNSET, CHOICE_YES, CHOICE_NO };

struct port_name {
    int64_t number;
    struct span name;
};
struct items {
    void *at;
    uint32_t count;
};
struct texts {
    struct span *at;
    uint32_t count;
};
struct ints {
    int64_t *at;
    uint32_t count;
};
struct label {
    struct span key, value;
};
struct labels {
    struct label *at;
    uint32_t count;
};
struct named_port {
    struct span name;
    int64_t port;
};
struct named_ports {
    struct named_port *at;
    uint32_t count;
};
struct addresses {
    struct address *at;
    uint32_t count;
};

/* NULL when the text is good, else what is wrong with it ("must be ..."). */
typedef const char *field_check(struct span text);

enum field_flag {
    FIELD_REQUIRED = 1,
    FIELD_NOT_IN_FORCE = 2, /* accepted and checked, but nothing acts on it yet */
    FIELD_ZERO = 4,         /* 0 is allowed beside the range, and means off */
};

struct schema;
struct field {
    const char *name;
    uint8_t type;  /* enum field_type */
    uint8_t flags; /* enum field_flag */
    uint16_t offset;
    int64_t least, most; /* 0, 0 = the type's own bounds */
    const struct schema *schema;
    const char *const *words; /* NULL at the end */
    uint8_t words_in_force;   /* 0 = all; later ones are not in force yet */
    field_check *check;
    const char *preset; /* the default, as a person would write it */
    const char *help;   /* for the reference page */
};

struct schema {
    const char *name;
    const struct field *fields;
    uint32_t field_count;
    uint32_t bytes; /* of the C struct */
    /* What one field alone cannot tell; sets *ret_field to the field's name where it knows one. */
    const char *(*check)(const void *decoded, const char **ret_field);
};

/* FIELD("name", FIELD_TEXT, struct x, member, .check = check_dns_name), */
#define FIELD(name_, type_, structure, member, ...)                                                \
    {                                                                                              \
        .name = (name_), .type = (type_), .offset = (uint16_t)offsetof(structure, member),         \
        ##__VA_ARGS__                                                                              \
    }
/* A field whose content is of no use here. */
#define FIELD_IGNORED(name_, ...)                                                                  \
    {                                                                                              \
        .name = (name_), .type = FIELD_ANY, ##__VA_ARGS__                                          \
    }
#define SCHEMA_FIELDS(table) .fields = (table), .field_count = sizeof(table) / sizeof((table)[0])

/* A list's bounds and its length where the table says nothing. */
enum { FIELD_LIST_MOST = 1024, FIELD_TEXT_MOST = 4096, FIELD_LABELS_MOST = 256 };

/* Checks that several tables use. */
field_check check_dns_label;      /* RFC 1123 label, at most 63 */
field_check check_dns_name;       /* labels with dots, at most 253 */
field_check check_host;           /* dns_name, or "*." before one */
field_check check_port_name;      /* IANA service name, at most 15 */
field_check check_label_key;      /* [prefix/]name */
field_check check_label_value;    /* at most 63 */
field_check check_header_name;    /* RFC 9110 token, at most 256 */
field_check check_header_value;   /* no control bytes, at most 4096 */
field_check check_path;           /* begins with "/", printable, no "//", "/../", "?" or "#" */
field_check check_regex;          /* lib/base/pattern takes it */
field_check check_trust_domain;   /* [a-z0-9.-_], at most 255 */
field_check check_http_method;    /* one of the registered nine */
field_check check_retry_on;       /* a condition of retries, or a status 400-599 */
field_check check_rate;           /* "100/s", "5/m", "1/h" */
field_check check_fraction_range; /* "0.5..0.7", both in 0.3 to 0.9 */
field_check check_absolute_file;  /* begins with "/" */
field_check check_port_key;       /* 1 to 65535 */

/* Of a text that check_fraction_range took. */
void fraction_range_parse(struct span text, double *ret_from, double *ret_to);

#endif
