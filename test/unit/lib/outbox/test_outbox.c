/* outbox: what is pending, what is in flight, and that nothing falls between. */
#include "lib/outbox/outbox.h"
#include "test/support/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    struct outbox *outbox;
    struct batch batch;
};

static int set_up(void **state)
{
    static const struct outbox_limits limits = {.max_rows = 10, .max_bytes = 1 << 20, .lanes = 1};
    struct fixture *fixture = test_malloc(sizeof(*fixture));
    struct error err;
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
    test_free(fixture);
    return 0;
}

static void put(struct fixture *fixture, struct row *row)
{
    struct error err;
    assert_int_equal(outbox_put(fixture->outbox, row, &err), ERROR_NONE);
}

static bool take(struct fixture *fixture, size_t max_rows)
{
    return outbox_take(fixture->outbox, 0, max_rows, SIZE_MAX, &fixture->batch);
}

static void finish(struct fixture *fixture)
{
    for (size_t i = 0; i < fixture->batch.count; i++)
        outbox_done(fixture->outbox, &fixture->batch, i);
}

static void assert_held(struct fixture *fixture, size_t pending, size_t in_flight)
{
    struct outbox_counts counts = outbox_counts(fixture->outbox);
    assert_int_equal(counts.pending, pending);
    assert_int_equal(counts.in_flight, in_flight);
    assert_int_equal(counts.put, counts.superseded + counts.done + pending + in_flight);
    assert_int_equal(counts.bytes == 0, pending + in_flight == 0);
}

static void test_empty(void **state)
{
    struct fixture *fixture = *state;
    assert_false(take(fixture, 8));
    assert_held(fixture, 0, 0);
    assert_int_equal(outbox_oldest_us(fixture->outbox), INT64_MAX);
}

static void test_newer_version_replaces_the_waiting_one(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, job_row("a", "1", 100));
    put(fixture, job_row("a", "2", 200));
    assert_held(fixture, 1, 0);
    assert_int_equal(outbox_counts(fixture->outbox).superseded, 1);
    assert_int_equal(outbox_oldest_us(fixture->outbox), 100); /* lag is not understated */
    assert_true(take(fixture, 8));
    assert_int_equal(fixture->batch.count, 1);
    assert_true(text_is(row_version(fixture->batch.rows[0]), "2"));
    finish(fixture);
    assert_held(fixture, 0, 0);
}

static void test_batch_is_sorted_by_uid(void **state)
{
    struct fixture *fixture = *state;
    const char *uids[] = {"c", "a", "bb", "b"};
    for (size_t i = 0; i < 4; i++)
        put(fixture, job_row(uids[i], "1", 100));
    assert_true(take(fixture, 8));
    const char *sorted[] = {"a", "b", "bb", "c"};
    for (size_t i = 0; i < 4; i++)
        assert_true(text_is(row_uid(fixture->batch.rows[i]), sorted[i]));
    finish(fixture);
}

static void test_batch_has_one_table_and_one_mode(void **state)
{
    struct fixture *fixture = *state;
    struct cell cells[TABLE_MAX_COLUMNS];
    pod_cells(cells, "a", "1");
    put(fixture, row_of(&table_pod, ROW_UPSERT, cells)); /* received at 1000 */
    pod_cells(cells, "b", "1");
    struct row *update = row_of(&table_pod, ROW_UPDATE, cells);
    update->received_us = 2000;
    put(fixture, update);
    put(fixture, job_row("a", "1", 1)); /* the time of day was set back */

    assert_true(take(fixture, 8)); /* what came first comes first */
    assert_int_equal(fixture->batch.count, 1);
    assert_ptr_equal(fixture->batch.table, &table_pod);
    assert_int_equal(fixture->batch.mode, ROW_UPSERT);
    finish(fixture);
    assert_true(take(fixture, 8));
    assert_int_equal(fixture->batch.count, 1);
    assert_int_equal(fixture->batch.mode, ROW_UPDATE);
    finish(fixture);
    assert_true(take(fixture, 8));
    assert_ptr_equal(fixture->batch.table, &table_job);
    finish(fixture);
    assert_held(fixture, 0, 0);
}

