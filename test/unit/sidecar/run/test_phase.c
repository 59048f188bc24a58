/* phase: the table of allowed moves, walked. */
#include "sidecar/run/phase.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* All phases that some way leads to. */
static unsigned reachable_from(enum phase from)
{
    unsigned seen = 0, before;
    for (unsigned to = 0; to < PHASE_COUNT; to++)
        seen |= phase_may_become(from, to) ? 1U << to : 0;
    do {
        before = seen;
        for (unsigned between = 0; between < PHASE_COUNT; between++) {
            for (unsigned to = 0; to < PHASE_COUNT; to++) {
                if ((seen & 1U << between) && phase_may_become(between, to))
                    seen |= 1U << to;
            }
        }
    } while (seen != before);
    return seen;
}

static void test_the_end_is_reached_from_everywhere(void **state)
{
    (void)state;
    for (unsigned from = 0; from < PHASE_CLOSING; from++)
        assert_true(reachable_from(from) & 1U << PHASE_CLOSING);
    assert_int_equal(reachable_from(PHASE_CLOSING), 0);
}

static void test_every_phase_is_reached(void **state)
{
    (void)state;
    assert_int_equal(reachable_from(PHASE_LOADING) | 1U << PHASE_LOADING, (1U << PHASE_COUNT) - 1);
}

/* A second signal, the end of the grace. */
static void test_every_phase_before_can_be_stopped_at_once(void **state)
{
    (void)state;
    for (unsigned from = 0; from < PHASE_STOPPING; from++)
        assert_true(phase_may_become(from, PHASE_STOPPING));
}

/* But for rows that are drained, and come back from the spool, and are drained again. */
static void test_there_is_no_way_back(void **state)
{
    (void)state;
    for (unsigned from = 0; from < PHASE_COUNT; from++) {
        for (unsigned to = 0; to <= from; to++) {
            if (from != PHASE_REFILLING || to != PHASE_DRAINING)
                assert_false(phase_may_become(from, to));
        }
    }
}

/* What waits is stored on the way to the end, unless nothing has been made yet. */
static void test_only_a_failed_start_closes_without_stopping(void **state)
{
    (void)state;
    for (unsigned from = PHASE_LOADING + 1; from < PHASE_STOPPING; from++)
        assert_false(phase_may_become(from, PHASE_CLOSING));
}

static void test_a_move_changes_the_phase(void **state)
{
    (void)state;
    enum phase phase = PHASE_LOADING;
    phase_move(&phase, PHASE_RUNNING);
    assert_int_equal(phase, PHASE_RUNNING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_end_is_reached_from_everywhere),
        cmocka_unit_test(test_every_phase_is_reached),
        cmocka_unit_test(test_every_phase_before_can_be_stopped_at_once),
        cmocka_unit_test(test_there_is_no_way_back),
        cmocka_unit_test(test_only_a_failed_start_closes_without_stopping),
        cmocka_unit_test(test_a_move_changes_the_phase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
