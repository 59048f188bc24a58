/* sweep: a large answer is worked through in pieces, and what happens between two of them counts; and what
 * marks of several sources do to each other. */
#include "sidecar/pipeline/sweep.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/fake_store.h"
#include "test/support/rows.h"

/* So many that counting takes two pieces, and closing a few hundred of them as well. */
#define ALIVE         6000
#define OUTBOX_ROWS   600
#define PIECE_AT_MOST 500 /* tombstones */

/* Stands in for the C library's, so that a test can move the time: that of day, and the steady one. */
static time_t seconds_ahead, steady_seconds_ahead;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    now->tv_sec += clock == CLOCK_REALTIME ? seconds_ahead : steady_seconds_ahead;
    return result;
}

struct world {
    uv_loop_t loop;
    uv_timer_t watchdog;
    struct fake_store fake;
    struct durability *durability;
    struct outbox *outbox;
    struct ledger ledger;
    struct metrics metrics;
    struct logger *logger;
    struct dispatch *dispatch;
    struct sweep *sweep;
    struct snapshot_connection connection;
    struct snapshot_connection lagging; /* of a source whose versions may lag */
    bool drained, stopped, closed;
};

static void on_refused(void *context, const struct row *row, const struct refusal *refusal)
{
    (void)context;
    (void)row;
    (void)refusal;
    fail_msg("a row was refused");
}

static void on_progress(void *context)
{
    (void)context;
}

static void set(void *context)
{
    *(bool *)context = true;
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    fail_msg("waited in vain");
}

static void wait_for(struct world *world, const bool *what)
{
    while (!*what)
        uv_run(&world->loop, UV_RUN_ONCE);
}

static void drain(struct world *world)
{
    world->drained = false;
    dispatch_drain(world->dispatch, set, &world->drained);
    wait_for(world, &world->drained);
}

static void make_dispatch(struct world *world)
{
    const struct dispatch_settings settings = {
        .store = &world->fake.store,
        .outbox = world->outbox,
        .ledger = &world->ledger,
        .metrics = &world->metrics,
        .logger = world->logger,
        .batch_max_rows = 1000,
        .batch_max_bytes = SIZE_MAX,
        .refused = on_refused,
        .progress = on_progress,
        .context = world,
    };
    assert_int_equal(dispatch_new(&world->loop, &settings, &world->dispatch, NULL), ERROR_NONE);
}

