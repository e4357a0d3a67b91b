#include "control/cli/daemon_link.h"

#include <stdio.h>
#include <string.h>

/* Percent-encodes all but what RFC 3986 section 2.3 leaves as it is. */
static void add_encoded(struct text *into, const char *value)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *value != '\0'; value++) {
        if (strchr(plain, *value) != NULL) {
            text_add_byte(into, *value);
        } else {
            text_printf(into, "%%%02X", (unsigned char)*value);
        }
    }
}

enum { SHOWN_DEPTH = 24 };

/* A value of JSON as lines "name: value", deeper ones indented, to SHOWN_DEPTH. */
static void write_value(const json_t *value, int depth, struct text *into);

static void write_member(const char *name, const json_t *value, int depth, struct text *into)
{
    text_printf(into, "%*s%s:", depth * 2, "", name);
    if (json_is_object(value) || json_is_array(value)) {
        text_add_byte(into, '\n');
        write_value(value, depth + 1, into);
        return;
    }
    text_add_byte(into, ' ');
    write_value(value, 0, into);
}

static void write_value(const json_t *value, int depth, struct text *into)
{
    const char *name;
    json_t *member;
    size_t at;
    if (depth > SHOWN_DEPTH) {
        text_add_text(into, "...\n");
    } else if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, name, member)
        {
            write_member(name, member, depth, into);
        }
    } else if (json_is_array(value)) {
        json_array_foreach(value, at, member)
        {
            if (json_is_object(member)) {
                text_printf(into, "%*s-\n", depth * 2, "");
                write_value(member, depth + 1, into);
            } else {
                text_printf(into, "%*s- ", depth * 2, "");
                write_value(member, 0, into);
            }
        }
    } else if (json_is_string(value)) {
        text_printf(into, "%s\n", json_string_value(value));
    } else {
        char *plain = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        text_printf(into, "%s\n", plain != NULL ? plain : "");
        json_free_t release;
        json_get_alloc_funcs(NULL, &release);
        release(plain);
    }
}

static void print(const struct options *options, const struct link_answer *answer)
{
    json_error_t error;
    json_t *page = json_loadb(answer->body.bytes, answer->body.length, 0, &error);
    if (options->is_json || page == NULL) {
        ctl_put(&answer->body);
    } else {
        struct text shown = {0};
        write_value(page, 0, &shown);
        ctl_put(&shown);
        text_done(&shown);
    }
    json_decref(page);
}

/* PROXY is the admin address of one, or a word for people: its admin port is loopback only. */
int explain_run(const struct options *options, char **words, int count)
{
    struct address admin = options->admin;
    struct link_answer answer;
    char reason[LINK_REASON_BYTES] = "";
    char shown[ADDRESS_TEXT_BYTES];
    if (count != 1 && count != 2) {
        return ctl_complain(options, CTL_USAGE, "explain needs [PROXY] and a URL or HOST:PORT");
    }
    if (count == 2 && !address_parse(span_of(words[0]), &admin)) {
        return ctl_complain(options, CTL_USAGE,
                            "'%s' is no address: a proxy explains itself at its admin port, on "
                            "its own machine or in its pod (127.0.0.1:15000)",
                            words[0]);
    }
    const char *target = words[count - 1];
    struct text path = {0};
    text_add_text(&path, strstr(target, "://") != NULL ? "/explain?url=" : "/explain?to=");
    add_encoded(&path, target);
    address_format(&admin, shown);
    int status = CTL_DONE;
    if (!link_ask_proxy(&admin, path.bytes, &answer, reason)) {
        status = ctl_complain(options, CTL_UNREACHABLE,
                              "no proxy answers at %s: %s (--admin says where)", shown, reason);
    } else {
        if (answer.status == 200) {
            print(options, &answer);
        } else {
            status = ctl_complain(options, CTL_FAILED, "the proxy answers %u: %s", answer.status,
                                  answer.body.bytes != NULL ? answer.body.bytes : "");
        }
        link_answer_done(&answer);
    }
    text_done(&path);
    return status;
}
