/* duration: what kubectl prints, and what people write. */
#include "lib/base/duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static void test_ages_are_printed_as_kubectl_does(void **state)
{
    (void)state;
    static const struct {
        int64_t microseconds;
        const char *text;
    } cases[] = {
        {INT64_MIN, "<invalid>"},
        {-2 * SECOND, "<invalid>"},
        {-SECOND, "0s"},
        {-1, "0s"},
        {0, "0s"},
        {SECOND - 1, "0s"},
        {119 * SECOND, "119s"},
        {2 * MINUTE, "2m"},
        {2 * MINUTE + 1 * SECOND, "2m1s"},
        {10 * MINUTE - SECOND, "9m59s"},
        {10 * MINUTE + 59 * SECOND, "10m"},
        {3 * HOUR - SECOND, "179m"},
        {3 * HOUR, "3h"},
        {3 * HOUR + 5 * MINUTE, "3h5m"},
        {8 * HOUR - SECOND, "7h59m"},
        {8 * HOUR + 59 * MINUTE, "8h"},
        {48 * HOUR - SECOND, "47h"},
        {2 * DAY, "2d"},
        {3 * DAY + 4 * HOUR, "3d4h"},
        {8 * DAY - SECOND, "7d23h"},
        {8 * DAY + 23 * HOUR, "8d"},
        {2 * 365 * DAY - SECOND, "729d"},
        {2 * 365 * DAY, "2y"},
        {2 * 365 * DAY + 30 * DAY, "2y30d"},
        {8 * 365 * DAY + 30 * DAY, "8y"},
        {INT64_MAX, "292471y"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[DURATION_TEXT_SIZE];
        size_t length = duration_format(cases[i].microseconds, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(length, strlen(text));
    }
}

static void test_ages_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t microseconds;
    } cases[] = {
        {"0s", 0},
        {"45s", 45 * SECOND},
        {"90m", 90 * MINUTE},
        {"12h", 12 * HOUR},
        {"7d", 7 * DAY},
        {"2w", 14 * DAY},
        {"1d12h", 36 * HOUR},
        {"36500d", 36500 * DAY},
        {"1h1h", 2 * HOUR},
        {"007d", 7 * DAY},
        {"1w2d3h4m5s", 9 * DAY + 3 * HOUR + 4 * MINUTE + 5 * SECOND},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t microseconds;
        assert_int_equal(duration_parse(text_from(cases[i].text), &microseconds), ERROR_NONE);
        assert_true(microseconds == cases[i].microseconds);
    }
}

static void test_what_is_no_age_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "d",
        "7",
        "7d ",
        " 7d",
        "-7d",
        "7x",
        "7dd",
        "1.5h",
        "7d3",
        "1h-",
        "36501d",
        "5215w",
        "36500d1s",
        "99999999999999999999999999d",
        "9223372036854775807s",
        "7D",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t microseconds = 42;
        if (duration_parse(text_from(cases[i]), &microseconds) != ERROR_INPUT)
            fail_msg("%s is taken", cases[i]);
        assert_true(microseconds == 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ages_are_printed_as_kubectl_does),
        cmocka_unit_test(test_ages_are_read),
        cmocka_unit_test(test_what_is_no_age_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
