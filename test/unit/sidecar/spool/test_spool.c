/* spool: what waits gets to disk and back, and is safe no sooner. Real SQLite in a directory of its own,
 * a real loop with its thread pool. */
#include "sidecar/spool/spool.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/rows.h"
#include "test/support/spool_directory.h"

#define TICK_US INT64_C(100000)

struct world {
    uv_loop_t loop;
    uv_timer_t watchdog;
    char directory[64];
    struct logger *logger;
    struct durability *durability;
    struct outbox *outbox;
    struct batch batch;
    struct ledger ledger;
    struct spool *spool; /* NULL: closed */
    size_t max_rows;
    int64_t max_bytes;
    unsigned progressed, closed, flushed;
    bool stored; /* the last flush */
};

static void on_progress(void *context)
{
    ((struct world *)context)->progressed++;
}

static void on_flushed(void *context, bool stored)
{
    struct world *world = context;
    world->flushed++;
    world->stored = stored;
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

static void wait_for(struct world *world, const unsigned *counter)
{
    for (unsigned before = *counter; *counter == before;)
        uv_run(&world->loop, UV_RUN_ONCE);
}

/* The next life of a process: nothing in memory. */
static void open_spool(struct world *world)
{
    world->durability = durability_new();
    const struct outbox_limits limits = {.max_rows = world->max_rows,
                                         .max_bytes = 16 << 20,
                                         .lanes = 1,
                                         .durability = world->durability,
                                         .spooled = true};
    world->outbox = outbox_new(&limits);
    world->ledger = (struct ledger){0};
    const struct spool_settings settings = {
        .directory = world->directory,
        .max_bytes = world->max_bytes,
        .outbox = world->outbox,
        .durability = world->durability,
        .ledger = &world->ledger,
        .logger = world->logger,
        .progress = on_progress,
        .context = world,
    };
    assert_int_equal(spool_new(&world->loop, &settings, &world->spool, NULL), ERROR_NONE);
}

/* Until there is nothing to read, or no room for it. */
static enum spool_loading load(struct world *world)
{
    enum spool_loading loading;
    while ((loading = spool_load(world->spool)) == SPOOL_OPENING || loading == SPOOL_MORE)
        uv_run(&world->loop, loading == SPOOL_OPENING ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    return loading;
}

static void close_spool(struct world *world)
{
    spool_close(world->spool, on_closed, world);
    wait_for(world, &world->closed);
    world->spool = NULL;
    outbox_free(world->outbox);
    durability_free(world->durability);
}

static int set_up(void **state)
{
    struct world *world = test_calloc(1, sizeof(*world));
    int log = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(log >= 0);
    assert_int_equal(logger_new(log, LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, &world->logger, NULL),
                     ERROR_NONE);
    assert_int_equal(batch_init(&world->batch, 100, NULL), ERROR_NONE);
    spool_directory_make(world->directory, sizeof(world->directory));
    assert_int_equal(uv_loop_init(&world->loop), 0);
    uv_timer_init(&world->loop, &world->watchdog);
    uv_timer_start(&world->watchdog, on_watchdog, 60000, 0);
    world->max_rows = 1000;
    world->max_bytes = INT64_MAX;
    open_spool(world);
    assert_int_equal(load(world), SPOOL_LOADED);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    close_spool(world);
    uv_close((uv_handle_t *)&world->watchdog, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    batch_fini(&world->batch);
    logger_free(world->logger);
    spool_directory_remove(world->directory);
    test_free(world);
    return 0;
}

static void put(struct world *world, const char *uid, const char *version, int64_t at_us)
{
    assert_int_equal(outbox_put(world->outbox, job_row(uid, version, at_us), NULL), ERROR_NONE);
    world->ledger.rows[0].received++;
    world->ledger.fates[WATCH_ROW]++;
}

static void write_all(struct world *world)
{
    assert_true(outbox_take(world->outbox, 0, 100, SIZE_MAX, &world->batch));
    for (size_t i = 0; i < world->batch.count; i++) {
        world->ledger.rows[0].written++;
        outbox_done(world->outbox, &world->batch, i);
    }
}

/* A tick at that time, and what it begins. */
static void tick(struct world *world, int64_t now_us)
{
    spool_tick(world->spool, now_us);
    wait_for(world, &world->progressed);
}

static bool is_safe(struct world *world)
{
    uint64_t epoch = durability_epoch(world->durability);
    durability_advance(world->durability);
    return durability_safe(world->durability) >= epoch;
}

static bool append_version(void *context, const struct spool_record *record, bool intact)
{
    char *told = context;
    size_t length = strlen(told);
    assert_true(intact);
    assert_true(text_is(record->table, "job_info"));
    const char *version = memmem(record->body.data, record->body.length, "\"version\":\"", 11);
    assert_non_null(version);
    snprintf(told + length, 256 - length, "%.*s:%c ", (int)record->uid.length, record->uid.data,
             version[11]);
    return true;
}

static void assert_on_disk(struct world *world, const char *expected)
{
    char told[256] = "";
    int64_t after = 0;
    struct spool_file *file;
    assert_int_equal(spool_file_attach(world->directory, &file, NULL), ERROR_NONE);
    assert_int_equal(spool_file_read(file, &after, 100, append_version, told, NULL), ERROR_NONE);
    spool_file_close(file);
    assert_string_equal(told, expected);
}

static struct spool_counts count(struct world *world)
{
    struct spool_counts counts = {0};
    struct spool_file *file;
    assert_int_equal(spool_file_attach(world->directory, &file, NULL), ERROR_NONE);
    assert_int_equal(spool_file_count(file, &counts, NULL), ERROR_NONE);
    spool_file_close(file);
    return counts;
}

static void flush(struct world *world)
{
    spool_flush(world->spool, on_flushed, world);
    assert_int_equal(world->flushed, 0);
    wait_for(world, &world->flushed);
    world->flushed = 0;
}

static void test_a_row_that_waited_a_tick_is_stored_and_then_safe(void **state)
{
    struct world *world = *state;
    put(world, "old", "1", 1000000);
    spool_tick(world->spool, 1000000 + TICK_US);
    assert_false(is_safe(world));
    wait_for(world, &world->progressed);
    assert_on_disk(world, "old:1 ");
    assert_true(is_safe(world));
    put(world, "new", "1", 1000001);
    tick(world, 1000000 + TICK_US); /* gives some pages back to the disk, and no more */
    assert_on_disk(world, "old:1 ");
    assert_false(is_safe(world));
    tick(world, 1000001 + TICK_US);
    assert_on_disk(world, "old:1 new:1 ");
    assert_true(is_safe(world));
}

static void test_what_is_written_is_forgotten(void **state)
{
    struct world *world = *state;
    put(world, "a", "1", 0);
    tick(world, TICK_US);
    put(world, "a", "2", TICK_US);
    put(world, "b", "1", TICK_US);
    write_all(world);
    assert_true(is_safe(world));
    tick(world, TICK_US);
    assert_on_disk(world, "");
    assert_true(ledger_balances(&world->ledger, world->outbox));
}

static void test_a_row_that_changes_while_it_is_stored_is_stored_again(void **state)
{
    struct world *world = *state;
    put(world, "a", "1", 0);
    spool_tick(world->spool, TICK_US);
    put(world, "a", "2", TICK_US);
    wait_for(world, &world->progressed);
    assert_on_disk(world, "a:1 ");
    assert_false(is_safe(world));
    tick(world, 3 * TICK_US);
    assert_on_disk(world, "a:2 ");
    assert_true(is_safe(world));
}

static void test_a_row_that_is_written_while_it_is_stored_is_forgotten(void **state)
{
    struct world *world = *state;
    put(world, "a", "1", 0);
    spool_tick(world->spool, TICK_US);
    write_all(world);
    assert_true(is_safe(world));
    wait_for(world, &world->progressed);
    assert_on_disk(world, "a:1 ");
    tick(world, TICK_US);
    assert_on_disk(world, "");
}

static void test_a_flush_stores_all_that_there_is(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 90; i++) {
        char uid[16];
        snprintf(uid, sizeof(uid), "%u", i);
        put(world, uid, "1", INT64_MAX / 2); /* far too young for a tick */
    }
    flush(world);
    assert_true(world->stored);
    assert_int_equal(count(world).records, 90);
    assert_true(is_safe(world));
}

static void test_the_next_process_reads_it_back(void **state)
{
    struct world *world = *state;
    put(world, "a", "1", 5);
    put(world, "b", "1", 6);
    write_all(world);
    put(world, "a", "2", 7);
    put(world, "c", "1", 8);
    flush(world);
    close_spool(world);
    open_spool(world);
    assert_int_equal(load(world), SPOOL_LOADED);
    assert_int_equal(outbox_counts(world->outbox).pending, 2);
    assert_int_equal(outbox_oldest_us(world->outbox), 7);
    assert_int_equal(world->ledger.rows[0].received, 4);
    assert_int_equal(world->ledger.rows[0].written, 2);
    assert_int_equal(world->ledger.rows[0].unsaved, 0);
    assert_true(ledger_balances(&world->ledger, world->outbox));
    assert_true(is_safe(world));
    write_all(world);
    flush(world);
    assert_on_disk(world, "");
}

static void test_reading_back_stops_at_the_bound_of_memory(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < 3000; i++) {
        char uid[16];
        snprintf(uid, sizeof(uid), "%u", i);
        put(world, uid, "1", 0);
    }
    flush(world);
    close_spool(world);
    world->max_rows = 100;
    open_spool(world);
    assert_int_equal(load(world), SPOOL_WAITS);
    assert_in_range(outbox_counts(world->outbox).pending, 100, 1200);
    assert_int_equal(load(world), SPOOL_WAITS);
    assert_true(ledger_balances(&world->ledger, world->outbox));
    unsigned rounds = 0;
    while (load(world) != SPOOL_LOADED) {
        while (outbox_counts(world->outbox).pending > 0)
            write_all(world);
        assert_true(++rounds < 100);
    }
    while (outbox_counts(world->outbox).pending > 0)
        write_all(world);
    assert_int_equal(world->ledger.rows[0].written, 3000);
    assert_true(ledger_balances(&world->ledger, world->outbox));
}

static void test_a_dead_letter_is_not_safe_before_it_is_stored(void **state)
{
    struct world *world = *state;
    struct refusal refusal = {.number = 1406, .text = "too long"};
    put(world, "a", "1", 0);
    assert_true(outbox_take(world->outbox, 0, 1, SIZE_MAX, &world->batch));
    spool_add_letter(world->spool, world->batch.rows[0], &refusal, 1);
    outbox_done(world->outbox, &world->batch, 0);
    assert_false(is_safe(world));
    tick(world, 1);
    assert_true(is_safe(world));
    assert_int_equal(count(world).dead_letters, 1);
}

/* The row is on its way to the disk when it is refused: nothing of it may be there. */
static void test_a_row_that_is_refused_while_it_is_stored_is_safe_as_a_dead_letter(void **state)
{
    struct world *world = *state;
    struct refusal refusal = {.number = 1406, .text = "too long"};
    put(world, "a", "1", 0);
    spool_tick(world->spool, TICK_US);
    assert_true(outbox_take(world->outbox, 0, 1, SIZE_MAX, &world->batch));
    spool_add_letter(world->spool, world->batch.rows[0], &refusal, 1);
    outbox_done(world->outbox, &world->batch, 0);
    assert_false(is_safe(world));
    wait_for(world, &world->progressed);
    tick(world, TICK_US);
    assert_true(is_safe(world));
    assert_int_equal(count(world).dead_letters, 1);
    assert_on_disk(world, "");
}

static void test_a_spool_that_another_one_has_is_read_once_it_is_free(void **state)
{
    struct world *world = *state;
    put(world, "a", "2", 0);
    flush(world);
    close_spool(world);
    struct spool_file *other;
    struct spool_opening opening;
    assert_int_equal(spool_file_open(world->directory, false, &other, &opening, NULL), ERROR_NONE);
    open_spool(world);
    assert_int_equal(load(world), SPOOL_SHUT);
    put(world, "a", "1", 0); /* older than what is on disk */
    put(world, "b", "1", 0);
    assert_int_equal(load(world), SPOOL_SHUT);
    assert_false(is_safe(world));
    spool_file_close(other);
    flush(world); /* the process ends before it tries again */
    assert_true(world->stored);
    assert_on_disk(world, "a:2 b:1 ");
    assert_true(ledger_balances(&world->ledger, world->outbox));
}

static void test_a_flush_without_a_directory_says_that_nothing_is_stored(void **state)
{
    struct world *world = *state;
    char directory[64];
    close_spool(world);
    memcpy(directory, world->directory, sizeof(directory));
    snprintf(world->directory, sizeof(world->directory), "/nowhere/at/all");
    open_spool(world);
    assert_int_equal(load(world), SPOOL_SHUT);
    put(world, "a", "1", 0);
    flush(world);
    assert_false(world->stored);
    assert_false(is_safe(world));
    memcpy(world->directory, directory, sizeof(directory));
}

/* Over its bound. */
static void fill(struct world *world)
{
    close_spool(world);
    world->max_bytes = 256 << 10;
    open_spool(world);
    assert_int_equal(load(world), SPOOL_LOADED);
    assert_false(spool_is_full(world->spool));
    for (unsigned i = 0; i < 1500; i++) {
        char uid[16];
        snprintf(uid, sizeof(uid), "%u", i);
        put(world, uid, "1", 0);
    }
    tick(world, TICK_US);
}

static void test_it_is_full_over_its_bound_and_not_when_it_is_empty_again(void **state)
{
    struct world *world = *state;
    fill(world);
    assert_true(spool_is_full(world->spool));
    assert_false(spool_has_room(world->spool));
    int64_t stored = count(world).records;
    put(world, "one-more", "1", 1);
    tick(world, 1 + TICK_US); /* gives pages back to the disk, and no more */
    assert_int_equal(count(world).records, stored);
    assert_false(is_safe(world));
    while (outbox_counts(world->outbox).pending > 0)
        write_all(world);
    while (count(world).records > 0)
        tick(world, TICK_US);
    assert_false(spool_is_full(world->spool));
    assert_true(spool_has_room(world->spool));
    assert_true(is_safe(world));
}

static void test_a_flush_stores_also_what_is_over_the_bound(void **state)
{
    struct world *world = *state;
    fill(world);
    int64_t stored = count(world).records;
    put(world, "one-more", "1", 1);
    flush(world);
    assert_true(world->stored);
    assert_int_equal(count(world).records, stored + 1);
}

static void test_notes_are_there_in_the_next_process(void **state)
{
    struct world *world = *state;
    assert_string_equal(spool_note(world->spool, "watched/pods"), "");
    spool_set_note(world->spool, "watched/pods", "12");
    spool_set_note(world->spool, "watched/pods", "13");
    assert_string_equal(spool_note(world->spool, "watched/pods"), "13");
    flush(world);
    close_spool(world);
    open_spool(world);
    assert_string_equal(spool_note(world->spool, "watched/pods"), "");
    assert_int_equal(load(world), SPOOL_LOADED);
    assert_string_equal(spool_note(world->spool, "watched/pods"), "13");
}

static void test_a_note_is_stored_although_nothing_else_has_changed(void **state)
{
    struct world *world = *state;
    spool_set_note(world->spool, "watched/pods", "12");
    tick(world, 1);
    close_spool(world);
    open_spool(world);
    assert_int_equal(load(world), SPOOL_LOADED);
    assert_string_equal(spool_note(world->spool, "watched/pods"), "12");
}

static void test_note_that_was_set_before_the_spool_was_read_is_the_newer_one(void **state)
{
    struct world *world = *state;
    spool_set_note(world->spool, "watched/pods", "12");
    flush(world);
    close_spool(world);
    open_spool(world);
    spool_set_note(world->spool, "watched/pods", "20");
    assert_int_equal(load(world), SPOOL_LOADED);
    assert_string_equal(spool_note(world->spool, "watched/pods"), "20");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_row_that_waited_a_tick_is_stored_and_then_safe),
        TEST(test_what_is_written_is_forgotten),
        TEST(test_a_row_that_changes_while_it_is_stored_is_stored_again),
        TEST(test_a_row_that_is_written_while_it_is_stored_is_forgotten),
        TEST(test_a_flush_stores_all_that_there_is),
        TEST(test_the_next_process_reads_it_back),
        TEST(test_reading_back_stops_at_the_bound_of_memory),
        TEST(test_a_dead_letter_is_not_safe_before_it_is_stored),
        TEST(test_a_row_that_is_refused_while_it_is_stored_is_safe_as_a_dead_letter),
        TEST(test_a_spool_that_another_one_has_is_read_once_it_is_free),
        TEST(test_a_flush_without_a_directory_says_that_nothing_is_stored),
        TEST(test_it_is_full_over_its_bound_and_not_when_it_is_empty_again),
        TEST(test_a_flush_stores_also_what_is_over_the_bound),
        TEST(test_notes_are_there_in_the_next_process),
        TEST(test_a_note_is_stored_although_nothing_else_has_changed),
        TEST(test_note_that_was_set_before_the_spool_was_read_is_the_newer_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
