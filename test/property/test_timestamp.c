/* timestamp: every day of the calendar against the C library, and a round trip of random times.
 * SEED=n replays a run. */
#include "test/unit/chance.h"
#include "lib/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#define DAY_US        INT64_C(86400000000)
#define EARLIEST_DAY  (-719528) /* 0000-01-01 */
#define LATEST_DAY    2932896   /* 9999-12-31 */
#define CALENDAR_DAYS (LATEST_DAY - EARLIEST_DAY + 1)
#define ROUNDS        200000

static void test_every_day_is_the_c_librarys(void **state)
{
    (void)state;
    for (int64_t day = EARLIEST_DAY; day <= LATEST_DAY; day++) {
        struct civil_time civil;
        timestamp_to_civil(day * DAY_US, &civil);
        struct tm expected;
        time_t seconds = (time_t)(day * 86400);
        assert_non_null(gmtime_r(&seconds, &expected));
        if (civil.year != expected.tm_year + 1900 || civil.month != expected.tm_mon + 1 ||
            civil.day != expected.tm_mday)
            fail_msg("day %lld is %d-%u-%u", (long long)day, (int)civil.year, civil.month,
                     civil.day);
    }
}

static int64_t random_time(struct chance *chance)
{
    int64_t day = EARLIEST_DAY + (int64_t)chance_below(chance, CALENDAR_DAYS);
    int64_t within = (int64_t)(chance_bits(chance) % (uint64_t)DAY_US);
    bool whole_seconds = chance_below(chance, 4) == 0;
    return day * DAY_US + (whole_seconds ? within / 1000000 * 1000000 : within);
}

static void test_what_is_printed_reads_as_the_same_time(void **state)
{
    struct chance *chance = *state;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t microseconds = random_time(chance), again;
        char text[TIMESTAMP_TEXT_SIZE];
        size_t length = timestamp_format(microseconds, text);
        if (timestamp_parse((struct text){text, length}, &again) != ERROR_NONE ||
            again != microseconds)
            fail_msg("%s does not come back as %lld", text, (long long)microseconds);
    }
}

static void test_texts_sort_as_their_times(void **state)
{
    struct chance *chance = *state;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t a = random_time(chance) / 1000000 * 1000000;
        int64_t b = random_time(chance) / 1000000 * 1000000;
        char a_text[TIMESTAMP_TEXT_SIZE], b_text[TIMESTAMP_TEXT_SIZE];
        timestamp_format(a, a_text);
        timestamp_format(b, b_text);
        int order = strcmp(a_text, b_text);
        assert_true((a < b) == (order < 0) && (a > b) == (order > 0));
    }
}

static void test_damaged_texts_are_refused_or_stay_in_the_calendar(void **state)
{
    struct chance *chance = *state;
    static const char letters[] = "0123456789-+:.,TZz ";
    for (int i = 0; i < ROUNDS; i++) {
        char text[TIMESTAMP_TEXT_SIZE];
        size_t length = timestamp_format(random_time(chance), text);
        for (uint32_t damage = chance_below(chance, 3); damage > 0; damage--)
            text[chance_below(chance, (uint32_t)length)] =
                letters[chance_below(chance, sizeof(letters) - 1)];
        int64_t microseconds;
        if (timestamp_parse((struct text){text, length}, &microseconds) == ERROR_NONE)
            assert_in_range(microseconds - EARLIEST_DAY * DAY_US, 0, CALENDAR_DAYS * DAY_US - 1);
    }
}

int main(void)
{
    struct chance chance = chance_from_environment();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_day_is_the_c_librarys),
        cmocka_unit_test_prestate(test_what_is_printed_reads_as_the_same_time, &chance),
        cmocka_unit_test_prestate(test_texts_sort_as_their_times, &chance),
        cmocka_unit_test_prestate(test_damaged_texts_are_refused_or_stay_in_the_calendar, &chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
