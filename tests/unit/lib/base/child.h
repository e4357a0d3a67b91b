#ifndef REMORA_TESTS_BASE_CHILD_H
#define REMORA_TESTS_BASE_CHILD_H

#include <stddef.h>

/*
 * Runs body in a child process and gives what it wrote to standard error (NUL-terminated) and the
 * signal that ended it (0 = none). For functions that stop the program.
 */
int run_in_child(void (*body)(void), char *into, size_t room);

#endif
