#include "lib/http/http2_session.h"

#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/http/header_case.h"

/* Heads of usual size need no memory; pseudo-headers, te, content-length and the case field are
 * added. */
enum { FEW_FIELDS = 160, ADDED_FIELDS = 8 };

struct writing {
    struct http2_conn *conn;
    nghttp2_nv *fields;
    size_t count;
};

static void add(struct writing *writing, struct span name, struct span value, uint8_t flags)
{
    writing->fields[writing->count++] = (nghttp2_nv){
        (uint8_t *)(uintptr_t)name.at,
        (uint8_t *)(uintptr_t)value.at,
        name.length,
        value.length,
        flags,
    };
}

static void add_static(struct writing *writing, struct span name, struct span value)
{
    add(writing, name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME);
}

static bool is_written(const struct header *field)
{
    switch (field->token) {
    case HEADER_HOST:
    case HEADER_CONTENT_LENGTH:
    case HEADER_X_REMORA_CASE:
    case HEADER_X_REMORA_DECLINED:
        return false;
    default:
        return (header_token_flags(field->token) & HEADER_FLAG_HOP) == 0;
    }
}

/*
 * A value that does not repeat is kept out of the HPACK table, except for the first: it takes the
 * name in, which from then on costs one byte (the table hardly moves when only what repeats is put
 * in).
 */
static bool keeps_out(struct http2_conn *conn, const struct header *field)
{
    if (field->sensitive || field->token == HEADER_AUTHORIZATION) {
        return true;
    }
    if ((header_token_flags((enum header_token)field->token) & HEADER_FLAG_UNIQUE) == 0) {
        return false;
    }
    uint64_t bit = (uint64_t)1 << field->token;
    bool told = (conn->names_told & bit) != 0;
    conn->names_told |= bit;
    return told;
}

/* nghttp2 copies names in lower case, except those that need no copy and are so already. */
static void add_field(struct writing *writing, const struct header *field)
{
    /* What is not clean must not reach a peer, whoever made it (CVE-2026-42926). */
    if (!header_valid(field)) {
        LOG_WARN_LIMITED("http2", "field that is not clean left out",
                         LOG_SPAN("name", field->name));
        return;
    }
    uint8_t flags =
        keeps_out(writing->conn, field) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    if (field->token != HEADER_UNKNOWN) {
        add(writing, header_token_name((enum header_token)field->token), field->value,
            flags | NGHTTP2_NV_FLAG_NO_COPY_NAME);
    } else {
        add(writing, field->name, field->value, flags);
    }
}

static void add_fields(struct writing *writing, const struct headers *headers)
{
    HEADERS_EACH(headers, field)
    {
        if (is_written(field)) {
            add_field(writing, field);
        }
    }
}

static void add_request_line(struct writing *writing, const struct http_head *head)
{
    bool extended = head->upgrade.length > 0;
    bool connect = head->method_token == HTTP_METHOD_CONNECT;
    add_static(writing, SPAN(":method"), extended ? SPAN("CONNECT") : head->method);
    if (extended) {
        add_static(writing, SPAN(":protocol"), head->upgrade);
    }
    if (!connect) {
        add_static(writing, SPAN(":scheme"), head->scheme.length > 0 ? head->scheme : SPAN("http"));
        add_static(writing, SPAN(":path"), head->path);
    }
    if (head->authority.length > 0) {
        add_static(writing, SPAN(":authority"), head->authority);
    }
}

/* Numbers as text; they live until nghttp2 has copied them. */
struct numbers {
    char status[SPAN_U64_BYTES];
    char declined[SPAN_U64_BYTES];
    char length[SPAN_U64_BYTES];
};

/* The application answers as if no upgrade had been asked for; a 2xx here would accept it. */
static bool declines_upgrade(const struct http2_conn *conn, const struct http2_stream *stream,
                             const struct http_head *head)
{
    return conn->base.is_server && stream->upgrade.length > 0 && head->status >= 200 &&
           head->status < 300;
}

static void add_status(struct writing *writing, unsigned status, struct numbers *numbers)
{
    add_static(writing, SPAN(":status"), span_from_u64(status, numbers->status));
}

