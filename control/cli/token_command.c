#include "control/admin/admin_page.h"
#include "control/cli/daemon_link.h"
#include "control/cli/table.h"
#include "control/serve/state_folder.h"
#include "lib/base/clock.h"

#include <stdio.h>
#include <string.h>

/*
 * Tokens are made by the daemon where one runs on the state folder, else on the folder itself: by
 * the same code either way.
 */
struct token_call {
    const char *path;
    struct text body;
};

/* What the daemon would answer, from the folder. */
static bool answer_offline(const struct options *options, const struct token_call *call,
                           struct link_answer *ret, char *reason)
{
    struct state_folder folder;
    char why[STATE_REASON_BYTES];
    if (state_folder_open(options->state_dir, &folder, why) != STATE_OPEN) {
        snprintf(reason, LINK_REASON_BYTES, "%s", why);
        return false;
    }
    struct join_tokens *tokens = join_tokens_open(folder.store, why);
    struct span path = span_of(call->path);
    if (tokens == NULL) {
        snprintf(reason, LINK_REASON_BYTES, "%s", why);
    } else if (call->body.length == 0) {
        ret->status = 200;
        page_tokens(tokens, &ret->body);
    } else if (span_equal(path, SPAN("/tokens"))) {
        ret->status = page_token_create(tokens, text_span(&call->body), &ret->body);
    } else {
        struct span rest = span_cut(path, strlen("/tokens/"), path.length);
        ret->status =
            page_token_revoke(tokens, span_cut(rest, 0, span_find_byte(rest, '/')), &ret->body);
    }
    bool good = tokens != NULL;
    join_tokens_close(tokens);
    state_folder_close(&folder);
    return good;
}

/* The daemon holds the folder while it runs, so of the two exactly one can answer. */
static json_t *ask(const struct options *options, const struct token_call *call, int *ret_status)
{
    struct link_answer answer = {0};
    char reason[LINK_REASON_BYTES] = "";
    char offline[LINK_REASON_BYTES] = "";
    json_error_t error;
    if (options->state_dir == NULL) {
        *ret_status = ctl_complain(options, CTL_USAGE,
                                   "which control plane? give --state-dir, or REMORA_STATE_DIR");
        return NULL;
    }
    if (!link_ask_daemon(options->state_dir, call->path, text_span(&call->body), &answer, reason) &&
        !answer_offline(options, call, &answer, offline)) {
        *ret_status = ctl_complain(options, CTL_UNREACHABLE, "%s; %s", reason, offline);
        return NULL;
    }
    json_t *page = json_loadb(answer.body.bytes != NULL ? answer.body.bytes : "",
                              answer.body.length, 0, &error);
    if (answer.status != 200 || page == NULL) {
        const char *words = member_text(page, "error");
        *ret_status =
            ctl_complain(options, CTL_FAILED, "%s", words[0] != '\0' ? words : error.text);
        json_decref(page);
        page = NULL;
    }
    link_answer_done(&answer);
    return page;
}

