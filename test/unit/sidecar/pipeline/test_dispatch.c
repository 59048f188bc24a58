/* dispatch: when a lane writes, what it does with the answer, and that it never hurries after a
 * failure. */
#include "sidecar/pipeline/dispatch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/fake_store.h"
#include "test/support/rows.h"

#define MAX_ROWS 8

struct world {
    uv_loop_t loop;
    uv_timer_t watchdog;
    uv_timer_t timer;
    struct fake_store fake;
    struct outbox *outbox;
    struct ledger ledger;
    struct metrics metrics;
    struct logger *logger;
    struct dispatch *dispatch;
    unsigned drained, stopped, closed, answered, answered_well, progressed;
    char refused[64]; /* uids, each with a space */
    bool over;        /* the timer has fired */
    bool calling;     /* a function of dispatch: nothing may be called back from inside */
};

static void on_refused(void *context, const struct row *row, const struct refusal *refusal)
{
    struct world *world = context;
    struct text uid = row_uid(row);
    size_t length = strlen(world->refused);
    assert_int_equal(refusal->number, 1406);
    snprintf(world->refused + length, sizeof(world->refused) - length, "%.*s ", (int)uid.length,
             uid.data);
}

static void on_progress(void *context)
{
    struct world *world = context;
    assert_false(world->calling);
    world->progressed++;
}

static void on_drained(void *context)
{
    struct world *world = context;
    assert_false(world->calling);
    world->drained++;
}

static void on_stopped(void *context)
{
    struct world *world = context;
    assert_false(world->calling);
    world->stopped++;
}

static void on_answered(void *context, bool ok)
{
    struct world *world = context;
    assert_false(world->calling);
    world->answered++;
    world->answered_well += ok;
}

static void on_closed(void *context)
{
    ((struct world *)context)->closed++;
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("waited in vain");
}

static void make_dispatch(struct world *world, uint32_t linger_ms)
{
    const struct dispatch_settings settings = {
        .store = &world->fake.store,
        .outbox = world->outbox,
        .ledger = &world->ledger,
        .metrics = &world->metrics,
        .logger = world->logger,
        .batch_max_rows = MAX_ROWS,
        .batch_max_bytes = SIZE_MAX,
        .linger_ms = linger_ms,
        .refused = on_refused,
        .progress = on_progress,
        .context = world,
    };
    assert_int_equal(dispatch_new(&world->loop, &settings, &world->dispatch, NULL), ERROR_NONE);
}

static int set_up_lanes(void **state, unsigned lanes)
{
    const struct outbox_limits limits = {.max_rows = 1000, .max_bytes = 1 << 20, .lanes = lanes};
    struct world *world = test_calloc(1, sizeof(*world));
    int log = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(log >= 0);
    assert_int_equal(logger_new(log, LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, &world->logger, NULL),
                     ERROR_NONE);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    uv_timer_init(&world->loop, &world->watchdog);
    uv_timer_init(&world->loop, &world->timer);
    metrics_init(&world->metrics);
    uv_timer_start(&world->watchdog, on_watchdog, 60000, 0);
    fake_store_init(&world->fake, &world->loop, lanes);
    world->outbox = outbox_new(&limits);
    *state = world;
    return 0;
}

static int set_up(void **state)
{
    return set_up_lanes(state, 1);
}

static int set_up_two(void **state)
{
    return set_up_lanes(state, 2);
}

static void wait_for(struct world *world, const unsigned *counter, unsigned count)
{
    while (*counter < count)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(*counter, count);
}

static void wait_for_size(struct world *world, const size_t *counter, size_t count)
{
    while (*counter < count)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(*counter, count);
}

static void stop_dispatch(struct world *world)
{
    world->calling = true;
    dispatch_stop(world->dispatch, on_stopped, world);
    world->calling = false;
    wait_for(world, &world->stopped, 1);
}

