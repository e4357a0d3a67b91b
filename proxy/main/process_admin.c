#include "proxy/main/process_admin.h"

#include "lib/base/memory.h"
#include "proxy/admin/admin.h"
#include "proxy/main/process_gauges.h"

struct process_admin {
    struct process *process;
    struct admin *admin;
};

/* One line: what is missing, and what the control plane or the way to it says of that. */
static bool ready(void *owner, struct text *ret_why)
{
    struct process_admin *self = owner;
    struct control_link *link = self->process->link;
    const char *why = "";
    if (process_ready(self->process, &why)) {
        return true;
    }
    text_add_text(ret_why, why);
    struct workload_identity_state identity;
    workload_identity_state(control_link_identity(link), &identity);
    if (!identity.valid && identity.last_error[0] != '\0') {
        text_printf(ret_why, "; certificate: %s", identity.last_error);
    }
    const char *error = control_link_error(link);
    if (error[0] != '\0') {
        text_printf(ret_why, "; control plane: %s", error);
    }
    return false;
}

static void before_stats(void *owner)
{
    struct process_admin *self = owner;
    process_gauges_sample(self->process);
}

static void config_dump(void *owner, struct text *json)
{
    struct process_admin *self = owner;
    apply_dump(control_link_apply(self->process->link), json);
}

static void certs(void *owner, struct text *json)
{
    struct process_admin *self = owner;
    workload_identity_write(control_link_identity(self->process->link), json);
}

static void drain(void *owner)
{
    struct process_admin *self = owner;
    for (uint32_t i = 0; i < self->process->worker_count; i++) {
        worker_drain(self->process->workers[i], false);
    }
}

static void quit(void *owner)
{
    struct process_admin *self = owner;
    process_drain(self->process);
}

static void write_answer(void *owner, struct worker_scope *scope, struct text *text)
{
    admin_question_write(owner, scope, text);
}

static void on_answer(void *owner, const struct text *text)
{
    admin_answer(owner, text);
}

static void ask_worker(void *owner, uint32_t index, struct admin_question *question)
{
    struct process_admin *self = owner;
    worker_report(self->process->workers[index], write_answer, on_answer, question);
}

static const struct admin_process answers = {
    .ready = ready,
    .before_stats = before_stats,
    .config_dump = config_dump,
    .certs = certs,
    .drain = drain,
    .quit = quit,
    .ask_worker = ask_worker,
};

struct process_admin *process_admin_create(struct process *process, char *reason,
                                           size_t reason_bytes)
{
    const struct proxy_options *options = process->options;
    struct process_admin *self = NEW(struct process_admin);
    struct admin_options where = {
        .metrics_at = options->metrics_at,
        .health_at = options->health_at,
        .admin_at = options->admin_at,
        .workers = process->worker_count,
        .version = REMORA_VERSION,
    };
    self->process = process;
    self->admin = admin_create(process->loop, &where, process->registry, &answers, self, reason,
                               reason_bytes);
    if (self->admin == NULL) {
        mem_free(self);
        return NULL;
    }
    return self;
}

void process_admin_destroy(struct process_admin *self)
{
    if (self != NULL) {
        admin_destroy(self->admin);
        mem_free(self);
    }
}
