/* fake_store: it keeps the contract of a store, so that what a test sees with it is worth
 * something. */
#include "test/support/fake_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/support/rows.h"

#define MAX_ROWS 4

struct world {
    uv_loop_t loop;
    struct fake_store fake;
    struct store_request request;
    struct row *rows[MAX_ROWS];
    enum row_fate fates[MAX_ROWS];
    struct refusal refusals[MAX_ROWS];
    bool in_submit;
    unsigned answers;
    bool closed;
};

static void on_done(struct store_request *request)
{
    struct world *world = request->owner;
    assert_false(world->in_submit);
    world->answers++;
}

static int set_up(void **state)
{
    struct world *world = test_calloc(1, sizeof(*world));
    assert_int_equal(uv_loop_init(&world->loop), 0);
    fake_store_init(&world->fake, &world->loop, 2);
    world->request.lane = 1;
    world->request.batch = (struct batch){
        .table = &table_job,
        .mode = ROW_UPSERT,
        .rows = world->rows,
        .capacity = MAX_ROWS,
    };
    world->request.fates = world->fates;
    world->request.refusals = world->refusals;
    world->request.done = on_done;
    world->request.owner = world;
    *state = world;
    return 0;
}

static void on_closed(void *context)
{
    ((struct world *)context)->closed = true;
}

static void forget_rows(struct world *world)
{
    for (size_t i = 0; i < world->request.batch.count; i++)
        row_free(world->rows[i]);
    world->request.batch.count = 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    world->fake.store.close(&world->fake.store, on_closed, world);
    assert_false(world->closed);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_true(world->closed);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    fake_store_fini(&world->fake);
    forget_rows(world);
    test_free(world);
    return 0;
}

static void submit(struct world *world)
{
    world->in_submit = true;
    world->fake.store.submit(&world->fake.store, &world->request);
    world->in_submit = false;
}

/* Writes jobs a, b, ... of this version. */
static void write_jobs(struct world *world, size_t count, const char *version)
{
    forget_rows(world);
    for (size_t i = 0; i < count; i++) {
        char uid[] = {(char)('a' + i), '\0'};
        world->rows[i] = job_row(uid, version, 0);
    }
    world->request.batch.count = count;
    memset(world->fates, 0xff, sizeof(world->fates));
    submit(world);
    uv_run(&world->loop, UV_RUN_NOWAIT);
}

static void assert_version(const struct world *world, const char *uid, const char *version)
{
    const struct row *row = fake_store_find(&world->fake, &table_job, uid);
    assert_non_null(row);
    assert_true(text_is(row_version(row), version));
}

static void test_rows_are_kept_and_the_newest_wins(void **state)
{
    struct world *world = *state;
    write_jobs(world, 3, "10");
    assert_int_equal(world->request.error.code, ERROR_NONE);
    assert_int_equal(world->fates[2], ROW_WRITTEN);
    write_jobs(world, 2, "11");
    write_jobs(world, 1, "9");
    assert_int_equal(world->answers, 3);
    assert_version(world, "a", "11");
    assert_version(world, "b", "11");
    assert_version(world, "c", "10");
    assert_null(fake_store_find(&world->fake, &table_job, "d"));
    assert_null(fake_store_find(&world->fake, &table_pod, "a"));
}

static void test_an_update_makes_no_row(void **state)
{
    struct world *world = *state;
    struct cell cells[TABLE_MAX_COLUMNS];
    job_cells(cells, "a", "5");
    world->rows[0] = row_of(&table_job, ROW_UPDATE, cells);
    world->request.batch.mode = ROW_UPDATE;
    world->request.batch.count = 1;
    submit(world);
    uv_run(&world->loop, UV_RUN_NOWAIT);
    assert_int_equal(world->fates[0], ROW_WRITTEN);
    assert_null(fake_store_find(&world->fake, &table_job, "a"));
}

static void test_the_chosen_requests_fail_as_a_whole(void **state)
{
    struct world *world = *state;
    fake_store_fail(&world->fake, 2, 3, DBERROR_WAIT);
    for (unsigned request = 1; request <= 4; request++) {
        bool fails = request == 2 || request == 3;
        write_jobs(world, 2, "1");
        assert_int_equal(world->request.error.code, fails ? ERROR_AGAIN : ERROR_NONE);
        assert_int_equal(world->fates[1], fails ? ROW_WAITS : ROW_WRITTEN);
        if (fails)
            assert_int_equal(world->request.class, DBERROR_WAIT);
    }
    assert_int_equal(world->fake.writes, 2);
}

static void test_it_describes_itself_as_connected_until_a_request_fails(void **state)
{
    struct world *world = *state;
    struct store_description description;
    fake_store_fail(&world->fake, 2, 2, DBERROR_WAIT);
    snprintf(world->fake.description.version, sizeof(world->fake.description.version), "1.0");
    for (unsigned request = 1; request <= 3; request++) {
        write_jobs(world, 1, "1");
        world->fake.store.describe(&world->fake.store, &description);
        assert_int_equal(description.connected, request != 2);
        assert_string_equal(description.version, "1.0");
    }
}

static void test_the_chosen_rows_are_refused(void **state)
{
    struct world *world = *state;
    fake_store_refuse(&world->fake, "b");
    write_jobs(world, 3, "1");
    assert_int_equal(world->request.error.code, ERROR_NONE);
    assert_int_equal(world->request.refusal_count, 1);
    assert_int_equal(world->request.refusals[0].row, 1);
    assert_int_equal(world->fates[0], ROW_WRITTEN);
    assert_int_equal(world->fates[1], ROW_REFUSED);
    assert_int_equal(world->fates[2], ROW_WRITTEN);
    assert_null(fake_store_find(&world->fake, &table_job, "b"));
}

static void test_a_held_request_is_answered_when_it_is_released(void **state)
{
    struct world *world = *state;
    fake_store_hold(&world->fake);
    write_jobs(world, 1, "1");
    assert_int_equal(world->answers, 0);
    fake_store_release(&world->fake);
    uv_run(&world->loop, UV_RUN_NOWAIT);
    assert_int_equal(world->answers, 1);
    assert_int_equal(world->fates[0], ROW_WRITTEN);
}

static void test_abort_ends_a_held_request(void **state)
{
    struct world *world = *state;
    fake_store_hold(&world->fake);
    write_jobs(world, 1, "1");
    world->fake.store.abort(&world->fake.store);
    assert_int_equal(world->answers, 0);
    uv_run(&world->loop, UV_RUN_NOWAIT);
    assert_int_equal(world->answers, 1);
    assert_int_equal(world->fates[0], ROW_WAITS);
    assert_int_equal(world->request.class, DBERROR_RECONNECT);
}

static void test_a_request_without_rows_is_answered(void **state)
{
    struct world *world = *state;
    write_jobs(world, 0, "1");
    assert_int_equal(world->answers, 1);
    assert_int_equal(world->request.error.code, ERROR_NONE);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rows_are_kept_and_the_newest_wins),
        TEST(test_an_update_makes_no_row),
        TEST(test_the_chosen_requests_fail_as_a_whole),
        TEST(test_it_describes_itself_as_connected_until_a_request_fails),
        TEST(test_the_chosen_rows_are_refused),
        TEST(test_a_held_request_is_answered_when_it_is_released),
        TEST(test_abort_ends_a_held_request),
        TEST(test_a_request_without_rows_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
