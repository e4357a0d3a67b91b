#include "control/main/daemon.h"

#include <signal.h>
#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static void on_signal(void *owner, int signal_number)
{
    daemon_stop(owner);
}

static int run(const struct settings *settings)
{
    char reason[DAEMON_REASON_BYTES] = "";
    struct loop *loop = loop_create();
    struct daemon *daemon = daemon_start(loop, settings, reason);
    if (daemon == NULL) {
        fprintf(stderr, "remora-control: %s\n", reason);
    } else {
        loop_on_signal(loop, SIGTERM, on_signal, daemon);
        loop_on_signal(loop, SIGINT, on_signal, daemon);
        loop_run(loop);
        daemon_destroy(daemon);
    }
    loop_destroy(loop);
    return daemon != NULL ? EXIT_DONE : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct text words = {0};
    int status = EXIT_DONE;
    if (!settings_read(&settings, argc, argv, &words)) {
        fprintf(stderr, "remora-control: %s (--help shows the options)\n", words.bytes);
        status = EXIT_USAGE;
    } else if (settings.wants_help) {
        settings_write_help(&words);
        fputs(words.bytes, stdout);
    } else if (settings.wants_version) {
        puts("remora-control " REMORA_VERSION);
    } else {
        log_set_level(settings.log_level);
        log_set_format(settings.log_format);
        status = run(&settings);
    }
    text_done(&words);
    return status;
}
