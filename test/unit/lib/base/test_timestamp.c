/* timestamp: what is taken for a time, and what it is printed as. */
#include "lib/base/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)

/* text is read as `microseconds`, which are printed as `canonical`. */
static void assert_time(const char *text, int64_t microseconds, const char *canonical)
{
    int64_t parsed = -1;
    if (timestamp_parse(text_from(text), &parsed) != ERROR_NONE)
        fail_msg("%s is refused", text);
    assert_int_equal(parsed, microseconds);
    char printed[TIMESTAMP_TEXT_SIZE];
    assert_int_equal(timestamp_format(parsed, printed), strlen(canonical));
    assert_string_equal(printed, canonical);
}

static void test_known_times(void **state)
{
    (void)state;
    assert_time("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z");
    assert_time("2026-11-23T08:17:31Z", 1795421851 * SECOND, "2026-11-23T08:17:31Z");
    assert_time("2000-02-29T23:59:59Z", 951868799 * SECOND, "2000-02-29T23:59:59Z");
    assert_time("2100-02-28T23:59:59Z", 4107542399 * SECOND, "2100-02-28T23:59:59Z");
    assert_time("2100-03-01T00:00:00Z", 4107542400 * SECOND, "2100-03-01T00:00:00Z");
    assert_time("1969-12-31T23:59:59Z", -SECOND, "1969-12-31T23:59:59Z");
    assert_time("0001-01-01T00:00:00Z", -62135596800 * SECOND, "0001-01-01T00:00:00Z");
    assert_time("0000-01-01T00:00:00Z", -62167219200 * SECOND, "0000-01-01T00:00:00Z");
    assert_time("9999-12-31T23:59:59.999999Z", 253402300800 * SECOND - 1,
                "9999-12-31T23:59:59.999999Z");
}

static void test_offsets_are_converted_to_utc(void **state)
{
    (void)state;
    assert_time("1970-01-01T00:00:00+00:00", 0, "1970-01-01T00:00:00Z");
    assert_time("1970-01-01T00:00:00-00:00", 0, "1970-01-01T00:00:00Z");
    assert_time("1970-01-01T05:30:00+05:30", 0, "1970-01-01T00:00:00Z");
    assert_time("1969-12-31T16:00:00-08:00", 0, "1970-01-01T00:00:00Z");
    assert_time("2000-03-01T00:30:00+01:00", 951867000 * SECOND, "2000-02-29T23:30:00Z");
    assert_time("1970-01-02T00:00:00+24:00", 0, "1970-01-01T00:00:00Z");
    assert_time("1970-01-01T01:00:00+00:60", 0, "1970-01-01T00:00:00Z");
}

static void test_fractions_are_truncated_to_microseconds(void **state)
{
    (void)state;
    assert_time("1970-01-01T00:00:00.5Z", 500000, "1970-01-01T00:00:00.500000Z");
    assert_time("1970-01-01T00:00:00.000001Z", 1, "1970-01-01T00:00:00.000001Z");
    assert_time("1970-01-01T00:00:00.0000019Z", 1, "1970-01-01T00:00:00.000001Z");
    assert_time("1970-01-01T00:00:00.999999999Z", 999999, "1970-01-01T00:00:00.999999Z");
    assert_time("1969-12-31T23:59:59.9999999Z", -1, "1969-12-31T23:59:59.999999Z");
    assert_time("1970-01-01T00:00:00.000000Z", 0, "1970-01-01T00:00:00Z");
    assert_time("1970-01-01T00:00:00.12345678901234567890+00:00", 123456,
                "1970-01-01T00:00:00.123456Z");
}

static void test_what_only_go_takes_is_taken(void **state)
{
    (void)state;
    assert_time("1970-01-01T7:00:00Z", 25200 * SECOND, "1970-01-01T07:00:00Z");
    assert_time("1970-01-01T00:00:00,25Z", 250000, "1970-01-01T00:00:00.250000Z");
}

