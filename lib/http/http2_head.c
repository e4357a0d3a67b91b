#include "lib/http/http2_session.h"

#include "lib/base/check.h"
#include "lib/base/free_list.h"
#include "lib/http/header_case.h"

#include <string.h>

/*
 * nghttp2 runs without its own checks of messages (they cost a third of it and know less), so every
 * rule of RFC 9113 8.2, 8.3 and 8.5 is here. A head is read into a scratch list whose spans point
 * into nghttp2's field buffers, checked, and only then settled in the arena of its stream: what is
 * malformed is never handed up and costs the owner nothing.
 */
static _Thread_local struct free_list field_arrays =
    FREE_LIST(HTTP2_FIELDS_KEPT * sizeof(struct http2_field), 16);

void http2_block_drop(struct http2_conn *conn)
{
    struct http2_block *block = &conn->block;
    if (block->fields == NULL) {
        return;
    }
    for (uint32_t i = 0; i < block->kept; i++) {
        nghttp2_rcbuf_decref(block->fields[i].name);
        nghttp2_rcbuf_decref(block->fields[i].value);
    }
    free_list_give(&field_arrays, block->fields);
    *block = (struct http2_block){0};
}

void http2_block_begin(struct http2_conn *conn)
{
    http2_block_drop(conn);
    conn->block =
        (struct http2_block){.fields = free_list_take(&field_arrays), .since_ns = http2_now(conn)};
}

static struct span span_of_rcbuf(nghttp2_rcbuf *rcbuf)
{
    nghttp2_vec bytes = nghttp2_rcbuf_get_buf(rcbuf);
    return span_make(bytes.base, bytes.len);
}

void http2_block_add(struct http2_conn *conn, nghttp2_rcbuf *name, nghttp2_rcbuf *value,
                     bool sensitive)
{
    struct http2_block *block = &conn->block;
    const struct http_limits *limits = conn->base.limits;
    if (block->fields == NULL) {
        return;
    }
    block->seen++;
    block->bytes += span_of_rcbuf(name).length + span_of_rcbuf(value).length;
    if (block->seen > limits->fields || block->seen > HTTP2_FIELDS_KEPT ||
        block->bytes > limits->head_bytes) {
        block->beyond = true;
    }
    if (block->seen > HTTP2_FIELDS_CLOSE) {
        http2_doom(conn, NGHTTP2_ENHANCE_YOUR_CALM,
                   conn->base.is_server ? FAILURE_DOWNSTREAM_ABUSE : FAILURE_UPSTREAM_PROTOCOL);
    }
    if (block->beyond) {
        return;
    }
    nghttp2_rcbuf_incref(name);
    nghttp2_rcbuf_incref(value);
    block->fields[block->kept++] = (struct http2_field){name, value, sensitive};
}

/* What one reading of a block collects beside the head. */
struct reading {
    struct http_head head; /* spans point into the field buffers */
    struct span protocol;
    struct span host;
    struct span header_case;
    struct span declined;
    uint32_t crumbs;
    size_t crumb_bytes;
    bool regular; /* a field that is no pseudo-header was seen */
    bool has_method, has_scheme, has_path, has_authority, has_status;
};

static bool take_once(bool *seen, struct span *into, struct span value)
{
    if (*seen) {
        return false;
    }
    *seen = true;
    *into = value;
    return true;
}

static bool read_status(struct reading *reading, struct span value)
{
    uint64_t status;
    if (reading->has_status || value.length != 3 || !span_to_u64(value, 599, &status) ||
        status < 100) {
        return false;
    }
    reading->has_status = true;
    reading->head.status = (uint16_t)status;
    return true;
}

static bool read_pseudo(struct reading *reading, bool is_request, struct span name,
                        struct span value)
{
    if (reading->regular) {
        return false;
    }
    if (!is_request) {
        return span_equal(name, SPAN(":status")) && read_status(reading, value);
    }
    struct http_head *head = &reading->head;
    if (span_equal(name, SPAN(":method"))) {
        return take_once(&reading->has_method, &head->method, value);
    }
    if (span_equal(name, SPAN(":path"))) {
        return take_once(&reading->has_path, &head->path, value);
    }
    if (span_equal(name, SPAN(":scheme"))) {
        return take_once(&reading->has_scheme, &head->scheme, value);
    }
    if (span_equal(name, SPAN(":authority"))) {
        return take_once(&reading->has_authority, &head->authority, value);
    }
    if (span_equal(name, SPAN(":protocol")) && reading->protocol.at == NULL) {
        reading->protocol = value;
        return value.length > 0;
    }
    return false;
}

static bool has_capital(struct span name)
{
    for (size_t i = 0; i < name.length; i++) {
        if (name.at[i] >= 'A' && name.at[i] <= 'Z') {
            return true;
        }
    }
    return false;
}