static int tear_down(void **state)
{
    struct world *world = *state;
    if (world->stopped == 0)
        stop_dispatch(world);
    dispatch_close(world->dispatch, on_closed, world);
    wait_for(world, &world->closed, 1);
    world->fake.store.close(&world->fake.store, on_closed, world);
    wait_for(world, &world->closed, 2);
    uv_close((uv_handle_t *)&world->watchdog, NULL);
    uv_close((uv_handle_t *)&world->timer, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    outbox_free(world->outbox);
    fake_store_fini(&world->fake);
    logger_free(world->logger);
    test_free(world);
    return 0;
}

static void put(struct world *world, const char *uid, const char *version)
{
    assert_int_equal(outbox_put(world->outbox, job_row(uid, version, 1), NULL), ERROR_NONE);
    world->ledger.rows[0].received++;
    world->ledger.fates[WATCH_ROW]++;
    world->calling = true;
    dispatch_wake(world->dispatch);
    world->calling = false;
}

static void put_many(struct world *world, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char uid[16];
        snprintf(uid, sizeof(uid), "%03u", i);
        put(world, uid, "1");
    }
}

static void drain(struct world *world)
{
    world->calling = true;
    dispatch_drain(world->dispatch, on_drained, world);
    world->calling = false;
    wait_for(world, &world->drained, 1);
}

static void assert_all_written(const struct world *world, size_t count)
{
    struct outbox_counts counts = outbox_counts(world->outbox);
    assert_int_equal(counts.pending + counts.in_flight, 0);
    assert_int_equal(world->fake.row_count, count);
    assert_true(ledger_balances(&world->ledger, world->outbox));
}

static void test_the_start_only_connects(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 0);
    dispatch_start(world->dispatch);
    wait_for_size(world, &world->fake.requests, 1);
    assert_int_equal(world->fake.rows_written, 0);
    assert_int_equal(world->ledger.batches, 0);
    assert_true(dispatch_is_healthy(world->dispatch));
}

static void test_rows_that_come_together_are_one_batch(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 20);
    put_many(world, MAX_ROWS - 1);
    assert_int_equal(outbox_counts(world->outbox).in_flight, 0); /* it lingers */
    wait_for(world, &world->progressed, 1);
    assert_int_equal(world->fake.writes, 1);
    assert_int_equal(world->ledger.batches, 1);
    assert_all_written(world, MAX_ROWS - 1);
}

static void test_a_full_batch_does_not_wait_for_more(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 3600000);
    put_many(world, MAX_ROWS);
    wait_for(world, &world->progressed, 1);
    assert_all_written(world, MAX_ROWS);
}

static void test_what_came_during_a_write_waits_for_company(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 3600000);
    fake_store_hold(&world->fake);
    put_many(world, MAX_ROWS);
    put(world, "late-0", "1");
    fake_store_release(&world->fake);
    wait_for(world, &world->progressed, 1);
    assert_int_equal(outbox_counts(world->outbox).pending, 1); /* it lingers */
    for (unsigned i = 1; i < MAX_ROWS; i++) {
        char uid[16];
        snprintf(uid, sizeof(uid), "late-%u", i);
        put(world, uid, "1");
    }
    wait_for(world, &world->progressed, 2);
    assert_int_equal(world->fake.writes, 2);
    assert_all_written(world, (size_t)2 * MAX_ROWS);
}

static void test_a_full_batch_that_came_during_a_write_goes_at_once(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 3600000);
    fake_store_hold(&world->fake);
    put_many(world, 2 * MAX_ROWS);
    fake_store_release(&world->fake);
    wait_for(world, &world->progressed, 2);
    assert_int_equal(world->fake.writes, 2);
    assert_all_written(world, 2 * MAX_ROWS);
}