static void assert_refused(struct text text)
{
    int64_t microseconds = 4711;
    if (timestamp_parse(text, &microseconds) != ERROR_INPUT)
        fail_msg("%.*s is taken", (int)text.length, text.data);
    assert_int_equal(microseconds, 4711);
}

static void test_what_is_no_time_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "",
        "now",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01 00:00:00Z",
        "1970-01-01t00:00:00Z",
        "1970-01-01T00:00:00z",
        "1970-01-01T00:00:00ZZ",
        " 1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z ",
        "1970-00-01T00:00:00Z",
        "1970-13-01T00:00:00Z",
        "1970-01-00T00:00:00Z",
        "1970-01-32T00:00:00Z",
        "1970-04-31T00:00:00Z",
        "1970-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2000-02-30T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:60Z",
        "2016-12-31T23:59:60Z",
        "1970-01-01T0:0:00Z",
        "1970-01-01T00:00:0Z",
        "1970-1-1T00:00:00Z",
        "70-01-01T00:00:00Z",
        "+1970-01-01T00:00:00Z",
        "-970-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.+00:00",
        "1970-01-01T00:00:00.5",
        "1970-01-01T00:00:00+0000",
        "1970-01-01T00:00:00+00",
        "1970-01-01T00:00:00+25:00",
        "1970-01-01T00:00:00+00:61",
        "1970-01-01T00:00:00+00:0",
        "1970-01-01T00:00:00*00:00",
        "1970/01-01T00:00:00Z",
        "1970-01/01T00:00:00Z",
        "1970-01-01T00-00:00Z",
        "1970-01-01T00:00-00Z",
        "197a-01-01T00:00:00Z",
        "0000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_refused(text_from(refused[i]));
    assert_refused((struct text){NULL, 0});
    assert_refused(TEXT("1970-01-01T00:00:00Z\0"));
}

static void test_months_have_their_days(void **state)
{
    (void)state;
    static const int last_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int month = 1; month <= 12; month++) {
        char text[64];
        int64_t microseconds;
        snprintf(text, sizeof(text), "2024-%02d-%02dT00:00:00Z", month, last_days[month - 1]);
        assert_int_equal(timestamp_parse(text_from(text), &microseconds), ERROR_NONE);
        snprintf(text, sizeof(text), "2024-%02d-%02dT00:00:00Z", month, last_days[month - 1] + 1);
        assert_refused(text_from(text));
    }
}

static void test_every_prefix_of_a_time_is_refused(void **state)
{
    (void)state;
    const struct text whole = TEXT("1970-01-01T00:00:00.5+00:00");
    for (size_t length = 0; length < whole.length; length++)
        assert_refused((struct text){whole.data, length});
}

static void test_civil_time_has_all_parts(void **state)
{
    (void)state;
    struct civil_time civil;
    timestamp_to_civil(1795421851 * SECOND + 42, &civil);
    assert_int_equal(civil.year, 2026);
    assert_int_equal(civil.month, 11);
    assert_int_equal(civil.day, 23);
    assert_int_equal(civil.hour, 8);
    assert_int_equal(civil.minute, 17);
    assert_int_equal(civil.second, 31);
    assert_int_equal(civil.microsecond, 42);
}

static void test_times_beyond_the_calendar_are_its_ends(void **state)
{
    (void)state;
    char text[TIMESTAMP_TEXT_SIZE];
    timestamp_format(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00Z");
    timestamp_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_times),
        cmocka_unit_test(test_offsets_are_converted_to_utc),
        cmocka_unit_test(test_fractions_are_truncated_to_microseconds),
        cmocka_unit_test(test_what_only_go_takes_is_taken),
        cmocka_unit_test(test_what_is_no_time_is_refused_and_changes_nothing),
        cmocka_unit_test(test_months_have_their_days),
        cmocka_unit_test(test_every_prefix_of_a_time_is_refused),
        cmocka_unit_test(test_civil_time_has_all_parts),
        cmocka_unit_test(test_times_beyond_the_calendar_are_its_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
