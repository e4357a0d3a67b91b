#ifndef REMORA_TESTS_UNIT_LIB_HTTP_EXCHANGE_H
#define REMORA_TESTS_UNIT_LIB_HTTP_EXCHANGE_H

#include "lib/base/text.h"
#include "lib/http/http_conn.h"

/* The owner of a stream: writes down all that it hears. */
struct exchange {
    struct http_stream *stream;
    struct arena arena;
    struct http_head *heads[8];
    size_t head_count;
    struct text body;
    struct headers *trailers;
    size_t rooms;
    bool ended;
    bool reset;
    enum failure failure;
    bool returns_credit; /* at once */
    bool released;
    size_t owed;                                /* credit that was not returned */
    void (*then)(struct exchange *exchange);    /* runs after each on_head */
    void (*finally)(struct exchange *exchange); /* runs in on_end */
};

void exchange_attach(struct exchange *exchange, struct http_stream *stream);
void exchange_release(struct exchange *exchange);
void exchange_done(struct exchange *exchange);

/* The owner of a connection: keeps its exchanges in order. */
enum { SIDE_EXCHANGES = 10240 };
struct side {
    struct http_conn *conn; /* NULL once closed */
    struct exchange *exchanges[SIDE_EXCHANGES];
    size_t count; /* seen; those beyond the array are released at once */
    size_t resets;
    size_t available;
    bool draining;
    bool closed;
    bool releases; /* streams are released when they end */
    enum failure failure;
    void (*then)(struct exchange *exchange);
    void (*finally)(struct exchange *exchange);
    bool keeps_credit;
};

extern const struct http_conn_events side_events;
/* Client role: a stream with its exchange; NULL without room. */
struct exchange *side_open(struct side *side);
void side_done(struct side *side);

#endif
