#include "proxy/config/phone_book.h"

#include "lib/base/map.h"
#include "lib/base/memory.h"

#include <stdlib.h>
#include <string.h>

/* In-cluster names end so, and are not kept: they follow from the entry's name. */
static const char service_suffix[] = ".svc.cluster.local";

enum { HOST_BYTES = 253 };

struct book_port {
    uint16_t port;
    uint16_t local_port;
    uint8_t protocol;
};

/* As many as services in the mesh: 32 bytes. */
struct book_entry {
    const char *name;
    const char *host; /* NULL: NAME.NAMESPACE.svc.cluster.local */
    const struct xds_endpoint *workload;
    uint32_t ports; /* index of the first */
    uint16_t port_count;
    uint8_t kind;
};

/* entry: index + 1; 0 = free. */
struct book_slot4 {
    uint8_t ip[4];
    uint32_t entry;
};

struct book_slot6 {
    uint8_t ip[16];
    uint32_t entry;
};

struct phone_book {
    struct refcount references;
    struct arena arena; /* workloads */
    char *texts;        /* names and hosts */
    size_t text_bytes;
    struct book_entry *entries; /* services and external hosts by name, then workloads */
    size_t entry_count;
    size_t named_count; /* without workloads */
    struct book_port *ports;
    size_t port_count;
    struct book_slot4 *slots4; /* open addressing by IP; most meshes have no other */
    size_t mask4;
    struct book_slot6 *slots6;
    size_t mask6;
    struct map hosts; /* EXTERNAL host or "*.suffix", lower case -> book_entry */
    size_t *locals;   /* indexes of ports with a local port, as entry << 16 | port */
    size_t local_count;
};

/* ---- Building -------------------------------------------------------------------------------- */

static struct span derived_host(struct span name, struct arena *arena)
{
    size_t slash = span_find_byte(name, '/');
    return span_of(arena_printf(arena, "%.*s.%.*s%s",
                                SPAN_ARG(span_cut(name, slash + 1, name.length)),
                                SPAN_ARG(span_cut(name, 0, slash)), service_suffix));
}

static bool host_is_derived(const struct xds_phone_entry *entry)
{
    size_t slash = span_find_byte(entry->name, '/');
    size_t service = entry->name.length - slash - 1;
    return entry->kind == XDS_PHONE_SERVICE && slash < entry->name.length &&
           entry->host.length == entry->name.length + sizeof(service_suffix) - 1 &&
           span_ends_with(entry->host, span_of(service_suffix)) &&
           span_equal(span_cut(entry->host, 0, service),
                      span_cut(entry->name, slash + 1, entry->name.length)) &&
           entry->host.at[service] == '.' &&
           span_equal(span_cut(entry->host, service + 1, entry->name.length),
                      span_cut(entry->name, 0, slash));
}

