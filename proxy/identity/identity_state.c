#include "proxy/identity/identity_run.h"

#include "lib/base/clock.h"

static size_t roots_of(const struct workload_identity *identity,
                       const struct trust_domain_roots **ret_roots)
{
    *ret_roots = identity->bundle != NULL
                     ? trust_bundle_find(identity->bundle, identity->trust_domain)
                     : NULL;
    return *ret_roots != NULL ? (*ret_roots)->count : 0;
}

void workload_identity_state(const struct workload_identity *identity,
                             struct workload_identity_state *ret)
{
    const struct trust_domain_roots *roots;
    *ret = (struct workload_identity_state){
        .id = identity->id.text,
        .serial = span_of(identity->current.serial),
        .not_before_s = identity->current.not_before_s,
        .not_after_s = identity->current.not_after_s,
        .renew_at_ms = identity->current.key != NULL ? identity->renew_at_ms : 0,
        .issued = identity->issued,
        .failed = identity->failed,
        .last_error = identity->last_error,
        .roots = roots_of(identity, &roots),
        .valid = identity_valid(identity),
        .restored = identity->restored,
        .asking = identity->asked_key != NULL,
    };
}

static void add_time(struct text *json, const char *name, int64_t ms)
{
    char text[CLOCK_TEXT_BYTES];
    clock_format_wall(ms * NS_PER_MS, text);
    text_printf(json, ",\"%s\":\"%s\"", name, text);
}

static void add_root(struct text *json, const struct certificate *root)
{
    text_add_text(json, "{\"serial\":\"");
    for (size_t i = 0; i < root->serial.length; i++) {
        text_printf(json, "%02x", (unsigned char)root->serial.at[i]);
    }
    text_add_byte(json, '"');
    add_time(json, "not_before", root->not_before_s * 1000);
    add_time(json, "not_after", root->not_after_s * 1000);
    text_add_byte(json, '}');
}

void workload_identity_write(const struct workload_identity *identity, struct text *json)
{
    struct workload_identity_state state;
    const struct trust_domain_roots *roots;
    workload_identity_state(identity, &state);
    text_add_text(json, "{\"id\":");
    text_add_json(json, state.id);
    text_printf(json, ",\"state\":\"%s\"",
                state.valid ? "valid" : (state.serial.length > 0 ? "expired" : "none"));
    if (state.serial.length > 0) {
        text_printf(json, ",\"serial\":\"%.*s\"", SPAN_ARG(state.serial));
        add_time(json, "not_before", state.not_before_s * 1000);
        add_time(json, "not_after", state.not_after_s * 1000);
        add_time(json, "renew_at", state.renew_at_ms);
        text_printf(json, ",\"seconds_left\":%lld",
                    (long long)(state.not_after_s - identity_now_ms() / 1000));
    }
    text_printf(json, ",\"restored\":%s,\"asking\":%s,\"issued\":%llu,\"failed\":%llu",
                state.restored ? "true" : "false", state.asking ? "true" : "false",
                (unsigned long long)state.issued, (unsigned long long)state.failed);
    text_add_text(json, ",\"last_error\":");
    text_add_json(json, span_of(state.last_error));
    text_add_text(json, ",\"roots\":[");
    for (size_t i = 0; i < roots_of(identity, &roots); i++) {
        text_add_text(json, i > 0 ? "," : "");
        add_root(json, &roots->roots[i].certificate);
    }
    text_add_text(json, "]}");
}
