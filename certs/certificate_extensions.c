#include "certs/certificate.h"

#include <openssl/bytestring.h>

#include <string.h>

#define GENERAL_NAME_URI (CBS_ASN1_CONTEXT_SPECIFIC | 6U)
#define GENERAL_NAME_DNS (CBS_ASN1_CONTEXT_SPECIFIC | 2U)

enum { KEY_USAGE_BITS = 9 };

static struct span span_of_cbs(const CBS *cbs)
{
    return span_make(CBS_data(cbs), CBS_len(cbs));
}

static bool read_basic_constraints(CBS *value, struct certificate *into, const char **ret_reason)
{
    *ret_reason = "basicConstraints is malformed";
    CBS sequence;
    int is_ca = 0;
    if (!CBS_get_asn1(value, &sequence, CBS_ASN1_SEQUENCE)) {
        return false;
    }
    if (CBS_peek_asn1_tag(&sequence, CBS_ASN1_BOOLEAN) &&
        (!CBS_get_asn1_bool(&sequence, &is_ca) || !is_ca)) {
        return false; /* DER leaves the default, false, out */
    }
    into->is_ca = is_ca;
    if (CBS_len(&sequence) > 0) {
        uint64_t length;
        if (!is_ca || !CBS_get_asn1_uint64(&sequence, &length) || length > 255) {
            return false;
        }
        into->path_length = (int)length;
    }
    return CBS_len(&sequence) == 0;
}

static bool read_key_usage(CBS *value, struct certificate *into, const char **ret_reason)
{
    *ret_reason = "keyUsage is malformed";
    CBS bits;
    if (!CBS_get_asn1(value, &bits, CBS_ASN1_BITSTRING) || !CBS_is_valid_asn1_bitstring(&bits)) {
        return false;
    }
    into->has_key_usage = true;
    for (unsigned bit = 0; bit < KEY_USAGE_BITS; bit++) {
        if (CBS_asn1_bitstring_has_bit(&bits, bit)) {
            into->key_usage |= 1U << bit;
        }
    }
    return true;
}

static bool read_ext_key_usage(CBS *value, struct certificate *into, const char **ret_reason)
{
    static const uint8_t server_auth[] = {0x2b, 6, 1, 5, 5, 7, 3, 1};
    static const uint8_t client_auth[] = {0x2b, 6, 1, 5, 5, 7, 3, 2};
    *ret_reason = "extKeyUsage is malformed";
    CBS sequence;
    if (!CBS_get_asn1(value, &sequence, CBS_ASN1_SEQUENCE) || CBS_len(&sequence) == 0) {
        return false;
    }
    into->has_ext_key_usage = true;
    while (CBS_len(&sequence) > 0) {
        CBS oid;
        if (!CBS_get_asn1(&sequence, &oid, CBS_ASN1_OBJECT)) {
            return false;
        }
        into->for_server |= CBS_mem_equal(&oid, server_auth, sizeof(server_auth));
        into->for_client |= CBS_mem_equal(&oid, client_auth, sizeof(client_auth));
    }
    return true;
}

/* Visible ASCII only: a NUL or a control byte in a name is an attack (CVE-2026-47778). */
static bool name_text_valid(struct span name)
{
    for (size_t i = 0; i < name.length; i++) {
        if (name.at[i] <= 0x20 || name.at[i] >= 0x7f) {
            return false;
        }
    }
    return name.length > 0;
}

static bool read_names(CBS *value, struct certificate *into, const char **ret_reason)
{
    *ret_reason = "subjectAltName is malformed";
    CBS sequence;
    if (!CBS_get_asn1(value, &sequence, CBS_ASN1_SEQUENCE) || CBS_len(&sequence) == 0) {
        return false;
    }
    struct certificate_names *names = &into->names;
    names->present = true;
    unsigned count = 0;
    while (CBS_len(&sequence) > 0) {
        CBS name;
        CBS_ASN1_TAG tag;
        if (++count > CERTIFICATE_NAMES || !CBS_get_any_asn1(&sequence, &name, &tag) ||
            (tag & CBS_ASN1_CLASS_MASK) != CBS_ASN1_CONTEXT_SPECIFIC) {
            return false;
        }
        struct span text = span_of_cbs(&name);
        if (tag != GENERAL_NAME_URI && tag != GENERAL_NAME_DNS) {
            names->others++;
            continue;
        }
        if (!name_text_valid(text)) {
            *ret_reason = "a subjectAltName has a byte that is not visible ASCII";
            return false;
        }
        if (tag == GENERAL_NAME_URI && names->uris++ == 0) {
            names->uri = text;
        } else if (tag == GENERAL_NAME_DNS && names->dns++ == 0) {
            names->dns_name = text;
        }
    }
    return true;
}