static void test_a_failed_batch_is_written_later(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 0);
    fake_store_fail(&world->fake, 1, 2, DBERROR_WAIT); /* long enough to look at what waits */
    put(world, "a", "1");
    wait_for(world, &world->progressed, 1);
    assert_false(dispatch_is_healthy(world->dispatch));
    assert_int_equal(outbox_counts(world->outbox).pending, 1);
    put(world, "a", "2"); /* replaces what waits */
    wait_for(world, &world->progressed, 3);
    assert_true(dispatch_is_healthy(world->dispatch));
    assert_int_equal(world->ledger.failures, 2);
    assert_int_equal(world->fake.rows_written, 1);
    assert_all_written(world, 1);
}

static uint64_t observations(const struct histogram *histogram)
{
    uint64_t sum = 0;
    for (size_t i = 0; i <= histogram->bounds->count; i++)
        sum += histogram->counts[i];
    return sum;
}

static void test_batches_and_lags_are_measured(void **state)
{
    struct world *world = *state;
    const struct metrics *metrics = &world->metrics;
    make_dispatch(world, 20);
    put_many(world, MAX_ROWS - 1);
    wait_for(world, &world->progressed, 1);
    assert_int_equal(observations(&metrics->batch_rows), 1);
    assert_int_equal(metrics->batch_rows.sum, MAX_ROWS - 1);
    assert_int_equal(observations(&metrics->commit_us), 1);
    assert_int_equal(observations(&metrics->lag_us), MAX_ROWS - 1);
    assert_int_equal(metrics->database_connects, 1);
}

static void test_what_is_not_written_has_no_lag(void **state)
{
    struct world *world = *state;
    const struct metrics *metrics = &world->metrics;
    make_dispatch(world, 0);
    fake_store_fail(&world->fake, 1, 1, DBERROR_RETRY);
    fake_store_refuse(&world->fake, "bad");
    put(world, "bad", "1");
    put(world, "good", "1");
    wait_for(world, &world->progressed, 1);
    assert_int_equal(metrics->database_errors[DBERROR_RETRY], 1);
    assert_int_equal(observations(&metrics->commit_us), 0);
    wait_for(world, &world->progressed, 2);
    assert_string_equal(world->refused, "bad ");
    assert_int_equal(observations(&metrics->lag_us), 1);
}

static void test_it_is_up_once_every_lane_was_answered_well(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 0);
    assert_false(dispatch_is_up(world->dispatch));
    fake_store_fail(&world->fake, 2, 2, DBERROR_RETRY);
    dispatch_start(world->dispatch);
    wait_for(world, &world->progressed, 1);
    assert_true(dispatch_is_up(world->dispatch));
    put(world, "a", "1");
    wait_for(world, &world->progressed, 2);
    assert_false(dispatch_is_up(world->dispatch));
    wait_for(world, &world->progressed, 3);
    assert_true(dispatch_is_up(world->dispatch));
}

static void on_time(uv_timer_t *timer)
{
    ((struct world *)timer->data)->over = true;
}

/* Neither failures nor rows that keep coming make it try more often than its back-off says. */
static void test_failures_are_not_hurried(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 0);
    fake_store_fail(&world->fake, 1, SIZE_MAX, DBERROR_RECONNECT);
    world->timer.data = world;
    uv_timer_start(&world->timer, on_time, 1000, 0);
    for (unsigned version = 1; !world->over; version++) {
        char text[16];
        snprintf(text, sizeof(text), "%u", version);
        put(world, "a", text);
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    assert_in_range(world->fake.requests, 2, 20); /* from 100 ms on, half of it jitter */
}

/* Left alone, it would take more than the watchdog's minute: some 100 s and more. */
static void test_a_retry_cuts_the_back_off_short(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 0);
    fake_store_fail(&world->fake, 1, 6, DBERROR_OPERATOR);
    put(world, "a", "1");
    for (unsigned tries = 1; tries <= 7; tries++) {
        wait_for(world, &world->progressed, tries);
        world->calling = true;
        dispatch_retry(world->dispatch);
        world->calling = false;
    }
    assert_all_written(world, 1);
    assert_int_equal(world->fake.requests, 7); /* the last one had nothing to hurry */
}