/* Without the dot that ends an absolute name. False: no host name, or too long for one. */
static bool lower_host(struct span host, char *into, struct span *ret)
{
    if (host.length > 0 && host.at[host.length - 1] == '.') {
        host.length--;
    }
    if (host.length == 0 || host.length > HOST_BYTES) {
        return false;
    }
    for (size_t i = 0; i < host.length; i++) {
        char byte = host.at[i];
        into[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
    }
    *ret = span_make(into, host.length);
    return true;
}

static size_t hash_of(const struct address *address)
{
    struct address ip = *address;
    ip.port = 0;
    return (size_t)address_hash(&ip);
}

/* The place of the address's entry: that of a free slot, which with claim becomes the address's,
 * when it has none. */
static uint32_t *entry4_of(const struct phone_book *book, const struct address *address, bool claim)
{
    struct book_slot4 *slot = &book->slots4[hash_of(address) & book->mask4];
    while (slot->entry != 0 && memcmp(slot->ip, address->bytes, sizeof(slot->ip)) != 0) {
        slot = slot == &book->slots4[book->mask4] ? book->slots4 : slot + 1;
    }
    if (claim && slot->entry == 0) {
        memcpy(slot->ip, address->bytes, sizeof(slot->ip));
    }
    return &slot->entry;
}

static uint32_t *entry6_of(const struct phone_book *book, const struct address *address, bool claim)
{
    struct book_slot6 *slot = &book->slots6[hash_of(address) & book->mask6];
    while (slot->entry != 0 && memcmp(slot->ip, address->bytes, sizeof(slot->ip)) != 0) {
        slot = slot == &book->slots6[book->mask6] ? book->slots6 : slot + 1;
    }
    if (claim && slot->entry == 0) {
        memcpy(slot->ip, address->bytes, sizeof(slot->ip));
    }
    return &slot->entry;
}

static uint32_t *entry_of(const struct phone_book *book, const struct address *address, bool claim)
{
    return address->family == 6 ? entry6_of(book, address, claim) : entry4_of(book, address, claim);
}

static size_t add_addresses(struct phone_book *book, const struct xds_phone_entry *from,
                            uint32_t index)
{
    size_t conflicts = 0;
    for (uint32_t i = 0; i < from->address_count; i++) {
        uint32_t *entry = entry_of(book, &from->addresses[i], true);
        if (*entry != 0) {
            conflicts++;
            continue;
        }
        *entry = index + 1;
    }
    return conflicts;
}

static size_t add_hosts(struct phone_book *book, const struct xds_phone_entry *from,
                        struct book_entry *entry)
{
    size_t conflicts = 0;
    char lower[HOST_BYTES];
    for (uint32_t i = 0; from->kind == XDS_PHONE_EXTERNAL && i < from->host_count; i++) {
        struct span host;
        if (!lower_host(from->hosts[i], lower, &host) || map_get(&book->hosts, host) != NULL) {
            conflicts++;
            continue;
        }
        map_put(&book->hosts, host, entry);
    }
    return conflicts;
}

static void add_ports(struct phone_book *book, const struct xds_phone_entry *from,
                      struct book_entry *entry, uint32_t index)
{
    entry->ports = (uint32_t)book->port_count;
    for (uint32_t i = 0; i < from->port_count && i < UINT16_MAX; i++) {
        const struct xds_phone_port *port = &from->ports[i];
        book->ports[book->port_count++] = (struct book_port){
            .port = port->port, .local_port = port->local_port, .protocol = port->protocol};
        entry->port_count++;
        if (port->local_port != 0) {
            book->locals[book->local_count++] = ((size_t)index << 16) | i;
        }
    }
}

static struct xds_endpoint *copy_workload(struct phone_book *book, const struct xds_endpoint *from)
{
    struct xds_endpoint *copy = arena_dup(&book->arena, from, sizeof(*from));
    copy->hostname = arena_span(&book->arena, from->hostname);
    copy->identity = arena_span(&book->arena, from->identity);
    copy->workload = arena_span(&book->arena, from->workload);
    copy->version = arena_span(&book->arena, from->version);
    return copy;
}

static size_t text_size(const struct xds_phone_entry *from)
{
    return from->name.length + 1 + (host_is_derived(from) ? 0 : from->host.length + 1);
}

static const char *add_text(struct phone_book *book, struct span from)
{
    char *text = book->texts + book->text_bytes;
    if (from.length > 0) {
        memcpy(text, from.at, from.length);
    }
    text[from.length] = '\0';
    book->text_bytes += from.length + 1;
    return text;
}

static size_t add_entry(struct phone_book *book, const struct xds_phone_entry *from)
{
    uint32_t index = (uint32_t)book->entry_count++;
    struct book_entry *entry = &book->entries[index];
    entry->name = add_text(book, from->name);
    entry->kind = from->kind;
    entry->host = host_is_derived(from) ? NULL : add_text(book, from->host);
    if (from->kind == XDS_PHONE_WORKLOAD) {
        entry->workload = copy_workload(book, &from->workload);
    } else {
        book->named_count++;
    }
    add_ports(book, from, entry, index);
    return add_addresses(book, from, index) + add_hosts(book, from, entry);
}

static size_t table_size(size_t addresses)
{
    size_t size = 8;
    while (size < addresses + addresses / 2) {
        size *= 2;
    }
    return size;
}

/* The order in which entries take addresses and are found by name. */
static int compare_entries(const void *a, const void *b)
{
    const struct xds_phone_entry *one = *(const struct xds_phone_entry *const *)a;
    const struct xds_phone_entry *other = *(const struct xds_phone_entry *const *)b;
    int kinds = (one->kind == XDS_PHONE_WORKLOAD) - (other->kind == XDS_PHONE_WORKLOAD);
    return kinds != 0 ? kinds : span_compare(one->name, other->name);
}

struct phone_book *phone_book_create(const struct xds_phone_entry *const *entries, size_t count,
                                     size_t *ret_conflicts)
{
    struct phone_book *book = NEW(struct phone_book);
    size_t addresses4 = 0;
    size_t addresses6 = 0;
    size_t ports = 0;
    size_t locals = 0;
    size_t text_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        text_bytes += text_size(entries[i]);
        for (uint32_t a = 0; a < entries[i]->address_count; a++) {
            bool is6 = entries[i]->addresses[a].family == 6;
            addresses6 += is6;
            addresses4 += !is6;
        }
        ports += entries[i]->port_count;
        for (uint32_t p = 0; p < entries[i]->port_count; p++) {
            locals += entries[i]->ports[p].local_port != 0;
        }
    }
    refcount_init(&book->references);
    arena_init(&book->arena);
    map_init(&book->hosts);
    book->texts = mem_alloc(text_bytes);
    book->entries = mem_array(count + 1, sizeof(struct book_entry));
    book->ports = mem_array(ports + 1, sizeof(struct book_port));
    book->locals = mem_array(locals + 1, sizeof(size_t));
    book->mask4 = table_size(addresses4) - 1;
    book->slots4 = mem_array(book->mask4 + 1, sizeof(struct book_slot4));
    book->mask6 = table_size(addresses6) - 1;
    book->slots6 = mem_array(book->mask6 + 1, sizeof(struct book_slot6));
    const struct xds_phone_entry **sorted = mem_array(count + 1, sizeof(*sorted));
    if (count > 0) {
        memcpy(sorted, entries, count * sizeof(*sorted));
        qsort(sorted, count, sizeof(*sorted), compare_entries);
    }
    size_t conflicts = 0;
    for (size_t i = 0; i < count; i++) {
        conflicts += add_entry(book, sorted[i]);
    }
    mem_free(sorted);
    *ret_conflicts = conflicts;
    return book;
}

