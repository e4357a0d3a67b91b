#ifndef REMORA_TESTS_UNIT_PROXY_IDENTITY_FAKE_AUTHORITY_H
#define REMORA_TESTS_UNIT_PROXY_IDENTITY_FAKE_AUTHORITY_H

#include "lib/base/text.h"
#include "lib/net/loop.h"
#include "proxy/identity/certificate_source.h"

#include <openssl/base.h>

/*
 * A control plane that signs, or does what it must not. Answers a turn after it was asked.
 */
enum fake_fault {
    FAKE_SIGNS,
    FAKE_OTHER_KEY,
    FAKE_OTHER_ID,
    FAKE_EXPIRED,
    FAKE_EARLY,
    FAKE_GARBAGE,
    FAKE_EMPTY,
    FAKE_TOO_MANY,
    FAKE_REFUSES,     /* UNAVAILABLE */
    FAKE_NEEDS_TOKEN, /* UNAUTHENTICATED without one */
    FAKE_DISCONNECTED,
    FAKE_SILENT,
};

struct fake_authority {
    struct loop *loop;
    struct certificate_source source;
    struct timer timer;
    struct authority *signer;
    EVP_PKEY *signer_key;
    struct text signer_der;
    struct text root; /* DER */
    struct text root_pem;
    enum fake_fault fault;
    bool sends_root;
    int64_t lifetime_s;
    /* The question. */
    struct text csr_pem;
    struct text token;
    void (*on_answer)(void *owner, const struct certificate_answer *answer);
    void *answer_owner;
    unsigned asked, with_token, cancelled;
};

void fake_authority_init(struct fake_authority *fake, struct loop *loop);
void fake_authority_done(struct fake_authority *fake);
/* What it answers to csr_pem, appended. */
void fake_authority_sign(struct fake_authority *fake, struct text *ret_pem);
/* Another root and signer. */
void fake_authority_renew(struct fake_authority *fake);

#endif
