#include "lib/net/resolver.h"

#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"

#include <ares.h>
#include <pthread.h>
#include <string.h>

enum {
    TRY_TIMEOUT_MS = 1000, /* of one server; grows with each round */
    TRY_MAX_MS = 2000,
    TRIES = 3,
    QUERIES_PER_PORT = 100, /* then a new source port: answers are harder to guess */
    FAILURE_TTL_MS = 5000,
    LEAST_TTL_MS = 1000,
    MOST_TTL_MS = 3600000,
    LABEL_BYTES = 63,
};
#define QUERY_TIMEOUT_NS (5 * NS_PER_S)

struct resolver {
    struct loop *loop;
    ares_channel_t *channel;
    struct timer timer; /* the next moment at which c-ares wants to be called */
    struct turn_task free_task;
    struct list queries;
    struct list sockets;
    bool is_closing;
};

struct dns_socket {
    struct watch watch;
    struct resolver *resolver;
    struct link link;
    struct turn_task free_task;
    int fd;
};

/* A family's part of the answer. */
struct part {
    struct address addresses[RESOLVER_ADDRESSES];
    size_t count;
    enum resolver_status status;
};

enum { PART_V6, PART_V4, PARTS };

struct resolver_query {
    struct resolver *resolver;
    struct link link;
    void (*on_answer)(void *owner,
                      const struct resolver_answer *answer); /* NULL = told, or cancelled */
    void *owner;
    struct timer deadline;
    struct turn_task answer_task;
    struct turn_task free_task;
    struct part parts[PARTS];
    int64_t ttl_s; /* the smallest so far; -1 = none */
    int waiting;   /* parts that c-ares will still call back for */
    bool is_bad_name;
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void start_library(void)
{
    CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
}

static void free_resolver(struct turn_task *task)
{
    mem_free(CONTAINER_OF(task, struct resolver, free_task));
}

static void free_query(struct turn_task *task)
{
    mem_free(CONTAINER_OF(task, struct resolver_query, free_task));
}

static void free_socket(struct turn_task *task)
{
    mem_free(CONTAINER_OF(task, struct dns_socket, free_task));
}

/* Asks c-ares when it wants to be called for its own timeouts. */
static void rearm(struct resolver *resolver)
{
    struct timeval left;
    if (resolver->is_closing || ares_timeout(resolver->channel, NULL, &left) == NULL) {
        timer_stop(&resolver->timer);
        return;
    }
    timer_start(&resolver->timer, (int64_t)left.tv_sec * NS_PER_S + (int64_t)left.tv_usec * 1000);
}

static void on_socket(struct watch *watch, unsigned events)
{
    struct dns_socket *dns_socket = CONTAINER_OF(watch, struct dns_socket, watch);
    struct resolver *resolver = dns_socket->resolver;
    ares_process_fd(resolver->channel, events & WATCH_READ ? dns_socket->fd : ARES_SOCKET_BAD,
                    events & WATCH_WRITE ? dns_socket->fd : ARES_SOCKET_BAD);
    rearm(resolver);
}

static void on_timer(struct timer *timer)
{
    struct resolver *resolver = CONTAINER_OF(timer, struct resolver, timer);
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    rearm(resolver);
}

static struct dns_socket *find_socket(struct resolver *resolver, int fd)
{
    LIST_EACH(&resolver->sockets, link)
    {
        struct dns_socket *dns_socket = CONTAINER_OF(link, struct dns_socket, link);
        if (dns_socket->fd == fd) {
            return dns_socket;
        }
    }
    return NULL;
}

/* c-ares tells what it wants of a socket; nothing just before it closes it. */
static void on_socket_state(void *owner, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = owner;
    struct dns_socket *dns_socket = find_socket(resolver, fd);
    unsigned wanted = (readable ? WATCH_READ : 0u) | (writable ? WATCH_WRITE : 0u);
    if (dns_socket == NULL) {
        if (wanted == 0) {
            return;
        }
        dns_socket = NEW(struct dns_socket);
        dns_socket->resolver = resolver;
        dns_socket->fd = fd;
        dns_socket->free_task.run = free_socket;
        watch_init(&dns_socket->watch, resolver->loop, fd, on_socket);
        list_push_back(&resolver->sockets, &dns_socket->link);
    }
    watch_want(&dns_socket->watch, wanted);
    if (wanted == 0) {
        list_remove(&dns_socket->link);
        loop_free_later(resolver->loop, &dns_socket->free_task);
    }
}

struct resolver *resolver_create(struct loop *loop, const char *servers)
{
    if (loop_is_simulated(loop)) {
        return NULL;
    }
    CHECK(pthread_once(&library_once, start_library) == 0);
    struct resolver *resolver = NEW(struct resolver);
    struct ares_options options = {
        .flags = servers != NULL ? ARES_FLAG_NOSEARCH : 0,
        .timeout = TRY_TIMEOUT_MS,
        .maxtimeout = TRY_MAX_MS,
        .tries = TRIES,
        .udp_max_queries = QUERIES_PER_PORT,
        /* Named servers are asked, and nothing else. */
        .lookups = servers != NULL ? (char[]){"b"} : NULL,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = resolver,
        .qcache_max_ttl = 0, /* whoever asks keeps what it needs */
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_MAXTIMEOUTMS | ARES_OPT_TRIES |
               ARES_OPT_UDP_MAX_QUERIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_QUERY_CACHE;
    mask |= servers != NULL ? ARES_OPT_FLAGS | ARES_OPT_LOOKUPS : 0;
    resolver->loop = loop;
    resolver->free_task.run = free_resolver;
    list_init(&resolver->queries);
    list_init(&resolver->sockets);
    timer_init(&resolver->timer, loop, on_timer);
    if (ares_init_options(&resolver->channel, &options, mask) != ARES_SUCCESS) {
        mem_free(resolver);
        return NULL;
    }
    if (servers != NULL && ares_set_servers_ports_csv(resolver->channel, servers) != ARES_SUCCESS) {
        ares_destroy(resolver->channel);
        mem_free(resolver);
        return NULL;
    }
    return resolver;
}

/* Nobody waits for it any more; its memory goes when c-ares has let go as well. */
static void let_go(struct resolver_query *query)
{
    query->on_answer = NULL;
    timer_stop(&query->deadline);
    turn_task_cancel(&query->answer_task);
    if (query->waiting == 0) {
        list_remove(&query->link);
        loop_free_later(query->resolver->loop, &query->free_task);
    }
}

void resolver_destroy(struct resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    resolver->is_closing = true;
    LIST_EACH(&resolver->queries, link)
    {
        let_go(CONTAINER_OF(link, struct resolver_query, link));
    }
    /* Calls back for every query that is still out, and for every socket. */
    ares_destroy(resolver->channel);
    CHECK(list_empty(&resolver->queries) && list_empty(&resolver->sockets));
    timer_stop(&resolver->timer);
    loop_free_later(resolver->loop, &resolver->free_task);
}

/* RFC 8305 section 4: families alternate, IPv6 first. */
static size_t interleave(const struct resolver_query *query, struct address *into)
{
    size_t count = 0;
    for (size_t i = 0; i < RESOLVER_ADDRESSES; i++) {
        for (int p = 0; p < PARTS && count < RESOLVER_ADDRESSES; p++) {
            if (i < query->parts[p].count) {
                into[count++] = query->parts[p].addresses[i];
            }
        }
    }
    return count;
}

static enum resolver_status status_of(const struct resolver_query *query, size_t count)
{
    if (query->is_bad_name) {
        return RESOLVER_BAD_NAME;
    }
    if (count > 0) {
        return RESOLVER_OK;
    }
    /* "No such name" only when both families say so: SERVFAIL for one of them proves nothing. */
    for (int p = 0; p < PARTS; p++) {
        if (query->waiting > 0 || query->parts[p].status != RESOLVER_NO_NAME) {
            return RESOLVER_TEMPORARY;
        }
    }
    return RESOLVER_NO_NAME;
}

static int64_t clamp_ttl_ms(int64_t ttl_s)
{
    int64_t ms = ttl_s > MOST_TTL_MS / 1000 ? MOST_TTL_MS : ttl_s * 1000;
    return ms < LEAST_TTL_MS ? LEAST_TTL_MS : ms;
}

static void run_answer(struct turn_task *task)
{
    struct resolver_query *query = CONTAINER_OF(task, struct resolver_query, answer_task);
    struct address addresses[RESOLVER_ADDRESSES];
    struct resolver_answer answer = {.addresses = addresses, .ttl_ms = FAILURE_TTL_MS};
    answer.count = interleave(query, addresses);
    answer.status = status_of(query, answer.count);
    if (answer.status == RESOLVER_OK) {
        answer.ttl_ms = clamp_ttl_ms(query->ttl_s);
    }
    void (*on_answer)(void *owner, const struct resolver_answer *answer) = query->on_answer;
    void *owner = query->owner;
    let_go(query);
    on_answer(owner, &answer);
}

static void on_deadline(struct timer *timer)
{
    struct resolver_query *query = CONTAINER_OF(timer, struct resolver_query, deadline);
    run_answer(&query->answer_task);
}

static enum resolver_status map_status(int status)
{
    switch (status) {
    case ARES_SUCCESS:
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
        return RESOLVER_NO_NAME;
    default:
        return RESOLVER_TEMPORARY;
    }
}

static void note_ttl(struct resolver_query *query, int64_t ttl_s)
{
    if (query->ttl_s < 0 || ttl_s < query->ttl_s) {
        query->ttl_s = ttl_s > 0 ? ttl_s : 0;
    }
}

static void take_addresses(struct resolver_query *query, struct part *part,
                           const struct ares_addrinfo *found)
{
    for (const struct ares_addrinfo_cname *name = found->cnames; name != NULL; name = name->next) {
        note_ttl(query, name->ttl);
    }
    for (const struct ares_addrinfo_node *node = found->nodes;
         node != NULL && part->count < RESOLVER_ADDRESSES; node = node->ai_next) {
        struct address address;
        if (address_from_sockaddr(node->ai_addr, &address)) {
            address.port = 0;
            part->addresses[part->count++] = address;
            note_ttl(query, node->ai_ttl);
        }
    }
}

/* Comes from inside of c-ares, perhaps from inside of resolver_ask: it only notes. */
static void on_part(struct resolver_query *query, struct part *part, int status,
                    struct ares_addrinfo *found)
{
    part->status = map_status(status);
    if (status == ARES_SUCCESS && found != NULL) {
        take_addresses(query, part, found);
    }
    ares_freeaddrinfo(found);
    query->waiting--;
    if (query->waiting > 0) {
        return;
    }
    if (query->on_answer != NULL) {
        timer_stop(&query->deadline);
        loop_ready_later(query->resolver->loop, &query->answer_task);
    } else {
        let_go(query);
    }
}

static void on_v6(void *owner, int status, int timeouts, struct ares_addrinfo *found)
{
    struct resolver_query *query = owner;
    on_part(query, &query->parts[PART_V6], status, found);
}

static void on_v4(void *owner, int status, int timeouts, struct ares_addrinfo *found)
{
    struct resolver_query *query = owner;
    on_part(query, &query->parts[PART_V4], status, found);
}

static bool is_name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';
}

/* Letters, digits, '-' and '_' in labels of 1 to 63 bytes; a dot at the end is allowed. */
static bool is_name(struct span name)
{
    if (name.length > 0 && name.at[name.length - 1] == '.') {
        name.length--;
    }
    if (name.length == 0 || name.length > RESOLVER_NAME_BYTES) {
        return false;
    }
    size_t label = 0;
    for (size_t i = 0; i < name.length; i++) {
        if (name.at[i] == '.') {
            if (label == 0) {
                return false;
            }
            label = 0;
        } else if (!is_name_byte(name.at[i]) || ++label > LABEL_BYTES) {
            return false;
        }
    }
    return label > 0;
}

/* An address stands for itself. */
static bool take_literal(struct resolver_query *query, struct span name)
{
    struct address address;
    if (!address_parse_ip(name, &address)) {
        return false;
    }
    struct part *part = &query->parts[address.family == 6 ? PART_V6 : PART_V4];
    part->addresses[part->count++] = address;
    query->ttl_s = MOST_TTL_MS / 1000;
    return true;
}

static void ask_servers(struct resolver_query *query, struct span name)
{
    char text[RESOLVER_NAME_BYTES + 2];
    struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT, .ai_socktype = SOCK_STREAM};
    memcpy(text, name.at, name.length);
    text[name.length] = '\0';
    ares_channel_t *channel = query->resolver->channel;
    /* Two questions instead of AF_UNSPEC, so that each family's failure is known. */
    query->waiting = PARTS;
    timer_start(&query->deadline, QUERY_TIMEOUT_NS);
    hints.ai_family = AF_INET6;
    ares_getaddrinfo(channel, text, NULL, &hints, on_v6, query);
    hints.ai_family = AF_INET;
    ares_getaddrinfo(channel, text, NULL, &hints, on_v4, query);
    rearm(query->resolver);
}

struct resolver_query *
resolver_ask(struct resolver *resolver, struct span name,
             void (*on_answer)(void *owner, const struct resolver_answer *answer), void *owner)
{
    struct resolver_query *query = NEW(struct resolver_query);
    query->resolver = resolver;
    query->on_answer = on_answer;
    query->owner = owner;
    query->ttl_s = -1;
    query->answer_task.run = run_answer;
    query->free_task.run = free_query;
    timer_init(&query->deadline, resolver->loop, on_deadline);
    list_push_back(&resolver->queries, &query->link);
    query->is_bad_name = !take_literal(query, name) && !is_name(name);
    if (query->is_bad_name || query->ttl_s >= 0) {
        loop_ready_later(resolver->loop, &query->answer_task);
    } else {
        ask_servers(query, name);
    }
    return query;
}

void resolver_cancel(struct resolver_query *query)
{
    let_go(query);
}
