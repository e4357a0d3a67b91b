#include "tests/unit/test_main.h"

#include "lib/base/memory.h"
#include "tests/unit/proxy/discovery/ads_rig.h"

#include <stdlib.h>

enum { PATIENCE_MS = 10000 };

/* ---- The server ------------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b)
{
    return span_compare(*(const struct span *)a, *(const struct span *)b);
}

static void log_names(struct text *log, const char *what, const struct span *names, uint32_t count)
{
    if (count == 0) {
        return;
    }
    struct span *sorted = mem_dup(names, count * sizeof *names);
    qsort(sorted, count, sizeof *sorted, by_text);
    text_printf(log, " %s=", what);
    for (uint32_t i = 0; i < count; i++) {
        text_printf(log, "%s%.*s", i > 0 ? "," : "", SPAN_ARG(sorted[i]));
    }
    mem_free(sorted);
}

static void log_held(struct text *log, struct arena *arena, const struct xds_request *request)
{
    struct span *pairs = ARENA_ARRAY(arena, struct span, request->version_count);
    for (uint32_t i = 0; i < request->version_count; i++) {
        pairs[i] = span_of(arena_printf(arena, "%.*s:%.*s", SPAN_ARG(request->versions[i].name),
                                        SPAN_ARG(request->versions[i].value)));
    }
    log_names(log, "held", pairs, request->version_count);
}

static void on_message(void *owner, struct grpc_served *served, struct span message)
{
    struct ads_rig *rig = owner;
    struct arena arena = {0};
    struct xds_request request;
    struct xds_error error;
    enum xds_type type;
    (void)served;
    assert_true(xds_request_decode(message, rig->delta, &arena, &request, &error));
    assert_true(xds_type_of_url(request.type_url, &type));
    text_printf(&rig->asked, "%s", xds_type_short(type));
    log_names(&rig->asked, "names", request.names, request.name_count);
    log_names(&rig->asked, "gone", request.unsubscribed, request.unsubscribed_count);
    log_held(&rig->asked, &arena, &request);
    if (request.nonce.length > 0) {
        text_printf(&rig->asked, " nonce=%.*s", SPAN_ARG(request.nonce));
    }
    if (request.version.length > 0) {
        text_printf(&rig->asked, " version=%.*s", SPAN_ARG(request.version));
    }
    if (request.refused) {
        text_printf(&rig->asked, " error=%d:%.*s", request.error_code,
                    SPAN_ARG(request.error_message));
    }
    if (request.caller != NULL) {
        text_printf(&rig->asked, " node=%.*s,%.*s", SPAN_ARG(request.caller->id),
                    SPAN_ARG(xds_caller_metadata(request.caller, "NAMESPACE")));
    }
    text_add_byte(&rig->asked, '\n');
    arena_done(&arena);
}

static void *open_stream(struct ads_rig *rig, struct grpc_served *served, bool delta)
{
    rig->stream = served;
    rig->delta = delta;
    text_printf(&rig->asked, "open %s\n", delta ? "delta" : "sotw");
    return rig;
}

static void *on_delta(void *service, struct grpc_served *served, const struct http_head *head,
                      const struct grpc_peer *peer)
{
    (void)head;
    (void)peer;
    return open_stream(service, served, true);
}

static void *on_sotw(void *service, struct grpc_served *served, const struct http_head *head,
                     const struct grpc_peer *peer)
{
    (void)head;
    (void)peer;
    return open_stream(service, served, false);
}

static void on_half_close(void *owner, struct grpc_served *served)
{
    (void)owner;
    (void)served;
}

static void on_gone(void *owner, struct grpc_served *served)
{
    struct ads_rig *rig = owner;
    if (rig->stream == served) {
        rig->stream = NULL;
    }
    text_add_text(&rig->asked, "close\n");
}

static void on_stream(void *owner, struct http_stream *stream, const struct http_server_peer *peer)
{
    static struct grpc_method methods[2];
    struct ads_rig *rig = owner;
    (void)peer;
    for (size_t i = 0; i < 2; i++) {
        methods[i] = (struct grpc_method){
            .path = i == 0 ? XDS_PATH_SOTW : XDS_PATH_DELTA,
            .on_call = i == 0 ? on_sotw : on_delta,
            .on_message = on_message,
            .on_half_close = on_half_close,
            .on_gone = on_gone,
            .service = rig,
        };
    }
    grpc_serve(rig->loop, stream, methods, rig->delta_unknown ? 1 : 2, &(struct grpc_peer){0});
}

static const struct http_server_events http_events = {.on_stream = on_stream};

void ads_server_open(struct ads_rig *rig)
{
    int error;
    const struct http_server_options options = {.at = rig->at};
    rig->http = http_server_open(rig->loop, &options, &http_events, rig, &error);
    assert_non_null(rig->http);
    rig->at = *http_server_address(rig->http);
}

void ads_server_close(struct ads_rig *rig)
{
    http_server_close(rig->http);
    rig->http = NULL;
}

void ads_respond(struct ads_rig *rig, enum xds_type type, const char *version,
                 const struct ads_item *items, size_t count, const char *removed)
{
    struct arena arena = {0};
    struct xds_resource *resources = ARENA_ARRAY(&arena, struct xds_resource, count);
    const struct span gone = span_of(removed);
    assert_non_null(rig->stream);
    for (size_t i = 0; i < count; i++) {
        /* Any message with its name in field 1. */
        char *bytes = arena_printf(&arena, "\x0a%c%s", (char)strlen(items[i].name), items[i].name);
        resources[i].value = span_of(bytes);
        resources[i].type_url = span_of(xds_type_url(type));
        if (rig->delta) {
            resources[i].name = span_of(items[i].name);
            resources[i].version = span_of(items[i].version);
        }
    }
    const struct xds_response response = {
        .type_url = span_of(xds_type_url(type)),
        .nonce = span_of(arena_printf(&arena, "n%u", ++rig->nonces)),
        .version = span_of(version),
        .resources = resources,
        .resource_count = (uint32_t)count,
        .removed = &gone,
        .removed_count = removed == NULL ? 0 : 1,
    };
    grpc_served_send(rig->stream, xds_response_encode(&response, rig->delta, &arena));
    arena_done(&arena);
}

