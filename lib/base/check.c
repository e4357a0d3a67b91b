#include "lib/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void check_failed(const char *file, int line, const char *what)
{
    char message[512];
    int length = snprintf(message, sizeof(message), "%s:%d: check failed: %s\n", file, line, what);
    size_t bytes = length < 0 ? 0 : (size_t)length;
    if (bytes >= sizeof(message)) {
        bytes = sizeof(message) - 1;
    }
    /* Not stdio: its buffers and locks may be what is broken. */
    if (write(STDERR_FILENO, message, bytes) < 0) {
        abort();
    }
    abort();
}
