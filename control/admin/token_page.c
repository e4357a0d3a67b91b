#include "control/admin/admin_page.h"

#include "lib/base/log.h"

#include <jansson.h>
#include <openssl/mem.h>

void page_error(const char *words, struct text *into)
{
    text_add_text(into, "{\"error\": ");
    text_add_json(into, span_of(words));
    text_add_text(into, "}\n");
}

static void write_token(const struct join_token *token, struct text *into)
{
    text_printf(into, "{\"id\": \"%s\", \"namespace\": ", token->id);
    text_add_json(into, span_of(token->namespace_name));
    text_add_text(into, ", \"serviceAccount\": ");
    text_add_json(into, span_of(token->service_account));
    text_printf(into,
                ", \"reusable\": %s, \"state\": \"%s\", \"created\": %lld, \"expires\": %lld, "
                "\"used\": %lld}",
                token->reusable ? "true" : "false", join_token_state(token),
                (long long)token->created_s, (long long)token->expires_s, (long long)token->used_s);
}

void page_tokens(const struct join_tokens *tokens, struct text *into)
{
    text_add_text(into, "{\"tokens\": [");
    for (size_t i = 0; i < join_tokens_count(tokens); i++) {
        text_add_text(into, i > 0 ? ",\n" : "\n");
        write_token(join_tokens_at(tokens, i), into);
    }
    text_add_text(into, "\n]}\n");
}

uint16_t page_token_create(struct join_tokens *tokens, struct span body, struct text *into)
{
    json_error_t error;
    const char *namespace_name = NULL;
    const char *service_account = NULL;
    json_int_t lifetime_s = 0;
    int reusable = 0;
    char reason[KEYSTORE_REASON_BYTES];
    char token[JOIN_TOKEN_TEXT_BYTES];
    json_t *wish =
        json_loadb(body.at != NULL ? body.at : "", body.length, JSON_REJECT_DUPLICATES, &error);
    if (wish == NULL ||
        json_unpack_ex(wish, &error, JSON_STRICT, "{s:s, s:s, s?I, s?b}", "namespace",
                       &namespace_name, "serviceAccount", &service_account, "lifetimeSeconds",
                       &lifetime_s, "reusable", &reusable) != 0) {
        json_decref(wish);
        page_error(error.text, into);
        return 400;
    }
    struct join_wish asked = {.namespace_name = span_of(namespace_name),
                              .service_account = span_of(service_account),
                              .lifetime_s = lifetime_s,
                              .reusable = reusable != 0};
    bool good = join_tokens_create(tokens, &asked, token, reason);
    if (good) {
        LOG_INFO("tokens", "created", LOG_TEXT("namespace", namespace_name),
                 LOG_TEXT("service_account", service_account));
        text_printf(into, "{\"token\": \"%s\"}\n", token);
        OPENSSL_cleanse(token, sizeof(token));
    } else {
        page_error(reason, into);
    }
    json_decref(wish);
    return good ? 200 : 400;
}

uint16_t page_token_revoke(struct join_tokens *tokens, struct span id, struct text *into)
{
    char reason[KEYSTORE_REASON_BYTES];
    if (!join_tokens_revoke(tokens, id, reason)) {
        page_error(reason, into);
        return 404;
    }
    LOG_INFO("tokens", "revoked", LOG_SPAN("id", id));
    text_add_text(into, "{\"revoked\": true}\n");
    return 200;
}
