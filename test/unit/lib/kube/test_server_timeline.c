/* server_timeline: which marks say that the server's versions went back, and the note that a restart reads. */
#include "lib/kube/server_timeline.h"
#include "lib/rows/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_a_mark_below_what_was_reached_ends_the_timeline(void **state)
{
    struct server_timeline timeline = {0};
    (void)state;
    assert_true(server_timeline_is_over(&timeline, 9, 10));
    assert_false(server_timeline_is_over(&timeline, 10, 10));
    assert_false(server_timeline_is_over(&timeline, 11, 10));
    assert_false(server_timeline_is_over(&timeline, 5, 0));  /* nothing was known */
    assert_false(server_timeline_is_over(&timeline, 0, 10)); /* it has no version */
}

static void test_a_mark_that_is_sent_again_does_not(void **state)
{
    struct server_timeline timeline = {0};
    (void)state;
    for (uint64_t version = 1; version <= SERVER_TIMELINE_MARKS + 1; version++)
        server_timeline_remember(&timeline, version);
    server_timeline_remember(&timeline, SERVER_TIMELINE_MARKS + 1);
    assert_false(server_timeline_is_over(&timeline, 2, 100));
    assert_true(server_timeline_is_over(&timeline, 1, 100)); /* too long ago */
    server_timeline_next(&timeline);
    assert_int_equal(timeline.number, 1);
    assert_true(server_timeline_is_over(&timeline, 2, 100));
}

static void test_there_is_a_last_timeline(void **state)
{
    struct server_timeline timeline = {.number = TIMELINE_MAX};
    (void)state;
    server_timeline_next(&timeline);
    assert_int_equal(timeline.number, TIMELINE_MAX);
}

static void test_a_note_is_read_as_it_was_written(void **state)
{
    struct server_timeline timeline = {.number = 3}, read = {0};
    char note[SERVER_TIMELINE_NOTE_SIZE];
    uint64_t known = 0;
    (void)state;
    server_timeline_remember(&timeline, 7);
    server_timeline_remember(&timeline, UINT64_MAX);
    server_timeline_write(&timeline, 42, "a cluster", note);
    assert_string_equal(note, "3 42 18446744073709551615 7 0 0 0 0 0 0 a cluster");
    assert_true(server_timeline_read(&read, &known, "a cluster", note));
    assert_memory_equal(&read, &timeline, sizeof(read));
    assert_int_equal(known, 42);
}

static void test_a_note_of_another_cluster_or_none_is_not_read(void **state)
{
    static const char *const notes[] = {"", "3 42", "3 42 1 2 3 4 5 6 7 8 other",
                                        "1000 42 1 2 3 4 5 6 7 8 c", "x 42 1 2 3 4 5 6 7 8 c"};
    (void)state;
    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        struct server_timeline timeline = {.number = 2};
        uint64_t known = 5;
        assert_false(server_timeline_read(&timeline, &known, "c", notes[i]));
        assert_int_equal(timeline.number, 2);
        assert_int_equal(known, 5);
    }
}

static void test_a_version_is_a_number_or_none(void **state)
{
    (void)state;
    assert_int_equal(server_version(TEXT("42")), 42);
    assert_int_equal(server_version(TEXT("9999999999999999999")), UINT64_C(9999999999999999999));
    assert_int_equal(server_version(TEXT("10000000000000000000")), 0);
    assert_int_equal(server_version(TEXT("4x")), 0);
    assert_int_equal(server_version(TEXT("")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mark_below_what_was_reached_ends_the_timeline),
        cmocka_unit_test(test_a_mark_that_is_sent_again_does_not),
        cmocka_unit_test(test_there_is_a_last_timeline),
        cmocka_unit_test(test_a_note_is_read_as_it_was_written),
        cmocka_unit_test(test_a_note_of_another_cluster_or_none_is_not_read),
        cmocka_unit_test(test_a_version_is_a_number_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
