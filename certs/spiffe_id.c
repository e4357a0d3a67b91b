#include "certs/spiffe_id.h"

#include <stdio.h>

#define SCHEME SPAN("spiffe://")

static bool lower_or_digit(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}

static bool mark(char byte)
{
    return byte == '.' || byte == '_' || byte == '-';
}

bool spiffe_trust_domain_valid(struct span trust_domain)
{
    if (trust_domain.length == 0 || trust_domain.length > SPIFFE_TRUST_DOMAIN_BYTES) {
        return false;
    }
    for (size_t i = 0; i < trust_domain.length; i++) {
        if (!lower_or_digit(trust_domain.at[i]) && !mark(trust_domain.at[i])) {
            return false;
        }
    }
    return true;
}

static bool segment_valid(struct span segment, const char **ret_reason)
{
    if (segment.length == 0) {
        *ret_reason = "the SPIFFE id has an empty path segment or a slash at its end";
        return false;
    }
    if (span_equal(segment, SPAN(".")) || span_equal(segment, SPAN(".."))) {
        *ret_reason = "the SPIFFE id has a dot segment";
        return false;
    }
    for (size_t i = 0; i < segment.length; i++) {
        char byte = segment.at[i];
        if (!lower_or_digit(byte) && !(byte >= 'A' && byte <= 'Z') && !mark(byte)) {
            *ret_reason = "the path of the SPIFFE id has a byte outside of [a-zA-Z0-9._-]";
            return false;
        }
    }
    return true;
}

bool spiffe_id_parse(struct span text, struct spiffe_id *ret, const char **ret_reason)
{
    if (text.length > SPIFFE_ID_BYTES) {
        *ret_reason = "the SPIFFE id is longer than 2048 bytes";
        return false;
    }
    if (!span_starts_with(text, SCHEME)) {
        *ret_reason = "the URI is not a spiffe:// id";
        return false;
    }
    struct span rest = span_cut(text, SCHEME.length, text.length);
    size_t slash = span_find_byte(rest, '/');
    struct span trust_domain = span_cut(rest, 0, slash);
    struct span path = span_cut(rest, slash, rest.length);
    if (!spiffe_trust_domain_valid(trust_domain)) {
        *ret_reason = "the trust domain of the SPIFFE id is not 1 to 255 of [a-z0-9._-]";
        return false;
    }
    if (path.length > 0) {
        struct span segments = span_cut(path, 1, path.length);
        struct span segment;
        if (path.length == 1) {
            *ret_reason = "the SPIFFE id has an empty path segment or a slash at its end";
            return false;
        }
        while (span_next(&segments, '/', &segment)) {
            if (!segment_valid(segment, ret_reason)) {
                return false;
            }
        }
    }
    *ret = (struct spiffe_id){text, trust_domain, path};
    return true;
}

bool spiffe_id_make(struct span trust_domain, struct span namespace, struct span service_account,
                    char *into, struct spiffe_id *ret)
{
    const char *unused;
    if (!spiffe_trust_domain_valid(trust_domain) || !segment_valid(namespace, &unused) ||
        !segment_valid(service_account, &unused) ||
        SCHEME.length + trust_domain.length + namespace.length + service_account.length + 8 >
            SPIFFE_ID_BYTES) {
        return false;
    }
    int length = snprintf(into, SPIFFE_ID_BYTES + 1, "spiffe://%.*s/ns/%.*s/sa/%.*s",
                          SPAN_ARG(trust_domain), SPAN_ARG(namespace), SPAN_ARG(service_account));
    return spiffe_id_parse(span_make(into, (size_t)length), ret, &unused);
}

bool spiffe_id_workload(const struct spiffe_id *id, struct span *ret_namespace,
                        struct span *ret_service_account)
{
    struct span rest = id->path;
    struct span parts[5];
    size_t count = 0;
    while (count < 5 && span_next(&rest, '/', &parts[count])) {
        count++;
    }
    struct span more;
    if (count != 5 || span_next(&rest, '/', &more) || !span_equal(parts[1], SPAN("ns")) ||
        !span_equal(parts[3], SPAN("sa"))) {
        return false;
    }
    *ret_namespace = parts[2];
    *ret_service_account = parts[4];
    return true;
}
