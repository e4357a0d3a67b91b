#include "control/cli/daemon_link.h"
#include "control/cli/table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double number(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void add_ms(struct table *table, const json_t *row, const char *name)
{
    const json_t *value = json_object_get(row, name);
    if (!json_is_number(value)) {
        table_add(table, "-");
        return;
    }
    double ms = json_number_value(value);
    table_add(table, ms < 10 ? "%.1fms" : "%.0fms", ms);
}

/* "v1 90% v2 10%", by share of requests. */
static void add_versions(struct table *table, const json_t *row)
{
    char shown[TABLE_CELL_BYTES] = "";
    size_t length = 0;
    double whole = 0;
    size_t at;
    json_t *version;
    json_t *versions = json_object_get(row, "versions");
    json_array_foreach(versions, at, version)
    {
        whole += number(version, "requestsPerSecond");
    }
    json_array_foreach(versions, at, version)
    {
        double share = whole > 0 ? number(version, "requestsPerSecond") / whole : 0;
        int wrote = snprintf(shown + length, sizeof(shown) - length, "%s%s %.0f%%",
                             length > 0 ? " " : "", member_text(version, "name"), share * 100);
        if (wrote < 0 || (size_t)wrote >= sizeof(shown) - length) {
            break;
        }
        length += (size_t)wrote;
    }
    table_add(table, "%s", shown);
}

/* Without the scheme, which all have: "demo.local/ns/shop/sa/api". */
static void add_identities(struct table *table, const json_t *row)
{
    static const char scheme[] = "spiffe://";
    char shown[TABLE_CELL_BYTES] = "";
    size_t length = 0;
    size_t at;
    json_t *identity;
    json_array_foreach(json_object_get(row, "identities"), at, identity)
    {
        const char *text = json_string_value(identity);
        if (text == NULL) {
            continue;
        }
        if (strncmp(text, scheme, sizeof(scheme) - 1) == 0) {
            text += sizeof(scheme) - 1;
        }
        int wrote =
            snprintf(shown + length, sizeof(shown) - length, "%s%s", at > 0 ? " " : "", text);
        if (wrote < 0 || (size_t)wrote >= sizeof(shown) - length) {
            break;
        }
        length += (size_t)wrote;
    }
    table_add(table, "%s", length > 0 ? shown : "-");
}

static void add_row(struct table *table, const json_t *row)
{
    const json_t *success = json_object_get(row, "success");
    table_add(table, "%s", member_text(row, "service"));
    table_add(table, "%.1f", number(row, "requestsPerSecond"));
    if (json_is_number(success)) {
        /* 99.997 is not 100: what failed must be seen. */
        table_add(table, "%.2f%%", floor(json_number_value(success) * 10000) / 100);
    } else {
        table_add(table, "-");
    }
    add_ms(table, row, "p50Ms");
    add_ms(table, row, "p99Ms");
    table_add(table, "%lld", (long long)member_number(row, "connections"));
    add_versions(table, row);
    add_identities(table, row);
}

static void write_top(const json_t *page, struct text *into)
{
    static const char *const headings[] = {"SERVICE",      ">REQ/S",   ">SUCCESS",   ">P50", ">P99",
                                           ">CONNECTIONS", "VERSIONS", "IDENTITIES", NULL};
    struct table table;
    size_t at;
    json_t *row;
    table_init(&table, headings);
    json_array_foreach(json_object_get(page, "services"), at, row)
    {
        add_row(&table, row);
    }
    table_write(&table, into);
    if (json_array_size(json_object_get(page, "services")) == 0) {
        text_add_text(into, "no proxy has reported traffic in the last ten seconds\n");
    }
    table_done(&table);
}

static void rest(int64_t ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

int top_run(const struct options *options, char **words, int count)
{
    bool live = !options->once && !options->is_json;
    bool is_terminal = isatty(STDOUT_FILENO) == 1;
    for (;;) {
        int status = CTL_DONE;
        struct text shown = {0};
        json_t *page = link_page(options, "/top", &status);
        if (page == NULL) {
            return status;
        }
        if (options->is_json) {
            json_dumpf(page, stdout, JSON_INDENT(2));
            fputc('\n', stdout);
        } else {
            /* Home, and what is behind each line and below is cleared: no flicker. */
            text_add_text(&shown, live && is_terminal ? "\033[H\033[J" : "");
            write_top(page, &shown);
            text_add_text(&shown, live && !is_terminal ? "\n" : "");
            ctl_put(&shown);
        }
        text_done(&shown);
        json_decref(page);
        /* Whoever read it may have left: `remoractl top | head`. */
        if (!live || ferror(stdout)) {
            return CTL_DONE;
        }
        rest(options->interval_ms);
    }
}
