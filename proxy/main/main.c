#include "proxy/main/process.h"

#include <signal.h>
#include <stdio.h>

enum { EXIT_USAGE = 2 };

int main(int argc, char **argv)
{
    static struct proxy_options options;
    switch (options_read(argc, argv, &options)) {
    case OPTIONS_DONE:
        return 0;
    case OPTIONS_BAD:
        return EXIT_USAGE;
    case OPTIONS_RUN:
        break;
    }
    signal(SIGPIPE, SIG_IGN);
    struct process *process = NULL;
    int status = process_create(&options, &process);
    if (status == 0) {
        status = process_run(process);
        process_destroy(process);
    }
    options_done(&options);
    return status;
}
