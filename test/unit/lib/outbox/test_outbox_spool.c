/* outbox_spool: the spool is told of what waits, and to forget what does not any more; and what is
 * neither in the database nor in the spool is not safe. */
#include "lib/outbox/durability.h"
#include "lib/outbox/outbox.h"
#include "test/support/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    struct durability *durability;
    struct outbox *outbox;
    struct batch batch;
    char told[256]; /* "a:1 a:2 b:- ": uid and version of each row, or forget it */
};

static int set_up(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    struct error err;
    fixture->durability = durability_new();
    const struct outbox_limits limits = {.max_rows = 100,
                                         .max_bytes = 1 << 20,
                                         .lanes = 1,
                                         .durability = fixture->durability,
                                         .spooled = true};
    fixture->outbox = outbox_new(&limits);
    assert_int_equal(batch_init(&fixture->batch, 8, &err), ERROR_NONE);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    outbox_free(fixture->outbox);
    batch_fini(&fixture->batch);
    durability_free(fixture->durability);
    test_free(fixture);
    return 0;
}

static void put(struct fixture *fixture, const char *uid, const char *version, int64_t at)
{
    struct error err;
    assert_int_equal(outbox_put(fixture->outbox, job_row(uid, version, at), &err), ERROR_NONE);
}

static void take(struct fixture *fixture)
{
    assert_true(outbox_take(fixture->outbox, 0, 8, SIZE_MAX, &fixture->batch));
}

static void finish(struct fixture *fixture)
{
    for (size_t i = 0; i < fixture->batch.count; i++)
        outbox_done(fixture->outbox, &fixture->batch, i);
}

static void tell(void *context, const struct outbox_record *record)
{
    struct fixture *fixture = context;
    assert_ptr_equal(record->table, &table_job);
    for (size_t i = 0; i < record->row_count || i == 0; i++) {
        struct text version = record->row_count > 0 ? row_version(record->rows[i]) : TEXT("-");
        size_t length = strlen(fixture->told);
        snprintf(fixture->told + length, sizeof(fixture->told) - length, "%.*s:%.*s ",
                 (int)record->uid.length, record->uid.data, (int)version.length, version.data);
    }
}

static void assert_told(struct fixture *fixture, int64_t before, const char *expected)
{
    fixture->told[0] = '\0';
    outbox_capture(fixture->outbox, before, 100, tell, fixture);
    assert_string_equal(fixture->told, expected);
}

/* Safe: all that was put before this call. */
static bool is_safe(struct fixture *fixture)
{
    uint64_t epoch = durability_epoch(fixture->durability);
    durability_advance(fixture->durability);
    return durability_safe(fixture->durability) >= epoch;
}

static void test_a_row_that_is_written_in_time_is_never_told(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a", "1", 100);
    assert_told(fixture, 99, "");
    assert_false(is_safe(fixture));
    take(fixture);
    finish(fixture);
    assert_true(is_safe(fixture));
    assert_told(fixture, 1000, "");
}

static int64_t steady_now_us;

static int64_t steady_us(void)
{
    return steady_now_us;
}

/* The time of day is set back by an hour between the two. */
static void test_a_row_is_due_by_the_clock_of_the_outbox(void **state)
{
    struct fixture *fixture = *state;
    const struct outbox_limits limits = {.max_rows = 100,
                                         .max_bytes = 1 << 20,
                                         .lanes = 1,
                                         .durability = fixture->durability,
                                         .spooled = true,
                                         .now_us = steady_us};
    outbox_free(fixture->outbox);
    fixture->outbox = outbox_new(&limits);
    steady_now_us = 1000;
    put(fixture, "a", "1", INT64_C(3600000000));
    steady_now_us = 2000;
    put(fixture, "b", "1", 5);
    assert_told(fixture, 999, "");
    assert_int_equal(outbox_unspooled_since_us(fixture->outbox), 1000);
    assert_told(fixture, 1000, "a:1 ");
    assert_told(fixture, 2000, "b:1 ");
    outbox_captured(fixture->outbox, true);
}

static void test_a_row_that_waits_is_told_and_then_safe(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a", "1", 100);
    assert_told(fixture, 100, "a:1 ");
    assert_false(is_safe(fixture));
    outbox_captured(fixture->outbox, true);
    assert_true(is_safe(fixture));
    assert_told(fixture, 1000, "");
}

static void test_a_row_that_could_not_be_stored_is_told_again(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a", "1", 100);
    assert_told(fixture, 100, "a:1 ");
    outbox_captured(fixture->outbox, false);
    assert_false(is_safe(fixture));
    assert_int_equal(outbox_unspooled_since_us(fixture->outbox), 100);
    assert_told(fixture, 100, "a:1 ");
    outbox_captured(fixture->outbox, true);
    assert_true(is_safe(fixture));
    assert_int_equal(outbox_unspooled_since_us(fixture->outbox), INT64_MAX);
}

static void test_what_is_written_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a", "1", 100);
    assert_told(fixture, 100, "a:1 ");
    outbox_captured(fixture->outbox, true);
    take(fixture);
    finish(fixture);
    assert_true(outbox_has_deletions(fixture->outbox));
    assert_told(fixture, 0, "a:- ");
    outbox_captured(fixture->outbox, true);
    assert_told(fixture, 1000, "");
    assert_false(outbox_has_deletions(fixture->outbox));
}

static void test_what_is_written_while_it_is_stored_is_forgotten_afterwards(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a", "1", 100);
    assert_told(fixture, 100, "a:1 ");
    take(fixture);
    finish(fixture);
    assert_true(is_safe(fixture)); /* it is in the database */
    outbox_captured(fixture->outbox, true);
    assert_told(fixture, 0, "a:- ");
    outbox_captured(fixture->outbox, false);
    assert_told(fixture, 0, "a:- ");
    outbox_captured(fixture->outbox, true);
}

