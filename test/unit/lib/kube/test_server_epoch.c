/* server_epoch: which marks say that the server's versions went back, and the note that a restart reads. */
#include "lib/kube/server_epoch.h"
#include "lib/rows/epoch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_a_mark_below_what_was_reached_ends_the_epoch(void **state)
{
    struct server_epoch epoch = {0};
    (void)state;
    assert_true(server_epoch_is_over(&epoch, 9, 10));
    assert_false(server_epoch_is_over(&epoch, 10, 10));
    assert_false(server_epoch_is_over(&epoch, 11, 10));
    assert_false(server_epoch_is_over(&epoch, 5, 0));  /* nothing was known */
    assert_false(server_epoch_is_over(&epoch, 0, 10)); /* it has no version */
}

static void test_a_mark_that_is_sent_again_does_not(void **state)
{
    struct server_epoch epoch = {0};
    (void)state;
    for (uint64_t version = 1; version <= SERVER_EPOCH_MARKS + 1; version++)
        server_epoch_remember(&epoch, version);
    server_epoch_remember(&epoch, SERVER_EPOCH_MARKS + 1);
    assert_false(server_epoch_is_over(&epoch, 2, 100));
    assert_true(server_epoch_is_over(&epoch, 1, 100)); /* too long ago */
    server_epoch_next(&epoch);
    assert_int_equal(epoch.number, 1);
    assert_true(server_epoch_is_over(&epoch, 2, 100));
}

static void test_there_is_a_last_epoch(void **state)
{
    struct server_epoch epoch = {.number = EPOCH_MAX};
    (void)state;
    server_epoch_next(&epoch);
    assert_int_equal(epoch.number, EPOCH_MAX);
}

static void test_a_note_is_read_as_it_was_written(void **state)
{
    struct server_epoch epoch = {.number = 3}, read = {0};
    char note[SERVER_EPOCH_NOTE_SIZE];
    uint64_t known = 0;
    (void)state;
    server_epoch_remember(&epoch, 7);
    server_epoch_remember(&epoch, UINT64_MAX);
    server_epoch_write(&epoch, 42, "a cluster", note);
    assert_string_equal(note, "3 42 18446744073709551615 7 0 0 0 0 0 0 a cluster");
    assert_true(server_epoch_read(&read, &known, "a cluster", note));
    assert_memory_equal(&read, &epoch, sizeof(read));
    assert_int_equal(known, 42);
}

static void test_a_note_of_another_cluster_or_none_is_not_read(void **state)
{
    static const char *const notes[] = {"", "3 42", "3 42 1 2 3 4 5 6 7 8 other",
                                        "1000 42 1 2 3 4 5 6 7 8 c", "x 42 1 2 3 4 5 6 7 8 c"};
    (void)state;
    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        struct server_epoch epoch = {.number = 2};
        uint64_t known = 5;
        assert_false(server_epoch_read(&epoch, &known, "c", notes[i]));
        assert_int_equal(epoch.number, 2);
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
        cmocka_unit_test(test_a_mark_below_what_was_reached_ends_the_epoch),
        cmocka_unit_test(test_a_mark_that_is_sent_again_does_not),
        cmocka_unit_test(test_there_is_a_last_epoch),
        cmocka_unit_test(test_a_note_is_read_as_it_was_written),
        cmocka_unit_test(test_a_note_of_another_cluster_or_none_is_not_read),
        cmocka_unit_test(test_a_version_is_a_number_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
