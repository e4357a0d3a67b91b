#include "proxy/admin/explain.h"

#include "proxy/admin/explain_route.h"

/*
 * The same order of questions as client_conn and request_steps ask them in, on the snapshot that
 * new connections get now.
 */

static void fail(struct explanation *to, enum failure failure)
{
    explain_outcome(to, failure, failure_facts(failure)->explanation);
}

static void not_loaded(struct explanation *to, struct span name)
{
    bool away = to->scope->control_away;
    text_add_text(to->json, ",\"waits_for\":");
    text_add_json(to->json, name);
    text_add_text(to->json, ",\"outcome\":\"not_loaded\",\"explanation\":");
    text_add_json(to->json, away ? SPAN("not loaded, and the control plane does not answer")
                                 : SPAN("not loaded: first use fetches it"));
}

static const char *kind_name(uint8_t kind)
{
    static const char *const names[] = {"service", "external", "workload"};
    return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}

static void write_number(struct explanation *to, const struct phone_number *number)
{
    text_add_text(to->json, ",\"phone_book\":{\"entry\":");
    text_add_json(to->json, number->entry);
    text_add_text(to->json, ",\"host\":");
    text_add_json(to->json, number->host);
    text_printf(to->json,
                ",\"port\":%u,\"kind\":\"%s\",\"protocol\":\"%s\",\"listener\":", number->port,
                kind_name(number->kind), explain_protocol(number->protocol));
    text_add_json(to->json, number->listener);
    text_add_byte(to->json, '}');
}

/* How the connection would find its service: by address, by name, or as an external host. */
static bool find_number(struct explanation *to, const struct explain_question *question,
                        struct phone_number *ret, bool *ret_is_address, struct address *ret_address)
{
    const struct phone_book *book = to->snapshot->phone_book;
    struct span host = question->host;
    if (host.length > 1 && host.at[0] == '[') {
        host = span_cut(host, 1, host.length - 1);
    }
    *ret_is_address = address_parse_ip(host, ret_address);
    if (*ret_is_address) {
        ret_address->port = question->port;
        return phone_book_find(book, ret_address, &to->arena, ret);
    }
    return phone_book_find_service(book, host, question->port, &to->arena, ret) ||
           phone_book_find_host(book, host, question->port, &to->arena, ret);
}

static void explain_outside(struct explanation *to, const struct address *address)
{
    if (address != NULL && !to->scope->control_away) {
        char text[ADDRESS_TEXT_BYTES];
        address_format_ip(address, text);
        struct span name = span_of(arena_printf(&to->arena, "ip/%s", text));
        if (!snapshot_is_absent(to->snapshot, name) &&
            !phone_book_has_ip(to->snapshot->phone_book, address)) {
            not_loaded(to, name);
            return;
        }
    }
    if (to->snapshot->workload->facts.egress_denied) {
        fail(to, FAILURE_EGRESS_DENIED);
        return;
    }
    text_add_text(to->json,
                  ",\"outcome\":\"pass_through\",\"mtls\":\"none\",\"explanation\":\"not of the "
                  "mesh: the bytes go to the original destination as they are\"");
}

static void explain_workload(struct explanation *to, const struct phone_number *number)
{
    text_add_text(to->json, ",\"endpoints\":[");
    explain_endpoint(to, number->workload);
    text_add_byte(to->json, ']');
    bool mesh = number->workload->identity.length > 0;
    if (mesh && to->scope->upstream->client_tls == NULL) {
        fail(to, FAILURE_TLS_NO_CERTIFICATE);
    } else {
        explain_outcome(to, FAILURE_NONE, "one workload, called by its own address");
    }
}

static void explain_tcp(struct explanation *to, const struct listener_config *listener,
                        const char *why)
{
    text_add_text(to->json, ",\"route\":null,\"why\":");
    text_add_json(to->json, span_of(why));
    explain_clusters(to, listener->facts.tcp_clusters, listener->facts.tcp_cluster_count);
}

static void explain_listener(struct explanation *to, const struct explain_question *question,
                             const struct phone_number *number)
{
    const struct listener_config *listener = snapshot_listener(to->snapshot, number->listener);
    if (listener == NULL && snapshot_is_absent(to->snapshot, number->listener)) {
        fail(to, FAILURE_NO_ROUTE);
        return;
    }
    if (listener == NULL) {
        not_loaded(to, number->listener);
        return;
    }
    text_add_text(to->json, ",\"listener\":");
    text_add_json(to->json, listener->facts.name);
    uint8_t protocol = number->protocol;
    bool opaque = protocol == XDS_PROTOCOL_OPAQUE || protocol == XDS_PROTOCOL_TLS;
    if (opaque) {
        explain_tcp(to, listener, "the port's protocol is opaque");
    } else if (!question->is_http) {
        explain_tcp(to, listener,
                    "as a connection whose bytes are not HTTP; a url asks the routes");
    } else if (listener->routes == NULL && listener->facts.route_name.length > 0) {
        not_loaded(to, listener->facts.route_name);
    } else if (listener->routes == NULL) {
        explain_tcp(to, listener, "the port has no routes");
    } else {
        explain_route(to, listener, &question->head);
    }
}

void explain_write(const struct explain_question *question, struct worker_scope *scope,
                   struct text *json)
{
    struct explanation to = {.scope = scope, .snapshot = scope->snapshot, .json = json};
    struct phone_number number;
    struct address address;
    bool is_address = false;
    text_add_text(json, "{\"host\":");
    text_add_json(json, question->host);
    text_printf(json, ",\"port\":%u,\"snapshot\":%llu", question->port,
                (unsigned long long)scope->snapshot->version);
    if (scope->control_away) {
        text_add_text(json, ",\"control_plane\":\"away\"");
    }
    if (!find_number(&to, question, &number, &is_address, &address)) {
        text_add_text(json, ",\"phone_book\":null");
        explain_outside(&to, is_address ? &address : NULL);
    } else {
        write_number(&to, &number);
        if (number.workload != NULL) {
            explain_workload(&to, &number);
        } else {
            explain_listener(&to, question, &number);
        }
    }
    text_add_byte(json, '}');
    arena_done(&to.arena);
}
