#include "proxy/upstream/cluster_dns.h"

#include "lib/base/memory.h"
#include "proxy/upstream/cluster_run.h"
#include "proxy/upstream/texts.h"

struct name {
    struct cluster_dns *dns;
    struct span host;
    char *text;
    struct resolver_query *query; /* under way */
    struct timer timer;           /* when the answer is too old */
    struct address *addresses;    /* the last good answer */
    size_t count;
    bool asked; /* an answer came, good or not */
    bool stale;
};

struct cluster_dns {
    struct cluster *cluster;
    struct name *names;
    size_t count;
    bool used; /* since the last renewal */
};

static void rebuild(struct cluster_dns *dns, bool all_new);

static void ask(struct name *name);

/* Which name of an earlier set this is; NULL = none. */
static struct name *find(const struct cluster_dns *dns, struct span host)
{
    for (size_t i = 0; dns != NULL && i < dns->count; i++) {
        if (span_equal_nocase(dns->names[i].host, host)) {
            return &dns->names[i];
        }
    }
    return NULL;
}

static bool same_set(const struct name *name, const struct resolver_answer *answer)
{
    if (name->count != answer->count) {
        return false;
    }
    for (size_t i = 0; i < name->count; i++) {
        bool there = false;
        for (size_t j = 0; j < answer->count && !there; j++) {
            there = address_equal_ip(&name->addresses[i], &answer->addresses[j]);
        }
        if (!there) {
            return false;
        }
    }
    return true;
}

static void on_answer(void *owner, const struct resolver_answer *answer)
{
    struct name *name = owner;
    struct cluster_dns *dns = name->dns;
    name->query = NULL;
    name->asked = true;
    name->stale = false;
    /* A tenth early, so that a busy cluster never finds its answer too old. */
    timer_start(&name->timer, answer->ttl_ms * NS_PER_MS / 10 * 9);
    if (answer->status == RESOLVER_OK && answer->count > 0 && !same_set(name, answer)) {
        mem_free(name->addresses);
        name->count = answer->count;
        name->addresses = mem_dup(answer->addresses, answer->count * sizeof(struct address));
        rebuild(dns, false);
    }
    /* Those who wait in vain are told. */
    cluster_settle_later(dns->cluster);
}

static void ask(struct name *name)
{
    struct upstream *upstream = name->dns->cluster->upstream;
    if (name->query == NULL && upstream->resolver != NULL) {
        name->query = upstream->net->ask(upstream->resolver, name->host, on_answer, name);
    }
    if (upstream->resolver == NULL) {
        name->asked = true;
    }
}

static void on_timer(struct timer *timer)
{
    struct name *name = CONTAINER_OF(timer, struct name, timer);
    struct cluster_dns *dns = name->dns;
    if (dns->used || dns->cluster->leases > 0) {
        dns->used = false;
        ask(name);
    } else {
        name->stale = true;
    }
}

void cluster_dns_used(struct cluster_dns *dns)
{
    dns->used = true;
    for (size_t i = 0; i < dns->count; i++) {
        if (dns->names[i].stale) {
            dns->names[i].stale = false;
            ask(&dns->names[i]);
        }
    }
}

bool cluster_dns_failed(const struct cluster_dns *dns)
{
    for (size_t i = 0; i < dns->count; i++) {
        if (!dns->names[i].asked || dns->names[i].count > 0) {
            return false;
        }
    }
    return true;
}

/* A name that is an address needs no question. */
static bool literal(const struct endpoint_config *config, struct address *ret_address)
{
    *ret_address = config->facts.address;
    return config->facts.address.family != 0 ||
           address_parse_ip(config->facts.hostname, ret_address);
}

/* The endpoint's own facts with an address in place of the name. */
static struct endpoint_config resolved(const struct endpoint_config *config,
                                       const struct address *address)
{
    struct endpoint_config own = *config;
    own.facts.address = *address;
    own.facts.address.port = config->facts.address.port;
    own.key = address_hash(&own.facts.address) ^ span_hash(own.facts.hostname, 0);
    return own;
}

/* own: room for an address of the endpoint itself. */
static size_t addresses_of(const struct cluster_dns *dns, const struct endpoint_config *config,
                           struct address *own, const struct address **ret_addresses)
{
    if (literal(config, own)) {
        *ret_addresses = own;
        return 1;
    }
    const struct name *name = find(dns, config->facts.hostname);
    if (name == NULL) {
        return 0;
    }
    *ret_addresses = name->addresses;
    bool one = dns->cluster->config->facts.type == XDS_CLUSTER_LOGICAL_DNS;
    return one && name->count > 1 ? 1 : name->count;
}

static void rebuild(struct cluster_dns *dns, bool all_new)
{
    const struct cluster_config *config = dns->cluster->config;
    const struct address *addresses;
    struct address one;
    size_t count = 0;
    for (uint32_t i = 0; i < config->endpoint_count; i++) {
        count += addresses_of(dns, &config->endpoints[i], &one, &addresses);
    }
    struct endpoint_config *own = mem_array(count + 1, sizeof(*own));
    const struct endpoint_config **configs =
        mem_array(count + 1, sizeof(const struct endpoint_config *));
    size_t at = 0;
    for (uint32_t i = 0; i < config->endpoint_count; i++) {
        size_t its = addresses_of(dns, &config->endpoints[i], &one, &addresses);
        for (size_t j = 0; j < its; j++) {
            own[at] = resolved(&config->endpoints[i], &addresses[j]);
            configs[at] = &own[at];
            at++;
        }
    }
    cluster_set_endpoints(dns->cluster, configs, count, all_new);
    mem_free(configs);
    mem_free(own);
}

static void add_name(struct cluster_dns *dns, const struct cluster_dns *old, struct span host)
{
    struct name *name = &dns->names[dns->count++];
    name->dns = dns;
    name->host = host;
    struct span *const spans[] = {&name->host};
    name->text = texts_copy(spans, 1);
    timer_init(&name->timer, dns->cluster->upstream->loop, on_timer);
    const struct name *before = find(old, host);
    if (before != NULL && before->count > 0) {
        name->count = before->count;
        name->addresses = mem_dup(before->addresses, before->count * sizeof(struct address));
    }
}

struct cluster_dns *cluster_dns_update(struct cluster_dns *old, struct cluster *cluster,
                                       bool all_new)
{
    const struct cluster_config *config = cluster->config;
    struct cluster_dns *dns = NEW(struct cluster_dns);
    dns->cluster = cluster;
    dns->names = mem_array(config->endpoint_count + 1, sizeof(struct name));
    for (uint32_t i = 0; i < config->endpoint_count; i++) {
        struct address address;
        struct span host = config->endpoints[i].facts.hostname;
        if (!literal(&config->endpoints[i], &address) && find(dns, host) == NULL) {
            add_name(dns, old, host);
        }
    }
    cluster_dns_destroy(old);
    for (size_t i = 0; i < dns->count; i++) {
        ask(&dns->names[i]);
    }
    rebuild(dns, all_new);
    return dns;
}

void cluster_dns_destroy(struct cluster_dns *dns)
{
    if (dns == NULL) {
        return;
    }
    for (size_t i = 0; i < dns->count; i++) {
        struct name *name = &dns->names[i];
        if (name->query != NULL) {
            dns->cluster->upstream->net->cancel(name->query);
        }
        timer_stop(&name->timer);
        mem_free(name->addresses);
        mem_free(name->text);
    }
    mem_free(dns->names);
    mem_free(dns);
}