static void print_json(json_t *page)
{
    json_dumpf(page, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
}

/* "shop/api" is namespace and account in one. */
static bool split_account(const struct options *options, struct span *ret_namespace,
                          struct span *ret_account)
{
    struct span account = span_of(options->service_account);
    size_t slash = span_find_byte(account, '/');
    if (account.length == 0) {
        return false;
    }
    if (slash < account.length) {
        *ret_namespace = span_cut(account, 0, slash);
        *ret_account = span_cut(account, slash + 1, account.length);
        return options->namespace_name == NULL;
    }
    *ret_namespace =
        options->namespace_name != NULL ? span_of(options->namespace_name) : SPAN("default");
    *ret_account = account;
    return true;
}

static int create_one(const struct options *options)
{
    struct span namespace_name;
    struct span account;
    if (!split_account(options, &namespace_name, &account)) {
        return ctl_complain(options, CTL_USAGE,
                            "token create needs --service-account NAMESPACE/NAME, or --namespace "
                            "and --service-account NAME");
    }
    struct token_call call = {.path = "/tokens"};
    text_add_text(&call.body, "{\"namespace\": ");
    text_add_json(&call.body, namespace_name);
    text_add_text(&call.body, ", \"serviceAccount\": ");
    text_add_json(&call.body, account);
    text_printf(&call.body, ", \"lifetimeSeconds\": %lld, \"reusable\": %s}",
                (long long)options->lifetime_s, options->reusable ? "true" : "false");
    int status = CTL_DONE;
    json_t *page = ask(options, &call, &status);
    if (page != NULL && options->is_json) {
        print_json(page);
    } else if (page != NULL) {
        puts(member_text(page, "token"));
    }
    json_decref(page);
    text_done(&call.body);
    return status;
}

static void print_tokens(const json_t *page)
{
    static const char *const headings[] = {
        "ID", "NAMESPACE", "SERVICE-ACCOUNT", "USE", "STATE", ">ENDS-IN", NULL};
    int64_t now_s = clock_wall_ns() / NS_PER_S;
    struct table table;
    size_t at;
    json_t *token;
    table_init(&table, headings);
    json_array_foreach(json_object_get(page, "tokens"), at, token)
    {
        char left[16];
        age_write(member_number(token, "expires") - now_s, left);
        table_add(&table, "%s", member_text(token, "id"));
        table_add(&table, "%s", member_text(token, "namespace"));
        table_add(&table, "%s", member_text(token, "serviceAccount"));
        table_add(&table, "%s", member_true(token, "reusable") ? "reusable" : "once");
        table_add(&table, "%s", member_text(token, "state"));
        table_add(&table, "%s", left);
    }
    struct text shown = {0};
    table_write(&table, &shown);
    ctl_put(&shown);
    text_done(&shown);
    table_done(&table);
}

static int list_all(const struct options *options)
{
    struct token_call call = {.path = "/tokens"};
    int status = CTL_DONE;
    json_t *page = ask(options, &call, &status);
    if (page != NULL && options->is_json) {
        print_json(page);
    } else if (page != NULL) {
        print_tokens(page);
    }
    json_decref(page);
    return status;
}

/* "rmt_ID_SECRET" is taken for its id: people have the token at hand, not the list. */
static struct span id_of(struct span word)
{
    if (span_starts_with(word, SPAN("rmt_"))) {
        word = span_cut(word, strlen("rmt_"), word.length);
    }
    return span_cut(word, 0, span_find_byte(word, '_'));
}

static int revoke_one(const struct options *options, const char *word)
{
    char path[128];
    struct span id = id_of(span_of(word));
    for (size_t i = 0; i < id.length; i++) {
        if (strchr("0123456789abcdef", id.at[i]) == NULL) {
            return ctl_complain(options, CTL_USAGE, "'%s' is no id of a token", word);
        }
    }
    if (id.length != JOIN_TOKEN_ID_BYTES) {
        return ctl_complain(options, CTL_USAGE, "'%s' is no id of a token", word);
    }
    snprintf(path, sizeof(path), "/tokens/%.*s/revoke", SPAN_ARG(id));
    struct token_call call = {.path = path};
    text_add_text(&call.body, "{}");
    int status = CTL_DONE;
    json_t *page = ask(options, &call, &status);
    if (page != NULL && options->is_json) {
        print_json(page);
    } else if (page != NULL) {
        printf("token %.*s is revoked; certificates that were given for it live to their end\n",
               SPAN_ARG(id));
    }
    json_decref(page);
    text_done(&call.body);
    return status;
}

int token_run(const struct options *options, char **words, int count)
{
    struct span verb = count > 0 ? span_of(words[0]) : SPAN("create");
    if (span_equal(verb, SPAN("create")) && count <= 1) {
        return create_one(options);
    }
    if (span_equal(verb, SPAN("list")) && count == 1) {
        return list_all(options);
    }
    if (span_equal(verb, SPAN("revoke")) && count == 2) {
        return revoke_one(options, words[1]);
    }
    return ctl_complain(options, CTL_USAGE, "token create | list | revoke ID");
}