static void test_a_batch_that_loses_its_connection_is_halved(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 20);
    fake_store_fail(&world->fake, 1, 2, DBERROR_RECONNECT);
    put_many(world, MAX_ROWS);
    while (outbox_counts(world->outbox).pending + outbox_counts(world->outbox).in_flight > 0)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_in_range(world->fake.writes, 3, MAX_ROWS / 2); /* 2, then a row more each time */
    assert_all_written(world, MAX_ROWS);
}

static void test_a_refused_row_is_reported_while_it_is_there(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 3600000);
    fake_store_refuse(&world->fake, "003");
    fake_store_refuse(&world->fake, "005");
    put_many(world, MAX_ROWS);
    wait_for(world, &world->progressed, 1);
    assert_string_equal(world->refused, "003 005 ");
    assert_int_equal(world->ledger.rows[0].dead_lettered, 2);
    assert_int_equal(world->ledger.rows[0].written, MAX_ROWS - 2);
    assert_all_written(world, MAX_ROWS - 2);
}

static void test_draining_does_not_linger(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 3600000);
    put(world, "a", "1");
    drain(world);
    assert_all_written(world, 1);
}

static void test_draining_nothing_is_over_soon(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 3600000);
    drain(world);
    assert_int_equal(world->fake.requests, 0);
}

static void test_draining_cuts_a_long_back_off_short(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 0);
    fake_store_fail(&world->fake, 1, 7, DBERROR_WAIT); /* half a minute, else */
    put(world, "a", "1");
    wait_for(world, &world->progressed, 1);
    drain(world);
    assert_int_equal(world->fake.requests, 8);
    assert_all_written(world, 1);
}

static void run_for(struct world *world, uint64_t ms)
{
    world->over = false;
    world->timer.data = world;
    uv_timer_start(&world->timer, on_time, ms, 0);
    while (!world->over)
        uv_run(&world->loop, UV_RUN_ONCE);
}

/* Some servers lock an account after a few wrong passwords. */
static void test_draining_does_not_hurry_what_a_person_must_mend(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 0);
    fake_store_fail(&world->fake, 1, SIZE_MAX, DBERROR_OPERATOR);
    put(world, "a", "1");
    wait_for(world, &world->progressed, 1);
    assert_true(dispatch_needs_a_person(world->dispatch));
    dispatch_drain(world->dispatch, on_drained, world);
    run_for(world, 1000);
    assert_int_equal(world->fake.requests, 1);
}

static void test_a_row_that_fails_alone_does_not_hold_up_others(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 0);
    world->fake.failing = "003";
    world->fake.failing_class = DBERROR_OPERATOR;
    put_many(world, 2 * MAX_ROWS);
    while (world->fake.row_count < 2 * MAX_ROWS - 1)
        uv_run(&world->loop, UV_RUN_ONCE);
    put(world, "003", "2"); /* what comes of its object waits with it */
    put(world, "late", "1");
    while (world->fake.row_count < 2 * MAX_ROWS)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(outbox_counts(world->outbox).pending, 1);
    assert_int_equal(outbox_aside(world->outbox), 1);
    assert_true(dispatch_is_healthy(world->dispatch)); /* it is the row that is not */
    assert_false(dispatch_needs_a_person(world->dispatch));
    world->fake.failing = NULL;
    while (world->fake.row_count < 2 * MAX_ROWS + 1)
        uv_run(&world->loop, UV_RUN_ONCE);
    const struct row *row = fake_store_find(&world->fake, &table_job, "003");
    assert_true(text_is(row_version(row), "2"));
    assert_all_written(world, 2 * MAX_ROWS + 1);
}

static void ask(struct world *world, struct store_listing *listing)
{
    world->calling = true;
    dispatch_list(world->dispatch, listing, on_answered, world);
    world->calling = false;
}

