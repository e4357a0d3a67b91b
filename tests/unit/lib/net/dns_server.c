#include "tests/unit/lib/net/dns_server.h"

#include "lib/base/check.h"
#include "lib/base/span.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28, HEADER = 12 };
enum { OK = 0, SERVFAIL = 2, NXDOMAIN = 3, REFUSED = 5 };

struct reply {
    unsigned char bytes[4096];
    size_t length;
    uint16_t answers;
};

static void add16(struct reply *reply, unsigned value)
{
    reply->bytes[reply->length++] = (unsigned char)(value >> 8);
    reply->bytes[reply->length++] = (unsigned char)value;
}

static void add_record(struct reply *reply, unsigned name_at, unsigned type, uint32_t ttl,
                       const void *content, size_t length)
{
    CHECK(reply->length + 12 + length <= sizeof(reply->bytes));
    add16(reply, 0xc000u | name_at);
    add16(reply, type);
    add16(reply, 1);
    add16(reply, ttl >> 16);
    add16(reply, ttl & 0xffff);
    add16(reply, (unsigned)length);
    memcpy(reply->bytes + reply->length, content, length);
    reply->length += length;
    reply->answers++;
}

static void add_address(struct reply *reply, unsigned name_at, unsigned type, uint32_t ttl,
                        unsigned last)
{
    unsigned char v4[4] = {10, 1, (unsigned char)(last >> 8), (unsigned char)last};
    unsigned char v6[16] = {0xfd, [15] = (unsigned char)last};
    add_record(reply, name_at, type, ttl, type == TYPE_A ? v4 : v6, type == TYPE_A ? 4 : 16);
}

struct question {
    unsigned type;
    struct span label; /* the first of the name */
    size_t end;        /* behind the question */
};

static bool parse(const unsigned char *bytes, size_t length, struct question *ret)
{
    size_t at = HEADER;
    if (length < HEADER + 6) {
        return false;
    }
    ret->label = span_make(bytes + HEADER + 1, bytes[HEADER]);
    while (at < length && bytes[at] != 0) {
        at += bytes[at] + 1u;
    }
    if (at + 5 > length) {
        return false;
    }
    ret->type = (unsigned)bytes[at + 1] << 8 | bytes[at + 2];
    ret->end = at + 5;
    return true;
}

static void start(struct reply *reply, const unsigned char *bytes, size_t end, unsigned code)
{
    *reply = (struct reply){.length = end};
    memcpy(reply->bytes, bytes, end);
    reply->bytes[2] = 0x85; /* response, authoritative, recursion desired */
    reply->bytes[3] = (unsigned char)(0x80 | code);
    memset(reply->bytes + 4, 0, 8);
    reply->bytes[5] = 1;
}

static void send_reply(struct dns_server *server, struct reply *reply)
{
    reply->bytes[6] = (unsigned char)(reply->answers >> 8);
    reply->bytes[7] = (unsigned char)reply->answers;
    CHECK(sendto(server->fd, reply->bytes, reply->length, 0, (struct sockaddr *)&server->client,
                 sizeof(server->client)) == (ssize_t)reply->length);
}

/* Something false first, which must be ignored; then the truth. */
static void poison(struct dns_server *server, const struct question *question, size_t at)
{
    struct reply reply;
    start(&reply, server->question, question->end, OK);
    reply.bytes[at] ^= 1;
    add_address(&reply, HEADER, question->type, 60, 66);
    send_reply(server, &reply);
}

static void add_cname_loop(struct reply *reply, const struct question *question)
{
    unsigned char to_b[] = {1, 'b', 0};
    unsigned b_at = (unsigned)reply->length + 12;
    unsigned char back[] = {0xc0, HEADER};
    add_record(reply, HEADER, TYPE_CNAME, 60, to_b, sizeof(to_b));
    add_record(reply, b_at, TYPE_CNAME, 60, back, sizeof(back));
}