static void test_what_is_written_while_it_could_not_be_stored_is_just_gone(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a", "1", 100);
    assert_told(fixture, 100, "a:1 ");
    take(fixture);
    finish(fixture);
    outbox_captured(fixture->outbox, false);
    assert_told(fixture, 1000, "");
}

static void test_a_change_during_storing_is_told_and_not_safe_before(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a", "1", 100);
    assert_told(fixture, 100, "a:1 ");
    put(fixture, "a", "2", 200);
    outbox_captured(fixture->outbox, true);
    assert_false(is_safe(fixture));
    assert_told(fixture, 199, "");
    assert_told(fixture, 200, "a:2 ");
    outbox_captured(fixture->outbox, true);
    assert_true(is_safe(fixture));
}

static void test_rows_in_flight_are_told_with_those_behind_them(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a", "1", 100);
    take(fixture);
    put(fixture, "a", "2", 200);
    assert_told(fixture, 200, "a:1 a:2 ");
    outbox_captured(fixture->outbox, true);
    finish(fixture);
    assert_told(fixture, 1000, ""); /* the record still has the second row */
    take(fixture);
    finish(fixture);
    assert_told(fixture, 0, "a:- ");
    outbox_captured(fixture->outbox, true);
}

static void test_an_object_that_comes_back_before_it_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a", "1", 100);
    assert_told(fixture, 100, "a:1 ");
    outbox_captured(fixture->outbox, true);
    take(fixture);
    finish(fixture);
    put(fixture, "a", "2", 300);
    assert_false(is_safe(fixture));
    assert_told(fixture, 1000, "a:2 ");
    outbox_captured(fixture->outbox, true);
    assert_true(is_safe(fixture));
    take(fixture);
    finish(fixture);
    assert_told(fixture, 0, "a:- ");
    outbox_captured(fixture->outbox, true);
}

static void test_restored_rows_are_safe_and_forgotten_when_written(void **state)
{
    struct fixture *fixture = *state;
    struct error err;
    assert_int_equal(outbox_restore(fixture->outbox, job_row("a", "1", 50), &err), ERROR_NONE);
    assert_told(fixture, 1000, "");
    assert_true(is_safe(fixture));
    take(fixture);
    finish(fixture);
    assert_told(fixture, 0, "a:- ");
    outbox_captured(fixture->outbox, true);
}

static void test_a_lost_spool_is_told_all_anew(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "a", "1", 100);
    put(fixture, "b", "1", 100);
    assert_told(fixture, 100, "a:1 b:1 ");
    outbox_captured(fixture->outbox, true);
    take(fixture);
    outbox_done(fixture->outbox, &fixture->batch, 0);
    outbox_return(fixture->outbox, &fixture->batch);
    outbox_recapture(fixture->outbox);
    assert_told(fixture, 0, "b:1 ");
    outbox_captured(fixture->outbox, true);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* The document that the merged row had first is not safe before the row is. */
static void test_a_row_that_replaces_an_older_one_is_unsafe_since_that_one_came(void **state)
{
    struct fixture *fixture = *state;
    uint64_t first = durability_epoch(fixture->durability);
    put(fixture, "a", "1", 100);
    assert_false(is_safe(fixture));
    put(fixture, "a", "2", 101);
    assert_false(is_safe(fixture));
    assert_true(durability_safe(fixture->durability) < first);
    assert_told(fixture, 101, "a:2 ");
    assert_true(durability_safe(fixture->durability) < first);
    outbox_captured(fixture->outbox, true);
    assert_true(is_safe(fixture));
}

/* The same where the older one is still on its way to the database. */
static void test_a_row_behind_one_in_flight_does_not_make_that_one_safe(void **state)
{
    struct fixture *fixture = *state;
    uint64_t first = durability_epoch(fixture->durability);
    put(fixture, "a", "1", 100);
    take(fixture);
    assert_false(is_safe(fixture));
    put(fixture, "a", "2", 101);
    assert_told(fixture, 101, "a:1 a:2 ");
    assert_false(is_safe(fixture));
    assert_true(durability_safe(fixture->durability) < first);
    outbox_captured(fixture->outbox, false);
    assert_true(durability_safe(fixture->durability) < first);
    assert_told(fixture, 101, "a:1 a:2 ");
    outbox_captured(fixture->outbox, true);
    assert_true(is_safe(fixture));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_row_that_is_written_in_time_is_never_told),
        TEST(test_a_row_is_due_by_the_clock_of_the_outbox),
        TEST(test_a_row_that_waits_is_told_and_then_safe),
        TEST(test_a_row_that_could_not_be_stored_is_told_again),
        TEST(test_what_is_written_is_forgotten),
        TEST(test_what_is_written_while_it_is_stored_is_forgotten_afterwards),
        TEST(test_what_is_written_while_it_could_not_be_stored_is_just_gone),
        TEST(test_a_change_during_storing_is_told_and_not_safe_before),
        TEST(test_rows_in_flight_are_told_with_those_behind_them),
        TEST(test_an_object_that_comes_back_before_it_is_forgotten),
        TEST(test_restored_rows_are_safe_and_forgotten_when_written),
        TEST(test_a_lost_spool_is_told_all_anew),
        TEST(test_a_row_that_replaces_an_older_one_is_unsafe_since_that_one_came),
        TEST(test_a_row_behind_one_in_flight_does_not_make_that_one_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
