#include "control/cli/daemon_link.h"

#include "control/serve/state_folder.h"
#include "lib/http/http_client.h"
#include "lib/net/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { RESPONSE_BYTES = 64 << 20 };

struct waiting {
    struct link_answer *answer;
    char *reason;
    bool is_over;
    bool is_good;
};

static void on_done(void *owner, const struct http_result *result)
{
    struct waiting *waiting = owner;
    waiting->is_over = true;
    waiting->is_good = result->failure == FAILURE_NONE;
    if (waiting->is_good) {
        waiting->answer->status = result->head->status;
        text_add(&waiting->answer->body, result->body);
    } else {
        snprintf(waiting->reason, LINK_REASON_BYTES, "%s",
                 failure_facts(result->failure)->explanation);
    }
}

static bool is_over(void *owner)
{
    return ((struct waiting *)owner)->is_over;
}

static struct http_call_options call_options(const char *path, struct span body)
{
    return (struct http_call_options){
        .codec = HTTP_CODEC_1,
        .method = body.length > 0 ? SPAN("POST") : SPAN("GET"),
        .authority = SPAN("localhost"),
        .path = span_of(path),
        .body = body,
        .response_limit = RESPONSE_BYTES,
        .timeout_ms = LINK_TIMEOUT_MS,
    };
}

static bool finish(struct loop *loop, struct waiting *waiting)
{
    /* The call has a deadline of its own, which comes first. */
    loop_run_until(loop, is_over, waiting, LINK_TIMEOUT_MS * 2);
    loop_settle(loop);
    loop_destroy(loop);
    if (!waiting->is_good) {
        link_answer_done(waiting->answer);
    }
    return waiting->is_good;
}

/* -1 and a text that says what to do. */
static int dial(const char *state_dir, char *reason)
{
    char path[STATE_PATH_BYTES];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (!state_folder_socket(state_dir, path)) {
        snprintf(reason, LINK_REASON_BYTES, "the path of the state folder is too long: %.200s",
                 state_dir);
        return -1;
    }
    memcpy(at.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0) {
        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
        return fd;
    }
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (error == EACCES || error == EPERM) {
        snprintf(reason, LINK_REASON_BYTES,
                 "%.200s may only be used by the user of remora-control and by root", path);
    } else {
        snprintf(reason, LINK_REASON_BYTES,
                 "remora-control does not answer at %.200s (%s): is it running with this "
                 "--state-dir?",
                 path, strerror(error));
    }
    return -1;
}

bool link_ask_daemon(const char *state_dir, const char *path, struct span body,
                     struct link_answer *ret, char *reason)
{
    *ret = (struct link_answer){0};
    int fd = dial(state_dir, reason);
    if (fd < 0) {
        return false;
    }
    const struct address nowhere = {0};
    struct loop *loop = loop_create();
    struct waiting waiting = {.answer = ret, .reason = reason};
    struct http_call_options options = call_options(path, body);
    http_call_over(tcp_adopt(loop, fd, &nowhere, &nowhere), &options, on_done, &waiting);
    return finish(loop, &waiting);
}

bool link_ask_proxy(const struct address *admin, const char *path, struct link_answer *ret,
                    char *reason)
{
    *ret = (struct link_answer){0};
    struct loop *loop = loop_create();
    struct waiting waiting = {.answer = ret, .reason = reason};
    struct http_call_options options = call_options(path, SPAN_EMPTY);
    options.to = *admin;
    http_call_start(loop, &options, on_done, &waiting);
    return finish(loop, &waiting);
}

void link_answer_done(struct link_answer *answer)
{
    text_done(&answer->body);
}

/* The daemon's own words where it has some. */
static int refused(const struct options *options, const struct link_answer *answer)
{
    json_error_t error;
    json_t *body = json_loadb(answer->body.bytes, answer->body.length, 0, &error);
    const char *words = member_text(body, "error");
    int status = ctl_complain(options, CTL_FAILED, "%s",
                              words[0] != '\0' ? words : "remora-control refused");
    json_decref(body);
    return status;
}

json_t *link_page(const struct options *options, const char *path, int *ret_status)
{
    struct link_answer answer;
    char reason[LINK_REASON_BYTES] = "";
    json_error_t error;
    if (options->state_dir == NULL) {
        *ret_status = ctl_complain(options, CTL_USAGE,
                                   "which control plane? give --state-dir, or REMORA_STATE_DIR");
        return NULL;
    }
    if (!link_ask_daemon(options->state_dir, path, SPAN_EMPTY, &answer, reason)) {
        *ret_status = ctl_complain(options, CTL_UNREACHABLE, "%s", reason);
        return NULL;
    }
    json_t *page = NULL;
    if (answer.status != 200) {
        *ret_status = refused(options, &answer);
    } else {
        page = json_loadb(answer.body.bytes, answer.body.length, 0, &error);
        if (page == NULL) {
            *ret_status =
                ctl_complain(options, CTL_FAILED, "remora-control's answer: %s", error.text);
        }
    }
    link_answer_done(&answer);
    return page;
}

const char *member_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

int64_t member_number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

bool member_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}
