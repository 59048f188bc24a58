/* timeline: a later one is newer, whatever the versions, and within one the versions decide. */
#include "lib/rows/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct text in_timeline(unsigned timeline, const char *version)
{
    static char written[4][TIMELINE_VERSION_SIZE];
    static unsigned next;
    char *here = written[next++ % 4];
    timeline_write(timeline, text_from(version), here);
    return text_from(here);
}

static void test_a_later_timeline_is_newer(void **state)
{
    (void)state;
    static const char *const versions[] = {
        "0", "1", "9", "10", "3200", "5000", "18446744073709551615"};
    size_t count = sizeof(versions) / sizeof(versions[0]);
    static const unsigned timelines[] = {0, 1, 2, 9, 10, 99, 100, TIMELINE_MAX};
    for (size_t e = 0; e < sizeof(timelines) / sizeof(timelines[0]); e++) {
        for (size_t i = 0; i < count; i++) {
            struct text version;
            struct text written = in_timeline(timelines[e], versions[i]);
            assert_true(version_is_valid(written));
            assert_int_equal(timeline_read(written, &version), timelines[e]);
            assert_true(text_is(version, versions[i]));
            if (i > 0)
                assert_true(version_compare(written, in_timeline(timelines[e], versions[i - 1])) >
                            0);
            if (e > 0)
                assert_true(version_compare(
                                written, in_timeline(timelines[e - 1], versions[count - 1])) > 0);
        }
    }
}

static void test_versions_of_the_first_timeline_stay_as_they_are(void **state)
{
    (void)state;
    assert_true(text_is(in_timeline(0, "4711"), "4711"));
    assert_true(text_is(in_timeline(1, "3200"), "100000000000000003200"));
    static const char longest[] =
        "12345678901234567890123456789012"; /* of no server that there is */
    struct text version;
    assert_true(text_is(in_timeline(1, longest), longest));
    assert_int_equal(timeline_read(TEXT("12345678901234567890123456789012"), &version), 0);
}

static void test_above(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", "1"},    {"0", "1"},     {"8", "9"},
                                           {"9", "10"},  {"199", "200"}, {"999", "1000"},
                                           {"x7", "100"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char above[TIMELINE_VERSION_SIZE];
        timeline_above(text_from(pairs[i][0]), above);
        assert_string_equal(above, pairs[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_later_timeline_is_newer),
        cmocka_unit_test(test_versions_of_the_first_timeline_stay_as_they_are),
        cmocka_unit_test(test_above),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