void ads_respond_with(struct ads_rig *rig, enum xds_type type, const char *name,
                      const char *version, struct span bytes)
{
    struct arena arena = {0};
    const struct xds_resource resource = {
        .name = span_of(name),
        .version = span_of(version),
        .type_url = span_of(xds_type_url(type)),
        .value = bytes,
    };
    const struct xds_response response = {
        .type_url = resource.type_url,
        .nonce = span_of(arena_printf(&arena, "n%u", ++rig->nonces)),
        .version = resource.version,
        .resources = &resource,
        .resource_count = 1,
    };
    assert_non_null(rig->stream);
    grpc_served_send(rig->stream, xds_response_encode(&response, rig->delta, &arena));
    arena_done(&arena);
}

void ads_end_stream(struct ads_rig *rig, enum grpc_code code)
{
    assert_non_null(rig->stream);
    grpc_served_finish(rig->stream, code, SPAN("the test ends it"));
    rig->stream = NULL;
}

/* ---- The client's owner ---------------------------------------------------------------------- */

void ads_hold(struct ads_rig *rig, enum xds_type type, const char *name, const char *version)
{
    mem_free(map_put(&rig->held[type], span_of(name), mem_strdup(version)));
}

static bool on_resource(void *owner, enum xds_type type, struct span name, struct span version,
                        struct span bytes, struct xds_error *ret_error)
{
    struct ads_rig *rig = owner;
    assert_true(bytes.length > 0);
    if (span_starts_with(name, SPAN("bad"))) {
        snprintf(ret_error->text, sizeof ret_error->text, "field: wrong");
        return false;
    }
    text_printf(&rig->heard, "%s %.*s=%.*s\n", xds_type_short(type), SPAN_ARG(name),
                SPAN_ARG(version));
    mem_free(map_put(&rig->held[type], name, mem_text(version.at, version.length)));
    return true;
}

static void on_removed(void *owner, enum xds_type type, struct span name)
{
    struct ads_rig *rig = owner;
    text_printf(&rig->heard, "%s %.*s gone\n", xds_type_short(type), SPAN_ARG(name));
    mem_free(map_remove(&rig->held[type], name));
}

static void on_batch(void *owner, enum xds_type type)
{
    struct ads_rig *rig = owner;
    text_printf(&rig->heard, "%s batch\n", xds_type_short(type));
}

static void on_state(void *owner, bool connected)
{
    struct ads_rig *rig = owner;
    text_add_text(&rig->heard, connected ? "up\n" : "down\n");
}

