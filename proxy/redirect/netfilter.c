#include "proxy/redirect/netfilter.h"

#include "lib/base/check.h"

#include <nftables/libnftables.h>

/* libnftables prints to standard error unless told to keep its words. */
static struct nft_ctx *open_quietly(void)
{
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    CHECK(nft != NULL);
    CHECK(nft_ctx_buffer_output(nft) == 0);
    CHECK(nft_ctx_buffer_error(nft) == 0);
    return nft;
}

static bool run(struct nft_ctx *nft, const char *script, struct text *ret_problem)
{
    if (nft_run_cmd_from_buffer(nft, script) == 0) {
        return true;
    }
    /* What is wrong, the line that is meant, and an underline that we leave out. */
    struct span rest = span_of(nft_ctx_get_error_buffer(nft));
    struct span reason = SPAN("nftables gave no reason");
    struct span place;
    span_next(&rest, '\n', &reason);
    text_add(ret_problem, reason);
    if (span_next(&rest, '\n', &place) && span_trim(place).length > 0) {
        text_printf(ret_problem, " in: %.*s", SPAN_ARG(span_trim(place)));
    }
    return false;
}

bool netfilter_apply(const char *script, struct text *ret_problem)
{
    struct nft_ctx *nft = open_quietly();
    bool done = run(nft, script, ret_problem);
    nft_ctx_free(nft);
    return done;
}

bool netfilter_try(const char *script, struct text *ret_problem)
{
    struct nft_ctx *nft = open_quietly();
    nft_ctx_set_dry_run(nft, true);
    bool done = run(nft, script, ret_problem);
    nft_ctx_free(nft);
    return done;
}

bool netfilter_list(const char *what, struct text *ret_json, struct text *ret_problem)
{
    struct text command = {0};
    text_printf(&command, "list %s", what);
    struct nft_ctx *nft = open_quietly();
    nft_ctx_output_set_flags(nft, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL);
    bool done = run(nft, command.bytes, ret_problem);
    text_done(&command);
    if (done) {
        text_add_text(ret_json, nft_ctx_get_output_buffer(nft));
    }
    nft_ctx_free(nft);
    return done;
}
