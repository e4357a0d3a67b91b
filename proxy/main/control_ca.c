#include "proxy/main/control_ca.h"

#include "certs/leaf_verify.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PEM_BYTES = 1 << 20, REASON_BYTES = 256 };

/* What tells one file from another that took its place. All zero = there is none. */
struct file_stamp {
    dev_t device;
    ino_t number;
    off_t bytes;
    struct timespec changed;
};

struct control_ca {
    char *path;
    char *trust_domain;
    struct file_stamp stamp; /* of what was read last, good or not */
    struct leaf_verify *verify;
    struct tls_config *tls;
};

static struct file_stamp stamp_of(const struct stat *file)
{
    return (struct file_stamp){file->st_dev, file->st_ino, file->st_size, file->st_mtim};
}

static bool stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->device == b->device && a->number == b->number && a->bytes == b->bytes &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool read_pem(struct control_ca *ca, struct text *into, char *reason, size_t reason_bytes)
{
    struct stat opened = {0};
    FILE *file = fopen(ca->path, "re");
    if (file == NULL || fstat(fileno(file), &opened) != 0) {
        snprintf(reason, reason_bytes, "%s: %s", ca->path, strerror(errno));
        if (file != NULL) {
            fclose(file);
        }
        return false;
    }
    ca->stamp = stamp_of(&opened);
    char part[4096];
    size_t got = 0;
    while (into->length < PEM_BYTES && (got = fread(part, 1, sizeof(part), file)) > 0) {
        text_add(into, span_make(part, got));
    }
    fclose(file);
    return true;
}

/* The trust bundle in the file, or NULL and a text. */
static struct trust_bundle *read_bundle(struct control_ca *ca, char *reason, size_t reason_bytes)
{
    struct text pem = {0};
    struct trust_bundle *bundle = NULL;
    const char *why = "";
    if (read_pem(ca, &pem, reason, reason_bytes)) {
        bundle = trust_bundle_create();
        if (!trust_bundle_add_pem(bundle, span_of(ca->trust_domain), text_span(&pem), &why)) {
            snprintf(reason, reason_bytes, "--control-ca %s: %s", ca->path, why);
            trust_bundle_unref(bundle);
            bundle = NULL;
        }
    }
    text_done(&pem);
    return bundle;
}

struct control_ca *control_ca_open(struct span path, struct span trust_domain, char *reason,
                                   size_t reason_bytes)
{
    static const char *const alpn[] = {"h2", NULL};
    const char *why = "";
    struct control_ca *ca = NEW(struct control_ca);
    ca->path = mem_text(path.at, path.length);
    ca->trust_domain = mem_text(trust_domain.at, trust_domain.length);
    struct trust_bundle *bundle = read_bundle(ca, reason, reason_bytes);
    if (bundle == NULL) {
        control_ca_close(ca);
        return NULL;
    }
    ca->verify = leaf_verify_create(bundle);
    trust_bundle_unref(bundle);
    struct tls_config_spec spec = {
        .alpn = alpn,
        .verifier = leaf_verify_tls(ca->verify),
        .demand = TLS_PEER_REQUIRED,
    };
    ca->tls = tls_config_create(&spec, &why);
    if (ca->tls == NULL) {
        snprintf(reason, reason_bytes, "TLS towards the control plane: %s", why);
        control_ca_close(ca);
        return NULL;
    }
    return ca;
}

void control_ca_close(struct control_ca *ca)
{
    if (ca != NULL) {
        tls_config_unref(ca->tls);
        leaf_verify_destroy(ca->verify);
        mem_free(ca->path);
        mem_free(ca->trust_domain);
        mem_free(ca);
    }
}

struct tls_config *control_ca_tls(const struct control_ca *ca)
{
    return ca->tls;
}

void control_ca_look(struct control_ca *ca)
{
    struct stat there;
    char reason[REASON_BYTES];
    struct file_stamp stamp = {0};
    if (stat(ca->path, &there) == 0) {
        stamp = stamp_of(&there);
    }
    if (stamp_equal(&stamp, &ca->stamp)) {
        return;
    }
    ca->stamp = stamp;
    struct trust_bundle *bundle = read_bundle(ca, reason, sizeof(reason));
    if (bundle == NULL) {
        LOG_WARN("identity", "the control plane's roots are not taken; those before stay",
                 LOG_TEXT("reason", reason));
        return;
    }
    leaf_verify_set_bundle(ca->verify, bundle);
    trust_bundle_unref(bundle);
    LOG_INFO("identity", "the control plane's roots have changed", LOG_TEXT("file", ca->path));
}