static bool next_held(void *owner, enum xds_type type, size_t *at, struct span *ret_name,
                      struct span *ret_version)
{
    struct ads_rig *rig = owner;
    void *version = NULL;
    if (!map_next(&rig->held[type], at, ret_name, &version)) {
        return false;
    }
    *ret_version = span_of(version);
    return true;
}

static bool held_version(void *owner, enum xds_type type, struct span name,
                         struct span *ret_version)
{
    struct ads_rig *rig = owner;
    const char *version = map_get(&rig->held[type], name);
    *ret_version = span_of(version);
    return version != NULL;
}

static const struct xds_client_events client_events = {
    .on_resource = on_resource,
    .on_removed = on_removed,
    .on_batch = on_batch,
    .on_state = on_state,
    .next_held = next_held,
    .held_version = held_version,
};

/* ---- Both ------------------------------------------------------------------------------------ */

void ads_open_bare(struct ads_rig *rig)
{
    *rig = (struct ads_rig){.at = {.family = 4, .bytes = {127, 0, 0, 1}}};
    rig->loop = loop_create();
    ads_server_open(rig);
    char target[ADDRESS_TEXT_BYTES];
    address_format(&rig->at, target);
    rig->channel =
        grpc_channel_create(rig->loop, &(struct grpc_channel_options){.target = span_of(target)});
    assert_non_null(rig->channel);
}

void ads_open(struct ads_rig *rig, bool delta_unknown, bool state_of_the_world)
{
    ads_open_bare(rig);
    rig->delta_unknown = delta_unknown;
    const struct xds_client_options options = {
        .node = {.id = SPAN("web-1"), .namespace_name = SPAN("shop")},
        .state_of_the_world = state_of_the_world,
    };
    rig->client = xds_client_create(rig->channel, &options, &client_events, rig);
}

void ads_done(struct ads_rig *rig)
{
    xds_client_destroy(rig->client);
    grpc_channel_destroy(rig->channel);
    ads_server_close(rig);
    for (int i = 0; i < 4; i++) {
        loop_turn(rig->loop);
    }
    loop_destroy(rig->loop);
    for (unsigned type = 0; type < XDS_TYPES; type++) {
        struct span name;
        void *version = NULL;
        size_t at = 0;
        while (map_next(&rig->held[type], &at, &name, &version)) {
            mem_free(version);
        }
        map_done(&rig->held[type]);
    }
    text_done(&rig->asked);
    text_done(&rig->heard);
}

static char *find_line(const struct text *log, const char *line)
{
    size_t length = strlen(line);
    for (char *at = log->bytes; at != NULL && *at != '\0'; at = strchr(at, '\n') + 1) {
        if (strncmp(at, line, length) == 0 && at[length] == '\n') {
            return at;
        }
    }
    return NULL;
}

static bool asked_it(void *owner)
{
    struct ads_rig *rig = owner;
    return find_line(&rig->asked, rig->wanted) != NULL;
}

static bool heard_it(void *owner)
{
    struct ads_rig *rig = owner;
    return find_line(&rig->heard, rig->wanted) != NULL;
}

static void until(struct ads_rig *rig, const char *line, struct text *log,
                  bool (*condition)(void *owner))
{
    rig->wanted = line;
    if (!loop_run_until(rig->loop, condition, rig, PATIENCE_MS)) {
        fail_msg("\"%s\" did not come; there is:\n%s", line, log->length > 0 ? log->bytes : "");
    }
    char *rest = mem_strdup(strchr(find_line(log, line), '\n') + 1);
    text_clear(log);
    text_add_text(log, rest);
    mem_free(rest);
}

void ads_until_asked(struct ads_rig *rig, const char *line)
{
    until(rig, line, &rig->asked, asked_it);
}

void ads_until_heard(struct ads_rig *rig, const char *line)
{
    until(rig, line, &rig->heard, heard_it);
}

static void assert_without(const struct text *log, const char *part)
{
    if (log->length > 0 && strstr(log->bytes, part) != NULL) {
        fail_msg("\"%s\" is there:\n%s", part, log->bytes);
    }
}

void ads_assert_not_asked(struct ads_rig *rig, const char *part)
{
    assert_without(&rig->asked, part);
}

void ads_assert_not_heard(struct ads_rig *rig, const char *part)
{
    assert_without(&rig->heard, part);
}