static int set_up(void **state)
{
    struct outbox_limits limits = {.max_rows = OUTBOX_ROWS, .max_bytes = 1 << 24, .lanes = 1};
    struct world *world = test_calloc(1, sizeof(*world));
    world->durability = durability_new();
    limits.durability = world->durability;
    int log = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(log >= 0);
    assert_int_equal(logger_new(log, LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, &world->logger, NULL),
                     ERROR_NONE);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    uv_timer_init(&world->loop, &world->watchdog);
    uv_timer_start(&world->watchdog, on_watchdog, 60000, 0);
    metrics_init(&world->metrics);
    fake_store_init(&world->fake, &world->loop, 1);
    world->outbox = outbox_new(&limits);
    make_dispatch(world);
    const struct sweep_settings settings = {
        .cluster_id = "blue",
        .namespace = "",
        .durability = world->durability,
        .outbox = world->outbox,
        .ledger = &world->ledger,
        .metrics = &world->metrics,
        .dispatch = world->dispatch,
        .logger = world->logger,
    };
    world->sweep = sweep_new(&settings);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    fake_store_release(&world->fake);
    dispatch_stop(world->dispatch, set, &world->stopped);
    wait_for(world, &world->stopped);
    dispatch_close(world->dispatch, set, &world->closed);
    wait_for(world, &world->closed);
    world->closed = false;
    world->fake.store.close(&world->fake.store, set, &world->closed);
    wait_for(world, &world->closed);
    uv_close((uv_handle_t *)&world->watchdog, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    sweep_close_all(world->sweep);
    sweep_free(world->sweep);
    outbox_free(world->outbox);
    durability_free(world->durability);
    fake_store_fini(&world->fake);
    logger_free(world->logger);
    test_free(world);
    return 0;
}

/* ---- what happens ------------------------------------------------------------------------------*/

static void uid_of(unsigned number, char uid[16])
{
    snprintf(uid, 16, "pod-%05u", number);
}

static void put_pod(struct world *world, unsigned number, const char *version)
{
    struct cell cells[TABLE_MAX_COLUMNS];
    char uid[16];
    uid_of(number, uid);
    pod_cells(cells, uid, version);
    cells[POD_CLUSTER] = cell_text(TEXT("blue"));
    struct row *row = row_of(&table_pod, ROW_UPSERT, cells);
    assert_int_equal(outbox_put(world->outbox, row, NULL), ERROR_NONE);
}

/* Rows of that many pods, all of them alive. */
static void store_alive(struct world *world, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        put_pod(world, i, "1");
    drain(world);
}

static void show_on(struct world *world, struct snapshot_connection *connection, unsigned number)
{
    struct watch_result result = {.fate = WATCH_ROW, .resource = &resource_table[0]};
    uid_of(number, result.uid);
    sweep_document(world->sweep, connection, &result);
}

static void show(struct world *world, unsigned number)
{
    show_on(world, &world->connection, number);
}

/* The first `count` of them, but only those below the `vanished` ones of each ten. */
static void show_all_but(struct world *world, unsigned count, unsigned vanished)
{
    for (unsigned i = 0; i < count; i++) {
        if (i % 10 >= vanished)
            show(world, i);
    }
}

static void mark_on(struct world *world, struct snapshot_connection *connection,
                    const char *version)
{
    struct watch_result result = {
        .fate = WATCH_BOOKMARK, .initial_events_end = true, .resource = &resource_table[0]};
    snprintf(result.version, sizeof(result.version), "%s", version);
    sweep_document(world->sweep, connection, &result);
}

static void mark(struct world *world, const char *version)
{
    mark_on(world, &world->connection, version);
}

static void begin_again(struct world *world)
{
    struct watch_result error = {.fate = WATCH_ERROR_EVENT};
    sweep_document(world->sweep, &world->connection, &error);
}

/* Until the database has told what is alive, and the first piece is done. */
static void ask(struct world *world)
{
    size_t answered = world->fake.requests;
    sweep_tick(world->sweep);
    while (world->fake.requests == answered)
        uv_run(&world->loop, UV_RUN_ONCE);
}

static size_t pending(const struct world *world)
{
    return outbox_counts(world->outbox).pending + outbox_counts(world->outbox).in_flight;
}

static size_t closed(const struct world *world)
{
    size_t count = 0;
    for (size_t i = 0; i < world->fake.row_count; i++)
        count += world->fake.rows[i]->cells[POD_DELETED].integer != 0;
    return count;
}

static void finish_sweep(struct world *world)
{
    while (!sweep_is_idle(world->sweep)) {
        sweep_tick(world->sweep);
        drain(world);
    }
}

/* ---- tests -------------------------------------------------------------------------------------*/

static void test_a_large_answer_takes_many_small_pieces(void **state)
{
    struct world *world = *state;
    store_alive(world, ALIVE);
    sweep_opened(world->sweep, &world->connection, true);
    show_all_but(world, ALIVE, 4);
    mark(world, "9");
    ask(world);
    unsigned pieces = 0;
    while (!sweep_is_idle(world->sweep)) {
        sweep_tick(world->sweep);
        assert_in_range(pending(world), 0, PIECE_AT_MOST);
        drain(world);
        pieces++;
    }
    assert_in_range(pieces, ALIVE * 4 / 10 / PIECE_AT_MOST, ALIVE);
    assert_int_equal(closed(world), ALIVE * 4 / 10);
    assert_int_equal(world->ledger.rows[table_number(&table_pod)].swept, ALIVE * 4 / 10);
}

static void test_tombstones_wait_while_the_outbox_is_full(void **state)
{
    struct world *world = *state;
    store_alive(world, ALIVE);
    sweep_opened(world->sweep, &world->connection, true);
    show_all_but(world, ALIVE, 4);
    mark(world, "9");
    ask(world);
    fake_store_hold(&world->fake);
    for (unsigned i = 0; i < 50; i++)
        sweep_tick(world->sweep);
    assert_in_range(pending(world), OUTBOX_ROWS, OUTBOX_ROWS + PIECE_AT_MOST);
    assert_false(sweep_is_idle(world->sweep));
    fake_store_release(&world->fake);
    finish_sweep(world);
    assert_int_equal(closed(world), ALIVE * 4 / 10);
}

static void test_what_is_shown_between_two_pieces_is_not_closed(void **state)
{
    struct world *world = *state;
    store_alive(world, ALIVE);
    sweep_opened(world->sweep, &world->connection, true);
    show_all_but(world, ALIVE, 1);
    mark(world, "9");
    ask(world);
    show(world, ALIVE - 10);
    finish_sweep(world);
    assert_int_equal(closed(world), ALIVE / 10 - 1);
}

/* The brake has looked at the older snapshot only. */
static void test_a_newer_mark_takes_the_place_of_what_is_being_swept(void **state)
{
    struct world *world = *state;
    store_alive(world, ALIVE);
    sweep_opened(world->sweep, &world->connection, true);
    show_all_but(world, ALIVE, 1);
    mark(world, "9");
    ask(world);
    sweep_tick(world->sweep); /* counted */
    sweep_tick(world->sweep); /* the first ones are closed */
    drain(world);
    size_t before = closed(world);
    assert_in_range(before, 1, ALIVE / 10 - 1);
    begin_again(world);
    mark(world, "10");
    finish_sweep(world);
    assert_int_equal(closed(world), before);
}

static void test_the_brake_holds_before_anything_is_closed(void **state)
{
    struct world *world = *state;
    store_alive(world, ALIVE);
    sweep_opened(world->sweep, &world->connection, true);
    show_all_but(world, ALIVE, 6);
    mark(world, "9");
    ask(world);
    finish_sweep(world);
    assert_int_equal(closed(world), 0);
    assert_int_equal(world->ledger.rows[table_number(&table_pod)].swept, 0);
}

static void test_a_question_that_fails_is_asked_again_but_not_at_the_end(void **state)
{
    struct world *world = *state;
    store_alive(world, 3);
    sweep_opened(world->sweep, &world->connection, true);
    show(world, 0);
    mark(world, "9");
    fake_store_fail(&world->fake, world->fake.requests + 1, SIZE_MAX, DBERROR_OPERATOR);
    ask(world);
    assert_false(sweep_is_idle(world->sweep));
    sweep_end(world->sweep);
    ask(world);
    assert_true(sweep_is_idle(world->sweep));
    assert_int_equal(closed(world), 0);
}

/* The mark holds its epoch until its tombstones are put; these hold it until they are written. */
static void test_a_mark_is_safe_when_its_tombstones_are(void **state)
{
    struct world *world = *state;
    store_alive(world, 3);
    sweep_opened(world->sweep, &world->connection, true);
    show(world, 0);
    uint64_t epoch = durability_epoch(world->durability);
    mark(world, "9");
    durability_advance(world->durability);
    assert_int_equal(durability_safe(world->durability), epoch - 1);
    ask(world);
    fake_store_hold(&world->fake);
    while (!sweep_is_idle(world->sweep))
        sweep_tick(world->sweep);
    assert_int_equal(durability_safe(world->durability), epoch - 1);
    fake_store_release(&world->fake);
    drain(world);
    assert_int_equal(closed(world), 2);
    assert_int_equal(durability_safe(world->durability), epoch);
}

static void test_a_mark_with_nothing_to_close_is_safe(void **state)
{
    struct world *world = *state;
    sweep_opened(world->sweep, &world->connection, true);
    uint64_t epoch = durability_epoch(world->durability);
    mark(world, "9");
    begin_again(world);
    mark(world, "10"); /* takes its place and its hold */
    durability_advance(world->durability);
    assert_int_equal(durability_safe(world->durability), epoch - 1);
    ask(world);
    finish_sweep(world);
    assert_int_equal(durability_safe(world->durability), epoch);
}

/* What the database does not have yet is not in its answer, and would be written as alive behind it. */
static void test_a_row_on_its_way_that_was_not_shown_is_waited_for(void **state)
{
    struct world *world = *state;
    put_pod(world, 0, "1");
    put_pod(world, 1, "1"); /* no writer has been told of them */
    sweep_opened(world->sweep, &world->connection, true);
    show(world, 0);
    mark(world, "9");
    for (unsigned i = 0; i < 10; i++) {
        sweep_tick(world->sweep);
        uv_run(&world->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(world->fake.requests, 0);
    drain(world);
    finish_sweep(world);
    assert_int_equal(closed(world), 1);
}

static void test_a_row_that_was_shown_is_not_waited_for(void **state)
{
    struct world *world = *state;
    store_alive(world, 2);
    sweep_opened(world->sweep, &world->connection, true);
    show(world, 0);
    put_pod(world, 0, "5");
    mark(world, "9");
    size_t answered = world->fake.requests;
    sweep_tick(world->sweep);
    while (world->fake.requests == answered)
        uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(pending(world), 1); /* it was asked all the same */
    finish_sweep(world);
    assert_int_equal(closed(world), 1);
}

/* An hour back just behind the failure: the pause is one of the steady clock. */
static void test_a_clock_that_is_set_back_keeps_no_question_back(void **state)
{
    struct world *world = *state;
    store_alive(world, 3);
    sweep_opened(world->sweep, &world->connection, true);
    show(world, 0);
    mark(world, "9");
    size_t next = world->fake.requests + 1;
    fake_store_fail(&world->fake, next, next, DBERROR_OPERATOR);
    ask(world);
    seconds_ahead = -3600;
    sweep_tick(world->sweep);
    uv_run(&world->loop, UV_RUN_NOWAIT);
    assert_int_equal(closed(world), 0);
    steady_seconds_ahead = 11;
    ask(world);
    finish_sweep(world);
    seconds_ahead = steady_seconds_ahead = 0;
    assert_int_equal(closed(world), 2);
}

/* ---- several sources ---------------------------------------------------------------------------*/

static void test_a_source_that_lags_does_not_turn_versions_back(void **state)
{
    struct world *world = *state;
    sweep_opened(world->sweep, &world->connection, true);
    mark(world, "100");
    finish_sweep(world);
    sweep_closed(world->sweep, &world->connection);
    sweep_opened(world->sweep, &world->lagging, false);
    mark_on(world, &world->lagging, "90");
    finish_sweep(world);
    assert_int_equal(world->metrics.versions_back, 0);
    assert_int_equal(world->metrics.sweeps[METRICS_SWEEP_DONE], 2);
    assert_null(sweep_begin_again(world->sweep));
    /* what it has reached does not count as reached, either */
    mark_on(world, &world->lagging, "900");
    sweep_closed(world->sweep, &world->lagging);
    sweep_opened(world->sweep, &world->connection, true);
    mark(world, "110");
    assert_int_equal(world->metrics.versions_back, 0);
}

static void test_what_a_lagging_source_has_shown_is_shown_again_in_the_later_epoch(void **state)
{
    struct world *world = *state;
    struct watch_result shown = {
        .fate = WATCH_ORPHAN_POD, .resource = &resource_table[0], .uid = "a", .version = "30"};
    sweep_opened(world->sweep, &world->connection, true);
    mark(world, "100");
    sweep_closed(world->sweep, &world->connection);
    sweep_opened(world->sweep, &world->lagging, false);
    sweep_document(world->sweep, &world->lagging, &shown);
    sweep_opened(world->sweep, &world->connection, true);
    mark(world, "40");
    assert_int_equal(world->metrics.versions_back, 1);
    assert_non_null(sweep_begin_again(world->sweep));
    assert_non_null(sweep_begin_again(world->sweep));
    assert_null(sweep_begin_again(world->sweep));
}

/* Rows between the two versions would else stay alive for ever. */
static void test_a_mark_that_lags_does_not_take_the_place_of_a_newer_one(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 6; i++)
        put_pod(world, i, "95");
    drain(world);
    sweep_opened(world->sweep, &world->connection, true);
    sweep_opened(world->sweep, &world->lagging, false);
    for (unsigned i = 0; i < 4; i++)
        show(world, i);
    uint64_t epoch = durability_epoch(world->durability);
    mark(world, "100");
    show_on(world, &world->lagging, 4);
    mark_on(world, &world->lagging, "90");
    durability_advance(world->durability);
    assert_int_equal(durability_safe(world->durability), epoch - 1); /* neither is safe yet */
    finish_sweep(world);
    assert_int_equal(closed(world), 1); /* one of them has shown each of the others */
    assert_int_equal(durability_safe(world->durability), epoch);
}

static void test_a_newer_mark_of_the_reference_takes_the_place_of_one_that_lags(void **state)
{
    struct world *world = *state;
    store_alive(world, 3);
    put_pod(world, 3, "95");
    drain(world);
    sweep_opened(world->sweep, &world->lagging, false);
    mark_on(world, &world->lagging, "90");
    sweep_opened(world->sweep, &world->connection, true);
    for (unsigned i = 0; i < 3; i++)
        show(world, i);
    mark(world, "100");
    finish_sweep(world);
    assert_int_equal(closed(world), 1);
}

/* The database has rows of an earlier process, which are newer than what lags. */
static void test_rows_that_are_newer_than_a_mark_that_lags_are_no_doubt(void **state)
{
    struct world *world = *state;
    put_pod(world, 0, "95");
    drain(world);
    sweep_opened(world->sweep, &world->lagging, false);
    mark_on(world, &world->lagging, "90");
    ask(world);
    finish_sweep(world);
    assert_int_equal(world->metrics.sweeps[METRICS_SWEEP_DONE], 1);
    assert_int_equal(closed(world), 0);
}

/* Objects that were shown before could not be noted: the mark says nothing of them. */
static void test_a_stream_from_before_the_cluster_was_known_is_begun_again(void **state)
{
    struct world *world = *state;
    store_alive(world, 3);
    sweep_set_cluster(world->sweep, "");
    sweep_opened(world->sweep, &world->lagging, false);
    sweep_opened(world->sweep, &world->connection, true);
    show_on(world, &world->lagging, 0);
    sweep_set_cluster(world->sweep, "blue");
    assert_ptr_equal(sweep_begin_again(world->sweep), &world->lagging);
    assert_null(sweep_begin_again(world->sweep));
    mark_on(world, &world->lagging, "90");
    assert_true(sweep_is_idle(world->sweep));
    sweep_closed(world->sweep, &world->lagging);
    sweep_opened(world->sweep, &world->lagging, false);
    show_on(world, &world->lagging, 0);
    show_on(world, &world->lagging, 1);
    mark_on(world, &world->lagging, "90");
    finish_sweep(world);
    assert_int_equal(closed(world), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_large_answer_takes_many_small_pieces),
        TEST(test_tombstones_wait_while_the_outbox_is_full),
        TEST(test_what_is_shown_between_two_pieces_is_not_closed),
        TEST(test_a_newer_mark_takes_the_place_of_what_is_being_swept),
        TEST(test_the_brake_holds_before_anything_is_closed),
        TEST(test_a_mark_is_safe_when_its_tombstones_are),
        TEST(test_a_mark_with_nothing_to_close_is_safe),
        TEST(test_a_row_on_its_way_that_was_not_shown_is_waited_for),
        TEST(test_a_row_that_was_shown_is_not_waited_for),
        TEST(test_a_question_that_fails_is_asked_again_but_not_at_the_end),
        TEST(test_a_clock_that_is_set_back_keeps_no_question_back),
        TEST(test_a_source_that_lags_does_not_turn_versions_back),
        TEST(test_what_a_lagging_source_has_shown_is_shown_again_in_the_later_epoch),
        TEST(test_a_mark_that_lags_does_not_take_the_place_of_a_newer_one),
        TEST(test_a_newer_mark_of_the_reference_takes_the_place_of_one_that_lags),
        TEST(test_rows_that_are_newer_than_a_mark_that_lags_are_no_doubt),
        TEST(test_a_stream_from_before_the_cluster_was_known_is_begun_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
