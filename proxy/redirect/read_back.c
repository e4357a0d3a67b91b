#include "proxy/redirect/read_back.h"

#include "lib/base/memory.h"
#include "proxy/redirect/rules.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct read_back {
    json_t *root;
    json_t *objects; /* borrowed from root: [{"table": {...}}, {"rule": {...}}, ...] */
};

struct read_back *read_back_parse(struct span json, struct text *ret_problem)
{
    json_error_t error;
    json_t *root = json_loadb(json.at, json.length, 0, &error);
    json_t *objects = json_object_get(root, "nftables");
    if (!json_is_array(objects)) {
        text_printf(ret_problem, "nftables listed something that is not its JSON: %s",
                    root == NULL ? error.text : "no array \"nftables\"");
        json_decref(root);
        return NULL;
    }
    struct read_back *listing = NEW(struct read_back);
    listing->root = root;
    listing->objects = objects;
    return listing;
}

void read_back_destroy(struct read_back *listing)
{
    if (listing != NULL) {
        json_decref(listing->root);
        mem_free(listing);
    }
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : "";
}

/* A copy without what differs between two tables that mean the same: names, handles, counts. */
static json_t *normal_form(const json_t *object)
{
    json_t *copy = json_deep_copy(object);
    json_object_del(copy, "handle");
    json_object_del(copy, "table");
    size_t i;
    json_t *expression;
    json_array_foreach(json_object_get(copy, "expr"), i, expression)
    {
        if (json_object_get(expression, "counter") != NULL) {
            json_object_set_new(expression, "counter", json_null());
        }
    }
    return copy;
}

/* All objects of a kind, in normal form. */
static json_t *collect(const struct read_back *listing, const char *kind)
{
    json_t *found = json_array();
    size_t i;
    json_t *entry;
    json_array_foreach(listing->objects, i, entry)
    {
        const json_t *object = json_object_get(entry, kind);
        if (object != NULL) {
            json_array_append_new(found, normal_form(object));
        }
    }
    return found;
}

/* What a person calls it: a rule by its comment, all else by name. */
static const char *name_of(const char *kind, const json_t *object)
{
    return text_of(object, strcmp(kind, "rule") == 0 ? "comment" : "name");
}

static bool is_same_one(const char *kind, const json_t *a, const json_t *b)
{
    return strcmp(name_of(kind, a), name_of(kind, b)) == 0 &&
           strcmp(text_of(a, "chain"), text_of(b, "chain")) == 0;
}

static json_t *find_same_one(const char *kind, const json_t *among, const json_t *wanted)
{
    size_t i;
    json_t *object;
    json_array_foreach(among, i, object)
    {
        if (is_same_one(kind, object, wanted)) {
            return object;
        }
    }
    return NULL;
}

static void describe(const char *kind, const json_t *object, const char *what,
                     struct read_back_difference *ret_difference)
{
    const char *name = name_of(kind, object);
    const char *chain = text_of(object, "chain");
    name = name[0] != '\0' ? name : "(without a name)";
    snprintf(ret_difference->name, sizeof(ret_difference->name), "%s", name);
    text_printf(&ret_difference->words, "%s %s%s%s %s", kind, name,
                chain[0] != '\0' ? " of chain " : "", chain, what);
}

static bool same_kind(const char *kind, const json_t *installed, const json_t *wanted,
                      struct read_back_difference *ret_difference)
{
    size_t i;
    json_t *object;
    json_array_foreach(wanted, i, object)
    {
        const json_t *there = find_same_one(kind, installed, object);
        if (there == NULL || !json_equal(there, object)) {
            describe(kind, object, there == NULL ? "is missing" : "is not as it was installed",
                     ret_difference);
            return false;
        }
    }
    json_array_foreach(installed, i, object)
    {
        if (!json_equal(object, json_array_get(wanted, i))) {
            describe(kind, object, "is not ours, or not in its place", ret_difference);
            return false;
        }
    }
    return true;
}

