#include "lib/base/check.h"

#include "tests/unit/lib/base/child.h"
#include "tests/unit/test_main.h"

#include <signal.h>

static int one = 1;

static void break_a_rule(void)
{
    CHECK(one == 2);
}

static void reach_the_unreachable(void)
{
    UNREACHABLE("here");
}

static void a_broken_invariant_stops_the_program_and_names_itself(void **state)
{
    char output[1024];
    assert_int_equal(run_in_child(break_a_rule, output, sizeof(output)), SIGABRT);
    assert_non_null(strstr(output, "check_test.c:"));
    assert_non_null(strstr(output, "one == 2"));
    assert_int_equal(run_in_child(reach_the_unreachable, output, sizeof(output)), SIGABRT);
    assert_non_null(strstr(output, "unreachable: here"));
}

static void a_kept_invariant_costs_nothing_but_its_look(void **state)
{
    int looked = 0;
    CHECK(++looked == 1);
    assert_int_equal(looked, 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_broken_invariant_stops_the_program_and_names_itself),
        cmocka_unit_test(a_kept_invariant_costs_nothing_but_its_look),
    };
    return TEST_MAIN(cases, argc, argv);
}