static void test_batch_is_bounded_in_rows_and_bytes(void **state)
{
    struct fixture *fixture = *state;
    const char *uids[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < 5; i++)
        put(fixture, job_row(uids[i], "1", 100));
    assert_true(take(fixture, 2));
    assert_int_equal(fixture->batch.count, 2);
    assert_held(fixture, 3, 2);
    size_t bytes = fixture->batch.bytes;
    finish(fixture);
    assert_true(outbox_take(fixture->outbox, 0, 8, bytes, &fixture->batch));
    assert_int_equal(fixture->batch.count, 2);
    finish(fixture);
    assert_true(outbox_take(fixture->outbox, 0, 8, 1, &fixture->batch)); /* at least one */
    assert_int_equal(fixture->batch.count, 1);
    finish(fixture);
}

static void test_object_in_flight_is_not_taken_twice(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, job_row("a", "1", 100));
    assert_true(take(fixture, 8));
    put(fixture, job_row("a", "2", 200));
    put(fixture, job_row("a", "3", 300));
    assert_held(fixture, 1, 1);
    assert_int_equal(outbox_pending(fixture->outbox, 0), 0);
    struct batch second;
    struct error err;
    assert_int_equal(batch_init(&second, 8, &err), ERROR_NONE);
    assert_false(outbox_take(fixture->outbox, 0, 8, SIZE_MAX, &second));
    batch_fini(&second);

    finish(fixture);
    assert_held(fixture, 1, 0);
    assert_true(take(fixture, 8));
    assert_true(text_is(row_version(fixture->batch.rows[0]), "3"));
    finish(fixture);
    assert_held(fixture, 0, 0);
}

static void test_returned_rows_come_first_and_below_newer_ones(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, job_row("a", "1", 100));
    put(fixture, job_row("b", "1", 110));
    assert_true(take(fixture, 8));
    put(fixture, job_row("c", "1", 120));
    put(fixture, job_row("b", "2", 130));
    outbox_done(fixture->outbox, &fixture->batch, 0);
    outbox_return(fixture->outbox, &fixture->batch);
    assert_held(fixture, 2, 0);

    assert_true(take(fixture, 1));
    assert_true(text_is(row_uid(fixture->batch.rows[0]), "b"));
    assert_true(text_is(row_version(fixture->batch.rows[0]), "2"));
    finish(fixture);
    assert_true(take(fixture, 8));
    assert_true(text_is(row_uid(fixture->batch.rows[0]), "c"));
    finish(fixture);
}

static struct row *job_update(const char *uid, const char *version)
{
    struct cell cells[TABLE_MAX_COLUMNS];
    job_cells(cells, uid, version);
    cells[JOB_DELETED] = cell_int(1);
    return row_of(&table_job, ROW_UPDATE, cells);
}

static void assert_next(struct fixture *fixture, enum row_mode mode, const char *version)
{
    assert_true(take(fixture, 8));
    assert_int_equal(fixture->batch.count, 1);
    assert_int_equal(fixture->batch.mode, mode);
    assert_int_equal(fixture->batch.rows[0]->mode, mode);
    assert_true(text_is(row_version(fixture->batch.rows[0]), version));
}

static void test_an_older_upsert_goes_before_the_update_that_waits(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, job_update("a", "9"));
    put(fixture, job_row("a", "4", 100));
    put(fixture, job_row("a", "5", 100));
    assert_held(fixture, 2, 0);
    assert_next(fixture, ROW_UPSERT, "5");
    put(fixture, job_row("a", "6", 100));
    finish(fixture);
    assert_next(fixture, ROW_UPSERT, "6");
    finish(fixture);
    assert_next(fixture, ROW_UPDATE, "9");
    finish(fixture);
    assert_held(fixture, 0, 0);
}

static void test_a_newer_upsert_takes_in_the_update_that_waits(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, job_update("a", "9"));
    put(fixture, job_row("a", "8", 100));
    put(fixture, job_row("a", "10", 100));
    assert_held(fixture, 1, 0);
    assert_next(fixture, ROW_UPSERT, "10");
    finish(fixture);
    assert_held(fixture, 0, 0);
}

static void test_an_update_on_a_waiting_upsert_is_one_upsert(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, job_row("a", "8", 100));
    put(fixture, job_update("a", "9"));
    assert_held(fixture, 1, 0);
    assert_next(fixture, ROW_UPSERT, "9");
    assert_int_equal(fixture->batch.rows[0]->cells[JOB_DELETED].integer, 1);
    finish(fixture);
}