static bool is_hooked(const json_t *chains, const char *name, const char *hook)
{
    size_t i;
    json_t *chain;
    json_array_foreach(chains, i, chain)
    {
        if (strcmp(text_of(chain, "name"), name) == 0) {
            return strcmp(text_of(chain, "type"), "nat") == 0 &&
                   strcmp(text_of(chain, "hook"), hook) == 0 &&
                   strcmp(text_of(chain, "policy"), "accept") == 0 &&
                   json_integer_value(json_object_get(chain, "prio")) == RULES_PRIORITY;
        }
    }
    return false;
}

static bool same_chains(const struct read_back *installed,
                        struct read_back_difference *ret_difference)
{
    static const char *const hooks[][2] = {
        {RULES_CHAIN_IN, RULES_HOOK_IN},
        {RULES_CHAIN_OUT, RULES_HOOK_OUT},
    };
    json_t *chains = collect(installed, "chain");
    bool same = true;
    for (size_t i = 0; same && i < sizeof(hooks) / sizeof(hooks[0]); i++) {
        same = is_hooked(chains, hooks[i][0], hooks[i][1]);
        if (!same) {
            snprintf(ret_difference->name, sizeof(ret_difference->name), "%s", hooks[i][0]);
            text_printf(&ret_difference->words,
                        "there is no nat chain %s with priority %d at the %s hook", hooks[i][0],
                        RULES_PRIORITY, hooks[i][1]);
        }
    }
    json_decref(chains);
    return same;
}

bool read_back_same(const struct read_back *installed, const struct read_back *twin,
                    struct read_back_difference *ret_difference)
{
    static const char *const kinds[] = {"set", "rule"};
    bool same = same_chains(installed, ret_difference);
    for (size_t i = 0; same && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        json_t *there = collect(installed, kinds[i]);
        json_t *wanted = collect(twin, kinds[i]);
        same = same_kind(kinds[i], there, wanted, ret_difference);
        json_decref(there);
        json_decref(wanted);
    }
    return same;
}

static uint64_t packets_of(const json_t *rule)
{
    uint64_t packets = 0;
    size_t i;
    json_t *expression;
    json_array_foreach(json_object_get(rule, "expr"), i, expression)
    {
        const json_t *counter = json_object_get(expression, "counter");
        packets += (uint64_t)json_integer_value(json_object_get(counter, "packets"));
    }
    return packets;
}

uint64_t read_back_packets(const struct read_back *listing, const char *name_prefix)
{
    uint64_t packets = 0;
    size_t i;
    json_t *entry;
    json_array_foreach(listing->objects, i, entry)
    {
        const json_t *rule = json_object_get(entry, "rule");
        if (strncmp(text_of(rule, "comment"), name_prefix, strlen(name_prefix)) == 0) {
            packets += packets_of(rule);
        }
    }
    return packets;
}

static bool is_stranger(const json_t *chain)
{
    const char *hook = text_of(chain, "hook");
    return strcmp(text_of(chain, "type"), "nat") == 0 &&
           strcmp(text_of(chain, "table"), RULES_TABLE) != 0 &&
           (strcmp(hook, RULES_HOOK_IN) == 0 || strcmp(hook, RULES_HOOK_OUT) == 0) &&
           json_integer_value(json_object_get(chain, "prio")) <= RULES_PRIORITY;
}

size_t read_back_strangers(const struct read_back *chains, struct text *ret_lines)
{
    size_t count = 0;
    size_t i;
    json_t *entry;
    json_array_foreach(chains->objects, i, entry)
    {
        const json_t *chain = json_object_get(entry, "chain");
        if (is_stranger(chain)) {
            text_printf(ret_lines, "%schain %s of table %s %s translates at the %s hook before us",
                        count > 0 ? "; " : "", text_of(chain, "name"), text_of(chain, "family"),
                        text_of(chain, "table"), text_of(chain, "hook"));
            count++;
        }
    }
    return count;
}
