#ifndef REMORA_BASE_CHECK_H
#define REMORA_BASE_CHECK_H

/*
 * Assertions about our own code, kept in release builds: a broken invariant in a proxy that carries
 * other people's traffic must stop it, not corrupt it. Never use CHECK for input from outside.
 */

/* Prints file, line and the text, then aborts. */
_Noreturn void check_failed(const char *file, int line, const char *what);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) {                                                   \
            check_failed(__FILE__, __LINE__, #condition);                                          \
        }                                                                                          \
    } while (0)

#define UNREACHABLE(what) check_failed(__FILE__, __LINE__, "unreachable: " what)

#endif
