#ifndef REMORA_TESTS_UNIT_TEST_MAIN_H
#define REMORA_TESTS_UNIT_TEST_MAIN_H

/*
 * The main() of a test program. Without arguments it runs every case; with one it runs the case of
 * that name and fails when there is none, so that a ctest can never pass by running nothing.
 *
 *     int main(int argc, char **argv)
 *     {
 *         const struct CMUnitTest cases[] = {
 *             cmocka_unit_test(an_empty_queue_gives_nothing),
 *         };
 *         return TEST_MAIN(cases, argc, argv);
 *     }
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static inline int test_filter(const struct CMUnitTest *cases, size_t count, int argc, char **argv)
{
    if (argc < 2) {
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(cases[i].name, argv[1]) == 0) {
            cmocka_set_test_filter(argv[1]);
            return 0;
        }
    }
    fprintf(stderr, "no case named %s\n", argv[1]);
    return 2;
}

#define TEST_MAIN(cases, argc, argv)                                                               \
    (test_filter((cases), sizeof(cases) / sizeof((cases)[0]), (argc), (argv)) != 0                 \
         ? 2                                                                                       \
         : cmocka_run_group_tests((cases), NULL, NULL))

#endif