static void put_pod(struct world *world, const char *uid)
{
    struct cell cells[TABLE_MAX_COLUMNS];
    pod_cells(cells, uid, "1");
    struct row *row = row_of(&table_pod, ROW_UPSERT, cells);
    assert_int_equal(outbox_put(world->outbox, row, NULL), ERROR_NONE);
    dispatch_wake(world->dispatch);
}

static void test_a_table_that_takes_nothing_does_not_hold_up_the_other(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 0);
    world->fake.failing = "a";
    world->fake.failing_class = DBERROR_OPERATOR;
    put(world, "a", "1");
    wait_for(world, &world->progressed, 1);
    size_t requests = world->fake.requests;
    put_pod(world, "b");
    while (world->fake.row_count < 1)
        uv_run(&world->loop, UV_RUN_ONCE);
    run_for(world, 200);
    assert_int_equal(world->fake.requests, requests + 1); /* the table is left alone */
    assert_non_null(fake_store_find(&world->fake, &table_pod, "b"));
    assert_false(dispatch_is_healthy(world->dispatch));
    assert_int_equal(outbox_counts(world->outbox).pending, 1);
    world->fake.failing = NULL;
    dispatch_retry(world->dispatch);
    while (world->fake.row_count < 2)
        uv_run(&world->loop, UV_RUN_ONCE);
}

/* Batch by batch it is refused, and no other row shows that the table is well. */
static void test_rows_that_are_all_refused_are_not_given_up(void **state)
{
    static char uids[24][8];
    struct world *world = *state;
    make_dispatch(world, 0);
    for (unsigned i = 0; i < 24; i++) {
        snprintf(uids[i], sizeof(uids[i]), "%03u", i);
        fake_store_refuse(&world->fake, uids[i]);
    }
    put_many(world, 24);
    run_for(world, 1500);
    assert_string_equal(world->refused, "");
    assert_int_equal(outbox_counts(world->outbox).pending, 24);
    assert_int_equal(world->ledger.rows[0].dead_lettered, 0);
    world->fake.refused_count = 0;
    while (world->fake.row_count < 24)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_true(ledger_balances(&world->ledger, world->outbox));
}

static void test_a_lane_without_a_connection_hands_its_rows_over(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 0);
    world->fake.is_down[1] = true;
    dispatch_start(world->dispatch);
    wait_for(world, &world->progressed, 2);
    put_many(world, 100);
    while (world->fake.row_count < 100)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(world->fake.served[1], 0); /* what it tries is to connect */
    assert_false(dispatch_is_healthy(world->dispatch));
    world->fake.is_down[1] = false;
    while (!dispatch_is_healthy(world->dispatch))
        uv_run(&world->loop, UV_RUN_ONCE);
    for (unsigned i = 0; i < 100; i++) {
        char uid[16];
        snprintf(uid, sizeof(uid), "back-%u", i);
        put(world, uid, "1");
    }
    while (world->fake.row_count < 200)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_in_range(world->fake.served[1], 1, 100);
    assert_all_written(world, 200);
}

static void test_a_question_goes_to_the_lane_that_has_a_connection(void **state)
{
    struct world *world = *state;
    struct store_listing listing = {.resource = &resource_table[1], .cluster = "blue"};
    make_dispatch(world, 0);
    world->fake.is_down[0] = true;
    dispatch_start(world->dispatch);
    wait_for(world, &world->progressed, 2);
    ask(world, &listing);
    wait_for(world, &world->answered, 1);
    assert_int_equal(world->answered_well, 1);
    buffer_fini(&listing.uids);
}

static void test_stopping_gets_back_what_is_being_written(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 0);
    fake_store_hold(&world->fake);
    put(world, "a", "1");
    put(world, "b", "1");
    assert_int_equal(outbox_counts(world->outbox).in_flight, 1);
    world->calling = true;
    dispatch_drain(world->dispatch, on_drained, world);
    world->calling = false;
    stop_dispatch(world);
    assert_true(world->fake.aborted);
    assert_int_equal(world->drained, 0);
    assert_int_equal(outbox_counts(world->outbox).pending, 2);
    size_t requests = world->fake.requests;
    put(world, "c", "1");
    uv_run(&world->loop, UV_RUN_NOWAIT);
    assert_int_equal(world->fake.requests, requests);
}