/* Fields that do not stay in the head, or mean something to it. *ret_keep says whether it stays. */
static bool read_known(struct reading *reading, enum header_token token, struct span value,
                       bool *ret_keep)
{
    uint64_t length;
    *ret_keep = false;
    switch (token) {
    case HEADER_HOST:
        if (reading->host.at != NULL || value.length == 0) {
            return false;
        }
        reading->host = value;
        return true;
    case HEADER_CONNECTION:
    case HEADER_KEEP_ALIVE:
    case HEADER_PROXY_CONNECTION:
    case HEADER_TRANSFER_ENCODING:
    case HEADER_UPGRADE:
        return false;
    case HEADER_TE:
        reading->head.accepts_trailers = true;
        return span_equal_nocase(value, SPAN("trailers"));
    case HEADER_X_REMORA_CASE:
        reading->header_case = value;
        return true;
    case HEADER_X_REMORA_DECLINED:
        reading->declined = value;
        return true;
    case HEADER_HTTP2_SETTINGS:
        return true;
    case HEADER_CONTENT_LENGTH:
        if (reading->head.content_length >= 0 || !span_to_u64(value, INT64_MAX, &length)) {
            return false;
        }
        reading->head.content_length = (int64_t)length;
        break;
    case HEADER_EXPECT:
        if (span_equal_nocase(value, SPAN("100-continue"))) {
            reading->head.expects_continue = true;
        }
        break;
    default:
        break;
    }
    *ret_keep = true;
    return true;
}

static bool read_regular(struct reading *reading, const struct http2_field *field, uint32_t limit,
                         struct span name, struct span value)
{
    reading->regular = true;
    if (name.length > limit || has_capital(name)) {
        return false;
    }
    enum header_token token = header_token_of(name);
    if (token == HEADER_COOKIE) {
        reading->crumbs++;
        reading->crumb_bytes += value.length;
        if (reading->crumbs > 1) {
            return header_value_valid(value);
        }
    }
    bool keep = true;
    if (token != HEADER_UNKNOWN && !read_known(reading, token, value, &keep)) {
        return false;
    }
    if (keep) {
        struct header *added = headers_add_found(&reading->head.headers, token, name, value);
        added->sensitive = field->sensitive;
    }
    return true;
}

/* RFC 9113 8.3.1 and 8.5, RFC 8441 4: which pseudo-headers a request must have. */
static bool complete_request(struct reading *reading)
{
    struct http_head *head = &reading->head;
    if (!reading->has_method || head->method.length == 0) {
        return false;
    }
    head->method_token = (uint8_t)http_method_of(head->method);
    bool connect = head->method_token == HTTP_METHOD_CONNECT;
    if (reading->protocol.at != NULL) {
        if (!connect || !reading->has_authority) {
            return false;
        }
        head->upgrade = reading->protocol;
        head->method = SPAN("GET");
        head->method_token = HTTP_METHOD_GET;
        connect = false;
    }
    if (connect ? reading->has_scheme || reading->has_path || !reading->has_authority
                : !reading->has_scheme || !reading->has_path) {
        return false;
    }
    if (reading->has_authority && head->authority.length == 0) {
        return false;
    }
    if (reading->host.at != NULL) {
        if (reading->has_authority && !span_equal_nocase(reading->host, head->authority)) {
            return false;
        }
        head->authority = reading->has_authority ? head->authority : reading->host;
    }
    if (connect) {
        return true;
    }
    /* One spelling of the scheme everywhere (CVE-2023-35944). */
    if (span_equal_nocase(head->scheme, SPAN("http"))) {
        head->scheme = SPAN("http");
    } else if (span_equal_nocase(head->scheme, SPAN("https"))) {
        head->scheme = SPAN("https");
    } else {
        return false;
    }
    return true;
}

/* The status behind a 501 with which a sidecar passes on that an upgrade was not taken. */
static bool read_declined(const struct reading *reading, uint16_t *ret_status)
{
    uint64_t status;
    if (!span_to_u64(reading->declined, 299, &status) || status < 200) {
        return false;
    }
    *ret_status = (uint16_t)status;
    return true;
}

static bool complete_response(struct reading *reading, const struct http2_stream *stream,
                              bool in_mesh)
{
    struct http_head *head = &reading->head;
    if (!reading->has_status || head->status == 101) {
        return false; /* RFC 9113 8.6 */
    }
    if (stream->upgrade.length == 0) {
        return true;
    }
    if (head->status >= 200 && head->status < 300) {
        head->status = 101;
        head->upgrade = stream->upgrade;
    } else if (in_mesh && head->status == 501) {
        read_declined(reading, &head->status);
    }
    return true;
}

