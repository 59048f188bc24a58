/* growth: the rate is that of the last minute, and what does not grow never arrives. */
#include "lib/account/growth.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)

/* From second `from` to `to`, as often as a tick comes. */
static void grow(struct growth *growth, int64_t from, int64_t to, int64_t start,
                 int64_t each_second)
{
    for (int64_t tick = from * 10; tick <= to * 10; tick++)
        growth_sample(growth, tick * SECOND / 10, start + (tick - from * 10) * each_second / 10);
}

static void test_nothing_is_known_at_first(void **state)
{
    (void)state;
    struct growth growth = {0};
    assert_true(isinf(growth_seconds_left(&growth, 5, 10, 100)));
    growth_sample(&growth, 5, 10);
    assert_true(isinf(growth_seconds_left(&growth, 5, 10, 100)));
}

static void test_steady_growth_arrives_in_time(void **state)
{
    (void)state;
    struct growth growth = {0};
    grow(&growth, 0, 20, 1000, 50); /* 2000 by now */
    assert_true(fabs(growth_seconds_left(&growth, 20 * SECOND, 2000, 5000) - 60) < 0.001);
}

static void test_what_does_not_grow_never_arrives(void **state)
{
    (void)state;
    struct growth still = {0}, shrinking = {0};
    grow(&still, 0, 100, 1000, 0);
    grow(&shrinking, 0, 100, 1000, -5);
    assert_true(isinf(growth_seconds_left(&still, 100 * SECOND, 1000, 5000)));
    assert_true(isinf(growth_seconds_left(&shrinking, 100 * SECOND, 500, 5000)));
}

static void test_at_the_limit_no_time_is_left(void **state)
{
    (void)state;
    struct growth growth = {0};
    grow(&growth, 0, 10, 1000, 0);
    assert_true(growth_seconds_left(&growth, 10 * SECOND, 5000, 5000) == 0);
    assert_true(growth_seconds_left(&growth, 10 * SECOND, 6000, 5000) == 0);
}

static void test_only_the_last_minute_counts(void **state)
{
    (void)state;
    struct growth growth = {0};
    grow(&growth, 0, 3600, 0, 1000);       /* fast for an hour */
    grow(&growth, 3601, 3670, 3600000, 0); /* and then no more */
    assert_true(isinf(growth_seconds_left(&growth, 3670 * SECOND, 3600000, 9000000)));
    grow(&growth, 3671, 3740, 3600000, 10); /* slowly again: 3600690 by now */
    double left = growth_seconds_left(&growth, 3740 * SECOND, 3600690, 3601690);
    assert_true(fabs(left - 100) < 0.001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_known_at_first),
        cmocka_unit_test(test_steady_growth_arrives_in_time),
        cmocka_unit_test(test_what_does_not_grow_never_arrives),
        cmocka_unit_test(test_at_the_limit_no_time_is_left),
        cmocka_unit_test(test_only_the_last_minute_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