struct phone_book *phone_book_ref(struct phone_book *book)
{
    refcount_up(&book->references);
    return book;
}

void phone_book_unref(struct phone_book *book)
{
    if (book == NULL || !refcount_down(&book->references)) {
        return;
    }
    map_done(&book->hosts);
    mem_free(book->texts);
    mem_free(book->entries);
    mem_free(book->ports);
    mem_free(book->locals);
    mem_free(book->slots4);
    mem_free(book->slots6);
    arena_done(&book->arena);
    mem_free(book);
}

size_t phone_book_size(const struct phone_book *book)
{
    return book->entry_count;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static void fill_number(const struct book_entry *entry, const struct book_port *port,
                        struct arena *arena, struct phone_number *ret)
{
    struct span name = span_of(entry->name);
    *ret = (struct phone_number){
        .entry = name,
        .host = entry->host != NULL ? span_of(entry->host) : derived_host(name, arena),
        .kind = entry->kind,
        .workload = entry->workload,
    };
    if (port != NULL) {
        ret->port = port->port;
        ret->protocol = port->protocol;
        ret->listener =
            span_of(arena_printf(arena, "%.*s:%u", SPAN_ARG(ret->host), (unsigned)port->port));
    }
}

static bool find_port(const struct phone_book *book, const struct book_entry *entry, uint16_t port,
                      struct arena *arena, struct phone_number *ret)
{
    for (uint32_t i = 0; i < entry->port_count; i++) {
        const struct book_port *line = &book->ports[entry->ports + i];
        if (line->port == port) {
            fill_number(entry, line, arena, ret);
            return true;
        }
    }
    return false;
}

static bool find_workload_port(const struct phone_book *book, const struct book_entry *entry,
                               const struct address *to, struct arena *arena,
                               struct phone_number *ret)
{
    fill_number(entry, NULL, arena, ret);
    ret->port = to->port;
    ret->protocol = entry->workload->protocol;
    for (uint32_t i = 0; i < entry->port_count; i++) {
        const struct book_port *line = &book->ports[entry->ports + i];
        if (line->port == to->port) {
            ret->protocol = line->protocol;
        }
    }
    /* One workload answers on many ports, and in two families: what was dialled counts. */
    struct xds_endpoint *workload = arena_dup(arena, entry->workload, sizeof(*entry->workload));
    workload->address = *to;
    workload->protocol = ret->protocol;
    ret->workload = workload;
    return true;
}

bool phone_book_find(const struct phone_book *book, const struct address *to, struct arena *arena,
                     struct phone_number *ret_number)
{
    uint32_t found = *entry_of(book, to, false);
    if (to->family == 0 || found == 0) {
        return false;
    }
    const struct book_entry *entry = &book->entries[found - 1];
    if (entry->kind == XDS_PHONE_WORKLOAD) {
        return find_workload_port(book, entry, to, arena, ret_number);
    }
    return find_port(book, entry, to->port, arena, ret_number);
}

bool phone_book_has_ip(const struct phone_book *book, const struct address *to)
{
    return to->family != 0 && *entry_of(book, to, false) != 0;
}

bool phone_book_find_host(const struct phone_book *book, struct span host, uint16_t port,
                          struct arena *arena, struct phone_number *ret_number)
{
    char lower[HOST_BYTES];
    if (!lower_host(host, lower, &host)) {
        return false;
    }
    const struct book_entry *entry = map_get(&book->hosts, host);
    /* "*.suffix" stands for one or more labels; the longest suffix is met first. */
    for (size_t i = 1; entry == NULL && i + 1 < host.length; i++) {
        if (lower[i] == '.') {
            lower[i - 1] = '*';
            entry = map_get(&book->hosts, span_make(lower + i - 1, host.length - i + 1));
        }
    }
    return entry != NULL && find_port(book, entry, port, arena, ret_number);
}

static const struct book_entry *search(const struct phone_book *book, struct span name)
{
    size_t low = 0;
    size_t high = book->named_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = span_compare(span_of(book->entries[middle].name), name);
        if (order == 0) {
            return &book->entries[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

/* "api.shop.svc.cluster.local" and "api.shop" are both "shop/api". */
static const struct book_entry *find_name(const struct phone_book *book, struct span name)
{
    if (span_find_byte(name, '/') < name.length) {
        return search(book, name);
    }
    if (span_ends_with(name, span_of(service_suffix))) {
        name = span_cut(name, 0, name.length - (sizeof(service_suffix) - 1));
    }
    size_t dot = span_find_byte(name, '.');
    struct arena scratch = {0};
    struct span turned =
        span_of(arena_printf(&scratch, "%.*s/%.*s", SPAN_ARG(span_cut(name, dot + 1, name.length)),
                             SPAN_ARG(span_cut(name, 0, dot))));
    const struct book_entry *entry = search(book, turned);
    arena_done(&scratch);
    return entry;
}

bool phone_book_find_service(const struct phone_book *book, struct span name, uint16_t port,
                             struct arena *arena, struct phone_number *ret_number)
{
    const struct book_entry *entry = find_name(book, name);
    return entry != NULL && find_port(book, entry, port, arena, ret_number);
}

bool phone_book_next_local(const struct phone_book *book, size_t *at, struct arena *arena,
                           struct phone_number *ret_number, uint16_t *ret_local_port)
{
    if (*at >= book->local_count) {
        return false;
    }
    size_t packed = book->locals[(*at)++];
    const struct book_entry *entry = &book->entries[packed >> 16];
    const struct book_port *port = &book->ports[entry->ports + (packed & 0xffff)];
    fill_number(entry, port, arena, ret_number);
    *ret_local_port = port->local_port;
    return true;
}