static bool read_fields(struct http2_conn *conn, struct reading *reading, bool is_request)
{
    for (uint32_t i = 0; i < conn->block.kept; i++) {
        const struct http2_field *field = &conn->block.fields[i];
        struct span name = span_of_rcbuf(field->name);
        struct span value = span_of_rcbuf(field->value);
        bool pseudo = name.length > 0 && name.at[0] == ':';
        if (pseudo ? !read_pseudo(reading, is_request, name, value)
                   : !read_regular(reading, field, conn->base.limits->name_bytes, name, value)) {
            return false;
        }
    }
    return true;
}

/* stream NULL = request. False: malformed. */
static bool read_head(struct http2_conn *conn, struct reading *reading,
                      const struct http2_stream *stream, bool end)
{
    bool is_request = stream == NULL;
    const char *detail;
    if (!read_fields(conn, reading, is_request) ||
        !(is_request ? complete_request(reading)
                     : complete_response(reading, stream, conn->base.in_mesh))) {
        return false;
    }
    struct http_head *head = &reading->head;
    head->version = 20;
    head->has_body = !end;
    return (!is_request || head->path.length <= conn->base.limits->target_bytes) &&
           http_head_check(head, &detail) == FAILURE_NONE;
}

/* Cookie crumbs become one field (RFC 9113 8.2.3). */
static struct span join_crumbs(struct http2_conn *conn, const struct reading *reading,
                               struct arena *arena)
{
    char *joined = arena_alloc(arena, reading->crumb_bytes + 2 * reading->crumbs);
    size_t length = 0;
    for (uint32_t i = 0; i < conn->block.kept; i++) {
        if (header_token_of(span_of_rcbuf(conn->block.fields[i].name)) != HEADER_COOKIE) {
            continue;
        }
        struct span value = span_of_rcbuf(conn->block.fields[i].value);
        if (length > 0) {
            memcpy(joined + length, "; ", 2);
            length += 2;
        }
        memcpy(joined + length, value.at, value.length);
        length += value.length;
    }
    return span_make(joined, length);
}

static struct span settle_span(char **into, struct span from)
{
    struct span settled = span_make(*into, from.length);
    if (from.length > 0) {
        memcpy(*into, from.at, from.length);
        *into += from.length;
    }
    return settled;
}

/* Copies a checked head into the arena: one block for the fields, one for all bytes. */
static struct http_head *settle(struct http2_conn *conn, struct reading *reading,
                                struct arena *arena)
{
    const struct http_head *from = &reading->head;
    struct http_head *head = arena_alloc(arena, sizeof(*head));
    uint32_t count = from->headers.count;
    *head = *from;
    head->headers.arena = arena;
    head->headers.count = head->headers.capacity = count;
    head->headers.items = arena_alloc(arena, (count + 1) * sizeof(struct header));
    char *bytes = arena_alloc(arena, conn->block.bytes + 1);
    for (uint32_t i = 0; i < count; i++) {
        const struct header *field = &from->headers.items[i];
        struct header *settled = &head->headers.items[i];
        *settled = *field;
        settled->name = field->token != HEADER_UNKNOWN
                            ? header_token_name((enum header_token)field->token)
                            : settle_span(&bytes, field->name);
        settled->value = field->token == HEADER_COOKIE && reading->crumbs > 1
                             ? join_crumbs(conn, reading, arena)
                             : settle_span(&bytes, field->value);
    }
    head->method = settle_span(&bytes, from->method);
    head->scheme = span_equal(from->scheme, SPAN("http")) ? SPAN("http") : SPAN("https");
    head->scheme = from->scheme.length == 0 ? SPAN_EMPTY : head->scheme;
    head->authority = settle_span(&bytes, from->authority);
    head->path = settle_span(&bytes, from->path);
    head->upgrade = arena_span(arena, from->upgrade);
    if (conn->base.in_mesh && reading->header_case.length > 0) {
        header_case_apply(&head->headers, arena, reading->header_case);
    }
    return head;
}

static void refuse_request(struct http2_conn *conn, int32_t id, uint32_t code)
{
    nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, id, code);
    http2_glitch(conn);
    if (!http2_bucket_take(&conn->own_resets, http2_now(conn))) {
        http2_doom(conn, NGHTTP2_ENHANCE_YOUR_CALM, FAILURE_DOWNSTREAM_ABUSE);
    }
}

