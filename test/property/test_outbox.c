/* outbox: for any schedule of events, batches, commits and failures the database ends at the merge of
 * all events, event by event, and the accounts add up after every step.
 *
 * Replayable: SEED=n. */
#include "lib/outbox/outbox.h"
#include "test/support/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define OBJECTS  6
#define LANES    2
#define ROUNDS   400
#define STEPS    120
#define VERSIONS 12

struct world {
    uint64_t random;
    struct outbox *outbox;
    struct batch batches[LANES];
    bool busy[LANES];
    unsigned cursor[OBJECTS];              /* which of its events comes next */
    struct row *events[OBJECTS][VERSIONS]; /* the stream of each object, for replaying */
    struct row *expected[OBJECTS]; /* what the database holds if each event is applied alone */
    struct row *stored[OBJECTS];   /* what it holds */
};

static uint32_t draw(struct world *world, uint32_t bound)
{
    world->random = world->random * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(world->random >> 33) % bound;
}

static struct cell maybe_time(struct world *world)
{
    return draw(world, 2) == 0 ? cell_null() : cell_time((int64_t)draw(world, 5) * 1000000);
}

static struct cell maybe_text(struct world *world)
{
    static const char *const texts[] = {"x", "y", "z"};
    return draw(world, 2) == 0 ? cell_null() : cell_text(text_from(texts[draw(world, 3)]));
}

static struct row *copy(const struct row *row)
{
    struct row *result = row_of(row->table, row->mode, row->cells);
    result->received_us = row->received_us;
    return result;
}

/* The first event of an object makes its row; later ones are upserts or, now and then, updates: these
 * only ever say that an object is gone. */
static struct row *make_event(struct world *world, unsigned object, unsigned version)
{
    static const char *const statuses[] = {"Running", "Failed", "Succeeded", STATUS_STOPPED};
    char uid[8], text[8];
    snprintf(uid, sizeof(uid), "u%u", object);
    snprintf(text, sizeof(text), "%u", version + 5); /* crosses from one digit to two */
    struct cell cells[TABLE_MAX_COLUMNS];
    pod_cells(cells, uid, text);
    cells[POD_IMAGE] = maybe_text(world);
    cells[POD_POD_IP] = maybe_text(world);
    cells[POD_STARTED] = maybe_time(world);
    cells[POD_FINISHED] = maybe_time(world);
    enum row_mode mode = version > 0 && draw(world, 4) == 0 ? ROW_UPDATE : ROW_UPSERT;
    bool gone = mode == ROW_UPDATE || draw(world, 3) == 0;
    cells[POD_STATUS] = cell_text(text_from(statuses[gone ? 1 + draw(world, 3) : draw(world, 4)]));
    cells[POD_DELETED] = cell_int(gone);
    return row_of(&table_pod, mode, cells);
}

/* What a database does with a row. */
static void apply(struct row **slot, const struct row *row)
{
    if (*slot == NULL) {
        if (row->mode == ROW_UPSERT)
            *slot = copy(row);
        return;
    }
    struct row *merged;
    struct error err;
    assert_int_equal(row_merge(*slot, row, &merged, &err), ERROR_NONE);
    row_free(*slot);
    *slot = merged;
}

/* The next event of some object; or the stream of that object begins anew from an earlier one, as it
 * does when a producer sends again what was not acknowledged. */
static void step_event(struct world *world)
{
    unsigned object = draw(world, OBJECTS);
    unsigned *cursor = &world->cursor[object];
    if (*cursor == VERSIONS || draw(world, 8) == 0)
        *cursor = draw(world, *cursor + 1) % VERSIONS;
    if (world->events[object][*cursor] == NULL)
        world->events[object][*cursor] = make_event(world, object, *cursor);
    const struct row *event = world->events[object][(*cursor)++];
    struct error err;
    apply(&world->expected[object], event);
    assert_int_equal(outbox_put(world->outbox, copy(event), &err), ERROR_NONE);
}

static unsigned object_of(const struct row *row)
{
    return (unsigned)(row_uid(row).data[1] - '0');
}

static void commit(struct world *world, struct batch *batch, size_t i)
{
    unsigned object = object_of(batch->rows[i]);
    assert_int_equal(batch->rows[i]->mode, batch->mode);
    apply(&world->stored[object], batch->rows[i]);
    outbox_done(world->outbox, batch, i);
}

/* Whoever writes them, the rows of an object are never in flight twice. */
static void assert_alone_in_flight(const struct world *world)
{
    bool in_flight[OBJECTS] = {false};
    for (unsigned lane = 0; lane < LANES; lane++) {
        for (size_t i = 0; world->busy[lane] && i < world->batches[lane].count; i++) {
            unsigned object = object_of(world->batches[lane].rows[i]);
            assert_false(in_flight[object]);
            in_flight[object] = true;
        }
    }
}

