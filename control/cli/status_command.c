#include "control/cli/daemon_link.h"
#include "control/cli/table.h"
#include "lib/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Objects --------------------------------------------------------------------------------- */

/* The condition that matters: the first that does not hold, else the last. "Programmed" says only
 * what follows when another does not hold. */
static const json_t *telling_condition(const json_t *object)
{
    const json_t *found = NULL;
    const json_t *follows = NULL;
    size_t at;
    json_t *condition;
    json_array_foreach(json_object_get(object, "conditions"), at, condition)
    {
        found = condition;
        if (member_true(condition, "status")) {
            continue;
        }
        if (strcmp(member_text(condition, "type"), "Programmed") != 0) {
            return condition;
        }
        follows = condition;
    }
    return follows != NULL ? follows : found;
}

static bool object_is_good(const json_t *object)
{
    const json_t *condition = telling_condition(object);
    return condition == NULL || member_true(condition, "status");
}

static void add_object(struct table *table, const json_t *object)
{
    const json_t *condition = telling_condition(object);
    const char *state = "ok";
    const char *words = "";
    const char *field = "";
    if (!object_is_good(object)) {
        state = member_text(condition, "reason");
        field = member_text(condition, "field");
        words = member_text(condition, "message");
    } else if (!member_true(object, "inForce")) {
        state = "NotInForce";
        words = "read and checked; nothing acts on this kind yet";
    } else if (json_array_size(json_object_get(object, "fieldsNotInForce")) > 0) {
        state = "Partly";
        words = "some fields have no effect yet (-o json names them)";
    }
    table_add(table, "%s", member_text(object, "kind"));
    table_add(table, "%s", member_text(object, "namespace"));
    table_add(table, "%s", member_text(object, "name"));
    table_add(table, "%s", state);
    table_add(table, "%s:%lld", member_text(object, "file"),
              (long long)member_number(object, "line"));
    table_add(table, "%s%s%s", field, field[0] != '\0' ? ": " : "", words);
}

static int compare_objects(const void *a, const void *b)
{
    static const char *const order[] = {"kind", "namespace", "name"};
    int result = 0;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && result == 0; i++) {
        result = strcmp(member_text(*(const json_t *const *)a, order[i]),
                        member_text(*(const json_t *const *)b, order[i]));
    }
    return result;
}

/* The control plane tells them in no order. */
static void print_objects(const json_t *page)
{
    static const char *const headings[] = {"KIND",  "NAMESPACE", "NAME", "STATE",
                                           "WHERE", "MESSAGE",   NULL};
    struct table table;
    size_t at;
    json_t *object;
    const json_t *objects = json_object_get(page, "objects");
    size_t count = json_array_size(objects);
    const json_t **sorted = mem_array(count, sizeof(*sorted));
    json_array_foreach(objects, at, object)
    {
        sorted[at] = object;
    }
    qsort(sorted, count, sizeof(*sorted), compare_objects);
    table_init(&table, headings);
    for (at = 0; at < count; at++) {
        add_object(&table, sorted[at]);
    }
    mem_free(sorted);
    struct text shown = {0};
    table_write(&table, &shown);
    ctl_put(&shown);
    text_done(&shown);
    table_done(&table);
}

int status_run(const struct options *options, char **words, int count)
{
    int status = CTL_DONE;
    json_t *page = link_page(options, "/status", &status);
    if (page == NULL) {
        return status;
    }
    json_t *problems = json_object_get(page, "problems");
    if (options->is_json) {
        json_dumpf(page, stdout, JSON_INDENT(2));
        fputc('\n', stdout);
    } else {
        size_t at;
        json_t *problem;
        print_objects(page);
        if (json_array_size(problems) > 0) {
            puts("\nproblems in the files:");
        }
        json_array_foreach(problems, at, problem)
        {
            puts(json_string_value(problem));
        }
    }
    json_decref(page);
    return CTL_DONE;
}

/* ---- Proxies --------------------------------------------------------------------------------- */

static const char *refusal_of(const json_t *proxy)
{
    size_t at;
    json_t *type;
    json_array_foreach(json_object_get(proxy, "types"), at, type)
    {
        const char *refused = member_text(type, "refused");
        if (refused[0] != '\0') {
            return refused;
        }
    }
    return "";
}

static void add_proxy(struct table *table, const json_t *proxy)
{
    char left[16] = "by token";
    const char *refusal = refusal_of(proxy);
    if (json_object_get(proxy, "certificateSecondsLeft") != NULL) {
        age_write(member_number(proxy, "certificateSecondsLeft"), left);
    }
    table_add(table, "%s", member_text(proxy, "id"));
    table_add(table, "%s/%s", member_text(proxy, "namespace"),
              member_text(proxy, "serviceAccount"));
    table_add(table, "%s", member_text(proxy, "version"));
    table_add(table, "%s",
              refusal[0] != '\0' ? "refused" : (member_true(proxy, "synced") ? "yes" : "no"));
    table_add(table, "%lld", (long long)member_number(proxy, "nacks"));
    table_add(table, "%s", left);
    table_add(table, "%s", member_text(proxy, "address"));
    table_add(table, "%s", refusal);
}

int proxies_run(const struct options *options, char **words, int count)
{
    static const char *const headings[] = {"PROXY",   "IDENTITY", "VERSION",
                                           "SYNCED",  ">NACKS",   ">CERTIFICATE",
                                           "ADDRESS", "REFUSED",  NULL};
    int status = CTL_DONE;
    json_t *page = link_page(options, "/proxies", &status);
    if (page == NULL) {
        return status;
    }
    if (options->is_json) {
        json_dumpf(page, stdout, JSON_INDENT(2));
        fputc('\n', stdout);
        json_decref(page);
        return CTL_DONE;
    }
    struct table table;
    size_t at;
    json_t *proxy;
    table_init(&table, headings);
    json_array_foreach(json_object_get(page, "proxies"), at, proxy)
    {
        add_proxy(&table, proxy);
    }
    struct text shown = {0};
    table_write(&table, &shown);
    ctl_put(&shown);
    text_done(&shown);
    table_done(&table);
    json_decref(page);
    return CTL_DONE;
}