static void add_response_line(struct writing *writing, const struct http2_conn *conn,
                              const struct http2_stream *stream, const struct http_head *head,
                              struct numbers *numbers)
{
    if (!declines_upgrade(conn, stream, head)) {
        add_status(writing, head->status == 101 ? 200 : head->status, numbers);
        return;
    }
    add_status(writing, 501, numbers);
    if (conn->base.in_mesh) {
        add_static(writing, header_token_name(HEADER_X_REMORA_DECLINED),
                   span_from_u64(head->status, numbers->declined));
    }
}

static void add_framing(struct writing *writing, const struct http_head *head,
                        struct numbers *numbers)
{
    bool tunnel = head->upgrade.length > 0 || head->method_token == HTTP_METHOD_CONNECT ||
                  head->status == 101;
    if (head->content_length >= 0 && !tunnel) {
        add_static(writing, SPAN("content-length"),
                   span_from_u64((uint64_t)head->content_length, numbers->length));
    }
    if (http_head_is_request(head) && head->accepts_trailers) {
        add_static(writing, SPAN("te"), SPAN("trailers"));
    }
}

static void add_case(struct http2_conn *conn, struct http2_stream *stream, struct writing *writing,
                     const struct http_head *head)
{
    struct span value;
    if (conn->base.in_mesh && header_case_encode(&head->headers, &stream->own, &value)) {
        add_static(writing, header_token_name(HEADER_X_REMORA_CASE), value);
    }
}

static int32_t submit(struct http2_conn *conn, struct http2_stream *stream,
                      const struct writing *writing, const struct http_head *head, bool end)
{
    int32_t id = (int32_t)stream->base.id;
    nghttp2_data_provider2 body = http2_body_source;
    body.source.ptr = stream;
    if (http_head_is_request(head)) {
        return nghttp2_submit_request2(conn->session, NULL, writing->fields, writing->count,
                                       end ? NULL : &body, stream);
    }
    if (head->status < 200 && head->status != 101) {
        return nghttp2_submit_headers(conn->session, NGHTTP2_FLAG_NONE, id, NULL, writing->fields,
                                      writing->count, NULL);
    }
    return nghttp2_submit_response2(conn->session, id, writing->fields, writing->count,
                                    end ? NULL : &body);
}

int32_t http2_write_head(struct http2_conn *conn, struct http2_stream *stream,
                         const struct http_head *head, bool end)
{
    /* Zeroed for nothing otherwise, 6 KiB for each head. */
    nghttp2_nv few[FEW_FIELDS] __attribute__((uninitialized));
    struct numbers numbers;
    struct writing writing = {conn, few, 0};
    bool many = head->headers.count + ADDED_FIELDS > FEW_FIELDS;
    if (many) {
        writing.fields = mem_array(head->headers.count + ADDED_FIELDS, sizeof(nghttp2_nv));
    }
    if (http_head_is_request(head)) {
        add_request_line(&writing, head);
    } else {
        add_response_line(&writing, conn, stream, head, &numbers);
    }
    add_fields(&writing, &head->headers);
    add_framing(&writing, head, &numbers);
    add_case(conn, stream, &writing, head);
    int32_t id = submit(conn, stream, &writing, head, end);
    if (many) {
        mem_free(writing.fields);
    }
    return id;
}

/* They may have to wait for the body, so they are kept. */
void http2_write_trailers(struct http2_stream *stream, const struct headers *trailers)
{
    struct writing writing = {http2_conn_of(&stream->base),
                              ARENA_ARRAY(&stream->own, nghttp2_nv, trailers->count + 1), 0};
    HEADERS_EACH(trailers, field)
    {
        if (is_written(field) && (header_token_flags(field->token) & HEADER_FLAG_TRAILER_NO) == 0) {
            struct header kept = *field;
            kept.name = arena_span(&stream->own, field->name);
            kept.value = arena_span(&stream->own, field->value);
            add_field(&writing, &kept);
        }
    }
    stream->trailers = writing.fields;
    stream->trailer_count = writing.count;
}
