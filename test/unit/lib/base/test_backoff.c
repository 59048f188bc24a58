/* backoff: how delays grow, and where they end. */
#include "lib/base/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LEAST_RANDOM 0
#define MOST_RANDOM  UINT32_MAX

static void test_delays_double_up_to_the_ceiling(void **state)
{
    (void)state;
    static const uint32_t most[] = {100, 200, 400, 800, 1000, 1000};
    static const uint32_t least[] = {50, 100, 200, 400, 500, 500};
    struct backoff upper = {.first_ms = 100, .ceiling_ms = 1000};
    struct backoff lower = upper;
    for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
        assert_int_equal(backoff_next_ms(&upper, MOST_RANDOM), most[i]);
        assert_int_equal(backoff_next_ms(&lower, LEAST_RANDOM), least[i]);
    }
}

static void test_the_random_half_is_spread_evenly(void **state)
{
    (void)state;
    const struct backoff fresh = {.first_ms = 6, .ceiling_ms = 100};
    unsigned seen[7] = {0};
    for (uint64_t random = 0; random <= UINT32_MAX; random += 1U << 20) {
        struct backoff backoff = fresh;
        uint32_t delay_ms = backoff_next_ms(&backoff, (uint32_t)random);
        assert_in_range(delay_ms, 3, 6);
        seen[delay_ms]++;
    }
    for (int delay_ms = 3; delay_ms <= 6; delay_ms++)
        assert_int_equal(seen[delay_ms], 1024);
}

static void test_success_starts_over(void **state)
{
    (void)state;
    struct backoff backoff = {.first_ms = 100, .ceiling_ms = 1000};
    for (int i = 0; i < 5; i++)
        (void)backoff_next_ms(&backoff, MOST_RANDOM);
    assert_int_equal(backoff.failures, 5);
    backoff_reset(&backoff);
    assert_int_equal(backoff.failures, 0);
    assert_int_equal(backoff_next_ms(&backoff, MOST_RANDOM), 100);
}

static void test_no_count_of_failures_overflows(void **state)
{
    (void)state;
    struct backoff backoff = {
        .first_ms = UINT32_MAX, .ceiling_ms = UINT32_MAX, .failures = UINT32_MAX};
    assert_int_equal(backoff_next_ms(&backoff, MOST_RANDOM), UINT32_MAX);
    assert_int_equal(backoff.failures, UINT32_MAX);
    for (uint32_t failures = 0; failures < 70; failures++) {
        backoff.failures = failures;
        assert_int_equal(backoff_next_ms(&backoff, LEAST_RANDOM), UINT32_MAX / 2);
    }
}

static void test_small_delays_stay_within_their_bounds(void **state)
{
    (void)state;
    struct backoff none = {.first_ms = 0, .ceiling_ms = 1000};
    assert_int_equal(backoff_next_ms(&none, MOST_RANDOM), 0);
    struct backoff one = {.first_ms = 1, .ceiling_ms = 1};
    assert_int_equal(backoff_next_ms(&one, MOST_RANDOM), 1);
    assert_int_equal(backoff_next_ms(&one, LEAST_RANDOM), 0);
    struct backoff capped = {.first_ms = 500, .ceiling_ms = 3};
    assert_int_equal(backoff_next_ms(&capped, MOST_RANDOM), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delays_double_up_to_the_ceiling),
        cmocka_unit_test(test_the_random_half_is_spread_evenly),
        cmocka_unit_test(test_success_starts_over),
        cmocka_unit_test(test_no_count_of_failures_overflows),
        cmocka_unit_test(test_small_delays_stay_within_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
