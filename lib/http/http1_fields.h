#ifndef REMORA_HTTP_HTTP1_FIELDS_H
#define REMORA_HTTP_HTTP1_FIELDS_H

#include "lib/http/http1_parser.h"

/*
 * The field lines of a head: read, then judged. Private to the parser.
 */

/* Takes lines off *rest until the empty line. ret->head.headers gets every field, in order. */
const char *http1_fields_read(struct span rest, const struct http_limits *limits,
                              struct http1_message *ret, bool *ret_too_large);

/* What the fields of one connection say. */
struct http1_framing_fields {
    const struct header *host;
    unsigned hosts;
    bool chunked;
    bool close;
    bool keep_alive;
    bool upgrade; /* connection names it */
    struct span protocol;
};

/*
 * Reads framing and connection fields, marks those of one connection removed, with what Connection
 * names (never protected ones, CVE-2022-31813), and sets content_length and the other facts of the
 * head. NULL, or what is wrong.
 */
const char *http1_fields_judge(struct http1_message *message, struct http1_framing_fields *ret);

/* Drops fields that spell a protected or internal name with '_' for '-'. */
void http1_fields_drop_underscored(struct http1_message *message);

#endif