/* A lane may write what waits in another one, or what was set aside. */
static void step_take(struct world *world, unsigned lane)
{
    struct batch *batch = &world->batches[lane];
    if (draw(world, 3) == 0)
        world->busy[lane] = outbox_take_aside(world->outbox, draw(world, 4), batch);
    else
        world->busy[lane] = outbox_take(world->outbox, draw(world, LANES), 1 + draw(world, OBJECTS),
                                        SIZE_MAX, batch);
    assert_alone_in_flight(world);
}

static void step_lane(struct world *world, unsigned lane)
{
    struct batch *batch = &world->batches[lane];
    if (!world->busy[lane]) {
        step_take(world, lane);
        return;
    }
    world->busy[lane] = false;
    bool lost_answer = draw(world, 4) == 0; /* committed, but nobody knows */
    bool fails = draw(world, 3) == 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (!fails)
            commit(world, batch, i);
        else if (lost_answer)
            apply(&world->stored[object_of(batch->rows[i])], batch->rows[i]);
        if (fails && draw(world, 3) == 0)
            outbox_set_aside(world->outbox, batch, i, draw(world, 4));
    }
    outbox_return(world->outbox, batch);
}

static void assert_balanced(const struct world *world)
{
    struct outbox_counts counts = outbox_counts(world->outbox);
    assert_int_equal(counts.put,
                     counts.superseded + counts.done + counts.pending + counts.in_flight);
}

static void write_waiting(struct world *world)
{
    struct batch *batch = &world->batches[0];
    for (unsigned lane = 0; lane < LANES; lane++) {
        while (outbox_take(world->outbox, lane, OBJECTS, SIZE_MAX, batch)) {
            for (size_t i = 0; i < batch->count; i++)
                commit(world, batch, i);
        }
    }
}

static void drain(struct world *world)
{
    for (unsigned lane = 0; lane < LANES; lane++) {
        if (world->busy[lane])
            outbox_return(world->outbox, &world->batches[lane]);
    }
    write_waiting(world);
    /* An object has two rows at the most: what is left of one that was tried alone waits as usual. */
    while (outbox_take_aside(world->outbox, INT64_MAX, &world->batches[0]))
        commit(world, &world->batches[0], 0);
    write_waiting(world);
    assert_int_equal(outbox_counts(world->outbox).bytes, 0);
    assert_balanced(world);
}

/* Apart from columns that only remember what was known, and may remember more from rows that were
 * merged before they were written, the row is the same to the letter. */
static void assert_same(const struct row *expected, const struct row *stored)
{
    assert_int_equal(expected == NULL, stored == NULL);
    if (expected == NULL)
        return;
    assert_true(text_equal(row_version(expected), row_version(stored)));
    for (size_t i = 0; i < table_pod.column_count; i++) {
        enum merge_rule rule = table_pod.columns[i].merge;
        if (rule == MERGE_LAST_KNOWN || rule == MERGE_FIRST_KNOWN || rule == MERGE_FIRST_FINISH)
            continue;
        const struct cell *a = &expected->cells[i], *b = &stored->cells[i];
        assert_int_equal(a->type, b->type);
        if (a->type == CELL_TEXT)
            assert_true(text_equal(cell_as_text(a), cell_as_text(b)));
        else if (a->type != CELL_NULL)
            assert_int_equal(a->integer, b->integer);
    }
}

static void round_of(uint64_t seed)
{
    static const struct outbox_limits limits = {
        .max_rows = 1000, .max_bytes = SIZE_MAX, .lanes = LANES};
    struct world world = {.random = seed};
    struct error err;
    assert_int_equal(outbox_new(&limits, &world.outbox, &err), ERROR_NONE);
    for (unsigned lane = 0; lane < LANES; lane++)
        assert_int_equal(batch_init(&world.batches[lane], OBJECTS, &err), ERROR_NONE);

    for (unsigned step = 0; step < STEPS; step++) {
        if (draw(&world, 3) > 0)
            step_event(&world);
        else
            step_lane(&world, draw(&world, LANES));
        assert_balanced(&world);
    }
    drain(&world);

    for (unsigned object = 0; object < OBJECTS; object++) {
        assert_same(world.expected[object], world.stored[object]);
        row_free(world.expected[object]);
        row_free(world.stored[object]);
        for (unsigned version = 0; version < VERSIONS; version++)
            row_free(world.events[object][version]);
    }
    for (unsigned lane = 0; lane < LANES; lane++)
        batch_fini(&world.batches[lane]);
    outbox_free(world.outbox);
}

static void test_any_schedule_ends_at_the_merge_of_all_events(void **state)
{
    (void)state;
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 1000;
    for (unsigned i = 0; i < (given != NULL ? 1 : ROUNDS); i++) {
        /* The last one that is printed is the one to replay. */
        if (given == NULL)
            print_message("SEED=%llu\n", (unsigned long long)(seed + i));
        round_of(seed + i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_schedule_ends_at_the_merge_of_all_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