static void test_stopping_ends_a_back_off(void **state)
{
    struct world *world = *state;
    make_dispatch(world, 0);
    fake_store_fail(&world->fake, 1, SIZE_MAX, DBERROR_OPERATOR);
    put(world, "a", "1");
    wait_for(world, &world->progressed, 1);
    stop_dispatch(world);
    assert_false(world->fake.aborted); /* there was nothing to abort */
    assert_int_equal(outbox_counts(world->outbox).pending, 1);
}

static void test_a_question_does_not_wait_for_rows_that_linger(void **state)
{
    struct world *world = *state;
    struct store_listing listing = {.resource = &resource_table[1], .cluster = "blue"};
    make_dispatch(world, 3600000);
    put(world, "a", "1");
    ask(world, &listing);
    wait_for(world, &world->answered, 1);
    assert_int_equal(world->answered_well, 1);
    drain(world);
    assert_int_equal(world->answered, 1);
    assert_all_written(world, 1);
}

static void test_rows_do_not_wait_for_a_question_that_fails(void **state)
{
    struct world *world = *state;
    struct store_listing listing = {.resource = &resource_table[1], .cluster = "blue"};
    make_dispatch(world, 3600000);
    fake_store_fail(&world->fake, 1, 1, DBERROR_RETRY);
    put(world, "a", "1");
    ask(world, &listing);
    wait_for(world, &world->answered, 1);
    assert_int_equal(world->answered_well, 0);
    drain(world);
    assert_int_equal(world->answered, 1);
    assert_all_written(world, 1);
}

static void test_a_stop_leaves_a_question_unanswered(void **state)
{
    struct world *world = *state;
    struct store_listing listing = {.resource = &resource_table[1], .cluster = "blue"};
    make_dispatch(world, 0);
    ask(world, &listing);
    stop_dispatch(world);
    assert_int_equal(world->answered, 0);
}

int main(void)
{
#define TEST(name)     cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_TWO(name) cmocka_unit_test_setup_teardown(name, set_up_two, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_start_only_connects),
        TEST(test_rows_that_come_together_are_one_batch),
        TEST(test_a_full_batch_does_not_wait_for_more),
        TEST(test_what_came_during_a_write_waits_for_company),
        TEST(test_a_full_batch_that_came_during_a_write_goes_at_once),
        TEST(test_a_failed_batch_is_written_later),
        TEST(test_batches_and_lags_are_measured),
        TEST(test_what_is_not_written_has_no_lag),
        TEST(test_it_is_up_once_every_lane_was_answered_well),
        TEST(test_failures_are_not_hurried),
        TEST(test_a_retry_cuts_the_back_off_short),
        TEST(test_a_batch_that_loses_its_connection_is_halved),
        TEST(test_a_refused_row_is_reported_while_it_is_there),
        TEST(test_draining_does_not_linger),
        TEST(test_draining_nothing_is_over_soon),
        TEST(test_draining_cuts_a_long_back_off_short),
        TEST(test_draining_does_not_hurry_what_a_person_must_mend),
        TEST(test_a_row_that_fails_alone_does_not_hold_up_others),
        TEST(test_a_table_that_takes_nothing_does_not_hold_up_the_other),
        TEST(test_rows_that_are_all_refused_are_not_given_up),
        TEST_TWO(test_a_lane_without_a_connection_hands_its_rows_over),
        TEST_TWO(test_a_question_goes_to_the_lane_that_has_a_connection),
        TEST(test_stopping_gets_back_what_is_being_written),
        TEST(test_stopping_ends_a_back_off),
        TEST(test_a_question_does_not_wait_for_rows_that_linger),
        TEST(test_rows_do_not_wait_for_a_question_that_fails),
        TEST(test_a_stop_leaves_a_question_unanswered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