static void test_a_returned_update_goes_on_top_of_an_older_upsert(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, job_update("a", "9"));
    assert_next(fixture, ROW_UPDATE, "9");
    put(fixture, job_row("a", "8", 100));
    outbox_return(fixture->outbox, &fixture->batch);
    assert_held(fixture, 2, 0);
    assert_next(fixture, ROW_UPSERT, "8");
    finish(fixture);
    assert_next(fixture, ROW_UPDATE, "9");
    finish(fixture);
    assert_held(fixture, 0, 0);
}

static void test_a_returned_update_goes_into_a_newer_upsert(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, job_update("a", "9"));
    assert_next(fixture, ROW_UPDATE, "9");
    put(fixture, job_row("a", "10", 100));
    outbox_return(fixture->outbox, &fixture->batch);
    assert_held(fixture, 1, 0);
    assert_next(fixture, ROW_UPSERT, "10");
    finish(fixture);
    assert_held(fixture, 0, 0);
}

static void test_a_row_keeps_its_place_when_it_is_replaced(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, job_row("b", "1", 100));
    put(fixture, job_row("a", "1", 100));
    put(fixture, job_row("b", "2", 200));
    assert_true(take(fixture, 1));
    assert_true(text_is(row_uid(fixture->batch.rows[0]), "b"));
    finish(fixture);
}

static void test_full_by_rows_and_not_full_again(void **state)
{
    struct fixture *fixture = *state;
    char uid[8];
    for (int i = 0; i < 9; i++) {
        snprintf(uid, sizeof(uid), "%d", i);
        put(fixture, job_row(uid, "1", 100));
        assert_false(outbox_is_full(fixture->outbox));
    }
    put(fixture, job_row("9", "1", 100));
    assert_true(outbox_is_full(fixture->outbox));
    assert_true(take(fixture, 1));
    assert_true(outbox_is_full(fixture->outbox)); /* what is in flight still counts */
    finish(fixture);
    assert_false(outbox_is_full(fixture->outbox));
}

static void test_lanes_share_the_objects_and_an_object_keeps_its_lane(void **state)
{
    (void)state;
    const struct outbox_limits limits = {.max_rows = 1000, .max_bytes = 1 << 20, .lanes = 3};
    struct outbox *outbox;
    struct error err;
    outbox = outbox_new(&limits);
    char uid[8];
    for (int i = 0; i < 100; i++) {
        snprintf(uid, sizeof(uid), "u%d", i);
        assert_int_equal(outbox_put(outbox, job_row(uid, "1", 100), &err), ERROR_NONE);
    }
    size_t before[3];
    size_t sum = 0;
    for (unsigned lane = 0; lane < 3; lane++) {
        before[lane] = outbox_pending(outbox, lane);
        assert_true(before[lane] > 10);
        sum += before[lane];
    }
    assert_int_equal(sum, 100);
    for (int i = 0; i < 100; i++) {
        snprintf(uid, sizeof(uid), "u%d", i);
        assert_int_equal(outbox_put(outbox, job_row(uid, "2", 100), &err), ERROR_NONE);
    }
    for (unsigned lane = 0; lane < 3; lane++)
        assert_int_equal(outbox_pending(outbox, lane), before[lane]);
    outbox_free(outbox);
}

#define OUTBOX_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OUTBOX_TEST(test_empty),
        OUTBOX_TEST(test_newer_version_replaces_the_waiting_one),
        OUTBOX_TEST(test_batch_is_sorted_by_uid),
        OUTBOX_TEST(test_batch_has_one_table_and_one_mode),
        OUTBOX_TEST(test_batch_is_bounded_in_rows_and_bytes),
        OUTBOX_TEST(test_object_in_flight_is_not_taken_twice),
        OUTBOX_TEST(test_returned_rows_come_first_and_below_newer_ones),
        OUTBOX_TEST(test_an_older_upsert_goes_before_the_update_that_waits),
        OUTBOX_TEST(test_a_newer_upsert_takes_in_the_update_that_waits),
        OUTBOX_TEST(test_an_update_on_a_waiting_upsert_is_one_upsert),
        OUTBOX_TEST(test_a_returned_update_goes_on_top_of_an_older_upsert),
        OUTBOX_TEST(test_a_returned_update_goes_into_a_newer_upsert),
        OUTBOX_TEST(test_a_row_keeps_its_place_when_it_is_replaced),
        OUTBOX_TEST(test_full_by_rows_and_not_full_again),
        cmocka_unit_test(test_lanes_share_the_objects_and_an_object_keeps_its_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
