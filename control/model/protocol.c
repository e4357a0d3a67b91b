#include "control/model/protocol.h"
#include "control/model/world_parts.h"

struct protocol_word {
    const char *word;
    enum xds_protocol protocol;
};

/* As appProtocol, and as the name of a port or what its name begins with before a "-". */
static const struct protocol_word words[] = {
    {"http", XDS_PROTOCOL_HTTP1},   {"grpc-web", XDS_PROTOCOL_HTTP1},
    {"http2", XDS_PROTOCOL_HTTP2},  {"h2c", XDS_PROTOCOL_HTTP2},
    {"grpc", XDS_PROTOCOL_HTTP2},   {"https", XDS_PROTOCOL_TLS},
    {"tls", XDS_PROTOCOL_TLS},      {"tcp", XDS_PROTOCOL_OPAQUE},
    {"mysql", XDS_PROTOCOL_OPAQUE}, {"mariadb", XDS_PROTOCOL_OPAQUE},
    {"mongo", XDS_PROTOCOL_OPAQUE}, {"mongodb", XDS_PROTOCOL_OPAQUE},
    {"redis", XDS_PROTOCOL_OPAQUE}, {"postgres", XDS_PROTOCOL_OPAQUE},
    {"amqp", XDS_PROTOCOL_OPAQUE},  {"postgresql", XDS_PROTOCOL_OPAQUE},
    {"kafka", XDS_PROTOCOL_OPAQUE}, {"mqtt", XDS_PROTOCOL_OPAQUE},
    {"smtp", XDS_PROTOCOL_OPAQUE},  {"ldap", XDS_PROTOCOL_OPAQUE},
    {"ssh", XDS_PROTOCOL_OPAQUE},   {"nats", XDS_PROTOCOL_OPAQUE},
};

/* KEP-3726's words, which only appProtocol may hold. */
static const struct protocol_word kubernetes_words[] = {
    {"kubernetes.io/h2c", XDS_PROTOCOL_HTTP2},
    {"kubernetes.io/ws", XDS_PROTOCOL_HTTP1},
    {"kubernetes.io/wss", XDS_PROTOCOL_TLS},
};

static bool find_word(const struct protocol_word *table, size_t count, struct span word,
                      enum xds_protocol *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal_nocase(word, span_of(table[i].word))) {
            *ret = table[i].protocol;
            return true;
        }
    }
    return false;
}

static bool is_listed(struct span list, int64_t port)
{
    struct span each;
    while (span_next(&list, ',', &each)) {
        uint64_t number;
        if (span_to_u64(span_trim(each), 65535, &number) && (int64_t)number == port) {
            return true;
        }
    }
    return false;
}

/*
 * appProtocol, then the list of opaque ports, then the port's name. A word that nobody knows is no
 * error: the first bytes will tell.
 */
enum xds_protocol protocol_of_port(const struct object *service, const struct service_port *port)
{
    enum xds_protocol protocol = XDS_PROTOCOL_AUTO;
    size_t count = sizeof(words) / sizeof(words[0]);
    if (port->app_protocol.length > 0) {
        if (!find_word(words, count, port->app_protocol, &protocol)) {
            find_word(kubernetes_words, sizeof(kubernetes_words) / sizeof(kubernetes_words[0]),
                      port->app_protocol, &protocol);
        }
        return protocol;
    }
    if (is_listed(labels_get(&service->meta.annotations, SPAN("remora.dev/opaque-ports")),
                  port->port)) {
        return XDS_PROTOCOL_OPAQUE;
    }
    if (!find_word(words, count, port->name, &protocol)) {
        find_word(words, count, span_cut(port->name, 0, span_find_byte(port->name, '-')),
                  &protocol);
    }
    return protocol;
}

enum xds_protocol protocol_of_external(int8_t external_protocol)
{
    switch (external_protocol) {
    case EXTERNAL_HTTP:
        return XDS_PROTOCOL_HTTP1;
    case EXTERNAL_HTTP2:
    case EXTERNAL_GRPC:
        return XDS_PROTOCOL_HTTP2;
    case EXTERNAL_TLS:
    case EXTERNAL_HTTPS:
        return XDS_PROTOCOL_TLS;
    case EXTERNAL_TCP:
        return XDS_PROTOCOL_OPAQUE;
    default:
        return XDS_PROTOCOL_AUTO;
    }
}

uint16_t annotated_port(const struct object *object, const char *annotation, int64_t port)
{
    struct span rest = labels_get(&object->meta.annotations, span_of(annotation));
    struct span each;
    while (rest.length > 0 && span_next(&rest, ',', &each)) {
        each = span_trim(each);
        size_t colon = span_find_byte(each, ':');
        bool for_all = colon == each.length;
        uint64_t from = 0;
        uint64_t to = 0;
        bool matches = for_all || (span_to_u64(span_cut(each, 0, colon), 65535, &from) &&
                                   (int64_t)from == port);
        struct span number = for_all ? each : span_cut(each, colon + 1, each.length);
        if (matches && span_to_u64(number, 65535, &to)) {
            return (uint16_t)to;
        }
    }
    return 0;
}