static bool read_subject_key_id(CBS *value, struct certificate *into, const char **ret_reason)
{
    *ret_reason = "subjectKeyIdentifier is malformed";
    CBS id;
    if (!CBS_get_asn1(value, &id, CBS_ASN1_OCTETSTRING)) {
        return false;
    }
    into->subject_key_id = span_of_cbs(&id);
    return true;
}

static bool read_authority_key_id(CBS *value, struct certificate *into, const char **ret_reason)
{
    *ret_reason = "authorityKeyIdentifier is malformed";
    CBS sequence, id;
    int present = 0;
    if (!CBS_get_asn1(value, &sequence, CBS_ASN1_SEQUENCE) ||
        !CBS_get_optional_asn1(&sequence, &id, &present, CBS_ASN1_CONTEXT_SPECIFIC | 0)) {
        return false;
    }
    if (present) {
        into->authority_key_id = span_of_cbs(&id);
    }
    return true; /* issuer name and serial may follow; nothing here trusts them */
}

static const struct known_extension {
    uint8_t number; /* the last byte of the OID 2.5.29.x */
    bool (*read)(CBS *value, struct certificate *into, const char **ret_reason);
} known_extensions[] = {
    {14, read_subject_key_id},    {15, read_key_usage},        {17, read_names},
    {19, read_basic_constraints}, {35, read_authority_key_id}, {37, read_ext_key_usage},
};

static const struct known_extension *find_known(struct span oid)
{
    if (oid.length != 3 || memcmp(oid.at, "\x55\x1d", 2) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(known_extensions) / sizeof(known_extensions[0]); i++) {
        if ((uint8_t)oid.at[2] == known_extensions[i].number) {
            return &known_extensions[i];
        }
    }
    return NULL;
}

static bool read_extension(struct span oid, bool critical, CBS *value, struct certificate *into,
                           const char **ret_reason)
{
    if (span_equal(oid, SPAN("\x55\x1d\x1e"))) {
        /* What a signer may name is bound by its trust domain; this could only be got wrong. */
        *ret_reason = "nameConstraints are not supported";
        return false;
    }
    const struct known_extension *known = find_known(oid);
    if (known == NULL) {
        *ret_reason = "an unknown extension is critical";
        return !critical;
    }
    if (!known->read(value, into, ret_reason)) {
        return false;
    }
    if (CBS_len(value) != 0) {
        *ret_reason = "bytes are left over in an extension";
        return false;
    }
    if (known->read == read_names) {
        into->names.critical = critical;
    }
    return true;
}

bool certificate_parse_extensions(struct span extensions, struct certificate *into,
                                  const char **ret_reason)
{
    CBS list;
    CBS_init(&list, (const uint8_t *)extensions.at, extensions.length);
    struct span seen[CERTIFICATE_EXTENSIONS];
    size_t count = 0;
    into->path_length = -1;
    while (CBS_len(&list) > 0) {
        CBS extension, oid, value;
        int critical = 0;
        if (!CBS_get_asn1(&list, &extension, CBS_ASN1_SEQUENCE) ||
            !CBS_get_asn1(&extension, &oid, CBS_ASN1_OBJECT) ||
            (CBS_peek_asn1_tag(&extension, CBS_ASN1_BOOLEAN) &&
             (!CBS_get_asn1_bool(&extension, &critical) || !critical)) ||
            !CBS_get_asn1(&extension, &value, CBS_ASN1_OCTETSTRING) || CBS_len(&extension) != 0) {
            *ret_reason = "an extension is malformed";
            return false;
        }
        if (count == CERTIFICATE_EXTENSIONS) {
            *ret_reason = "more than 32 extensions";
            return false;
        }
        seen[count] = span_of_cbs(&oid);
        for (size_t i = 0; i < count; i++) {
            if (span_equal(seen[i], seen[count])) {
                *ret_reason = "an extension is there twice";
                return false;
            }
        }
        if (!read_extension(seen[count], critical != 0, &value, into, ret_reason)) {
            return false;
        }
        count++;
    }
    return true;
}