static void begin_request(struct http2_conn *conn, int32_t id, struct reading *reading, bool end)
{
    if (conn->block.beyond || !read_head(conn, reading, NULL, end)) {
        refuse_request(conn, id,
                       conn->block.beyond ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    struct http2_stream *stream = http2_stream_create(conn);
    stream->base.id = id;
    stream->submitted = true;
    stream->final_received = true;
    stream->is_head = reading->head.method_token == HTTP_METHOD_HEAD;
    stream->expected = reading->head.content_length;
    stream->upgrade = arena_span(&stream->own, reading->head.upgrade);
    nghttp2_session_set_stream_user_data(conn->session, id, stream);
    conn->base.events->on_stream(conn->base.owner, &conn->base, &stream->base);
    CHECK(stream->base.events != NULL || stream->released);
    if (conn->closed || stream->silent || stream->released) {
        return;
    }
    struct http_head *head = settle(conn, reading, stream->base.arena);
    stream->base.events->on_head(stream->base.owner, head);
}

static void response(struct http2_conn *conn, struct http2_stream *stream, struct reading *reading,
                     bool end)
{
    if (conn->block.beyond) {
        http2_stream_error(conn, stream, NGHTTP2_ENHANCE_YOUR_CALM,
                           FAILURE_UPSTREAM_HEADERS_TOO_LARGE);
        return;
    }
    bool valid = read_head(conn, reading, stream, end);
    uint16_t status = reading->head.status;
    bool informational = valid && status < 200 && status != 101;
    if (!valid ||
        (informational && (end || ++stream->informational > conn->base.limits->informational))) {
        http2_stream_error(conn, stream, NGHTTP2_PROTOCOL_ERROR, FAILURE_UPSTREAM_PROTOCOL);
        return;
    }
    if (informational) {
        reading->head.has_body = false;
    } else {
        stream->final_received = true;
        stream->no_body = stream->is_head || status == 204 || status == 304;
        stream->expected = stream->no_body ? -1 : reading->head.content_length;
    }
    if (!stream->silent && !stream->released) {
        struct http_head *head = settle(conn, reading, stream->base.arena);
        stream->base.events->on_head(stream->base.owner, head);
    }
}

/* RFC 9110 6.5.1: what would change the meaning of the message is dropped. */
static bool read_trailers(struct http2_conn *conn, struct headers *trailers)
{
    for (uint32_t i = 0; i < conn->block.kept; i++) {
        struct span name = span_of_rcbuf(conn->block.fields[i].name);
        struct span value = span_of_rcbuf(conn->block.fields[i].value);
        if (has_capital(name) || !header_name_valid(name) || !header_value_valid(value) ||
            name.length > conn->base.limits->name_bytes) {
            return false;
        }
        unsigned flags = header_token_flags(header_token_of(name));
        if ((flags & (HEADER_FLAG_TRAILER_NO | HEADER_FLAG_HOP)) == 0) {
            headers_add_copy(trailers, name, value)->sensitive = conn->block.fields[i].sensitive;
        }
    }
    return true;
}

static void trailers(struct http2_conn *conn, struct http2_stream *stream, bool end)
{
    const struct http_limits *limits = conn->base.limits;
    bool is_server = conn->base.is_server;
    if (stream->silent || stream->released) {
        return;
    }
    if (conn->block.beyond || conn->block.seen > limits->trailer_fields ||
        conn->block.bytes > limits->trailer_bytes) {
        http2_stream_error(conn, stream, NGHTTP2_ENHANCE_YOUR_CALM,
                           is_server ? FAILURE_HEADERS_TOO_LARGE
                                     : FAILURE_UPSTREAM_HEADERS_TOO_LARGE);
        return;
    }
    struct headers *fields = ARENA_NEW(stream->base.arena, struct headers);
    headers_init(fields, stream->base.arena);
    /* Without END_STREAM they are not trailers (CVE-2026-73513). */
    if (!end || stream->no_body || !read_trailers(conn, fields) ||
        (stream->expected >= 0 && stream->received != stream->expected)) {
        http2_stream_error(conn, stream, NGHTTP2_PROTOCOL_ERROR,
                           is_server ? FAILURE_BAD_REQUEST : FAILURE_UPSTREAM_PROTOCOL);
        return;
    }
    if (fields->count > 0) {
        stream->base.events->on_trailers(stream->base.owner, fields);
    }
}

void http2_block_complete(struct http2_conn *conn, int32_t stream_id, struct http2_stream *stream,
                          bool end)
{
    if (conn->block.fields == NULL || conn->closed) {
        return;
    }
    if (stream != NULL && stream->final_received) {
        trailers(conn, stream, end);
    } else if (stream != NULL || conn->base.is_server) {
        struct arena scratch;
        arena_init(&scratch);
        struct reading reading = {0};
        http_head_init(&reading.head, &scratch);
        if (stream == NULL) {
            begin_request(conn, stream_id, &reading, end);
        } else {
            response(conn, stream, &reading, end);
        }
        arena_done(&scratch);
    }
    http2_block_drop(conn);
}
