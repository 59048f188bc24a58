/* timestamp: the calendar against the C library, and a round trip of random times.
 * SEED=n replays a run. */
#include "lib/base/timestamp.h"
#include "test/support/chance.h"

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
#define ROUNDS        20000

static void assert_day(int64_t day)
{
    struct civil_time civil;
    struct tm expected;
    time_t seconds = (time_t)(day * 86400);
    timestamp_to_civil(day * DAY_US, &civil);
    assert_non_null(gmtime_r(&seconds, &expected));
    if (civil.year != expected.tm_year + 1900 || civil.month != expected.tm_mon + 1 ||
        civil.day != expected.tm_mday)
        fail_msg("day %lld is %d-%u-%u", (long long)day, (int)civil.year, civil.month, civil.day);
}

/* Around the turns of the years and the ends of February. */
static void test_the_days_of_every_year_are_the_c_librarys(void **state)
{
    (void)state;
    static const int days[] = {0, 30, 31, 58, 59, 60, 364, 365};
    int64_t first_day = EARLIEST_DAY;
    for (int year = 0; year <= 9999; year++) {
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
            if (first_day + days[i] <= LATEST_DAY)
                assert_day(first_day + days[i]);
        }
        first_day += leap ? 366 : 365;
    }
    assert_int_equal(first_day, LATEST_DAY + 1);
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
        cmocka_unit_test(test_the_days_of_every_year_are_the_c_librarys),
        cmocka_unit_test_prestate(test_what_is_printed_reads_as_the_same_time, &chance),
        cmocka_unit_test_prestate(test_texts_sort_as_their_times, &chance),
        cmocka_unit_test_prestate(test_damaged_texts_are_refused_or_stay_in_the_calendar, &chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