static void add_cname(struct reply *reply, const struct question *question)
{
    unsigned char to_b[] = {1, 'b', 0};
    unsigned b_at = (unsigned)reply->length + 12;
    add_record(reply, HEADER, TYPE_CNAME, 7, to_b, sizeof(to_b));
    add_address(reply, b_at, question->type, 60, 1);
}

static void add_many(struct reply *reply, const struct question *question)
{
    for (unsigned i = 0; i < 60; i++) {
        add_address(reply, HEADER, question->type, 60, i + 1);
    }
}

static bool is(const struct question *question, const char *label)
{
    return span_equal_text(question->label, label);
}

static unsigned code_of(const struct question *question)
{
    bool v6 = question->type == TYPE_AAAA;
    if (is(question, "servfail") || (v6 && (is(question, "half") || is(question, "unsure")))) {
        return SERVFAIL;
    }
    if (is(question, "refused")) {
        return REFUSED;
    }
    return is(question, "none") ? NXDOMAIN : OK;
}

static bool has_no_address(const struct question *question)
{
    return code_of(question) != OK || is(question, "empty") || is(question, "unsure") ||
           (question->type == TYPE_AAAA && is(question, "v4only"));
}

static uint32_t ttl_of(const struct question *question)
{
    if (is(question, "ttlzero")) {
        return 0;
    }
    return is(question, "ttlhuge") ? 0x7fffffff : 60;
}

static void answer(struct dns_server *server)
{
    struct question question;
    struct reply reply;
    if (!parse(server->question, server->question_length, &question) || is(&question, "silent")) {
        return;
    }
    if (is(&question, "wrongid")) {
        poison(server, &question, 1);
    } else if (is(&question, "wrongname")) {
        poison(server, &question, HEADER + 1);
    }
    start(&reply, server->question, question.end, code_of(&question));
    if (is(&question, "truncated")) {
        reply.bytes[2] |= 0x02;
    } else if (is(&question, "cnameloop")) {
        add_cname_loop(&reply, &question);
    } else if (is(&question, "cname")) {
        add_cname(&reply, &question);
    } else if (is(&question, "many")) {
        add_many(&reply, &question);
    } else if (is(&question, "pointerloop")) {
        add_address(&reply, (unsigned)reply.length, question.type, 60, 1);
    } else if (!has_no_address(&question)) {
        add_address(&reply, HEADER, question.type, ttl_of(&question), 1);
        add_address(&reply, HEADER, question.type, ttl_of(&question) / 2, 2);
    }
    if (is(&question, "cut")) {
        reply.length -= 9;
    } else if (is(&question, "noise")) {
        memset(reply.bytes + 4, 0xff, reply.length - 4);
        reply.answers = 0xffff;
    }
    send_reply(server, &reply);
}

static void on_ready(struct watch *watch, unsigned events)
{
    struct dns_server *server = CONTAINER_OF(watch, struct dns_server, watch);
    socklen_t length = sizeof(server->client);
    ssize_t got = recvfrom(server->fd, server->question, sizeof(server->question), 0,
                           (struct sockaddr *)&server->client, &length);
    if (got > 0) {
        server->questions++;
        server->question_length = (size_t)got;
        answer(server);
    }
}

void dns_server_open(struct dns_server *server, struct loop *loop)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(in);
    *server = (struct dns_server){0};
    server->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(server->fd >= 0);
    CHECK(bind(server->fd, (struct sockaddr *)&in, length) == 0);
    CHECK(getsockname(server->fd, (struct sockaddr *)&in, &length) == 0);
    server->port = ntohs(in.sin_port);
    watch_init(&server->watch, loop, server->fd, on_ready);
    watch_want(&server->watch, WATCH_READ);
}

void dns_server_close(struct dns_server *server)
{
    watch_stop(&server->watch);
    close(server->fd);
}

void dns_server_answer_late(struct dns_server *server)
{
    /* Any label that gives an answer, of the same length. */
    CHECK(server->question[HEADER] == 6);
    memcpy(server->question + HEADER + 1, "normal", 6);
    answer(server);
}
