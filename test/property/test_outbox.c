/* outbox, row_merge and the spool's JSON: what the database ends in depends on the set of rows that came.
 * Their order, how often each came, the batches, the commits whose answer was lost and the restarts
 * make no difference in any column; and the accounts add up after every step.
 *
 * What is expected is worked out from the set alone, by the words of enum merge_rule. Two things are
 * given: the first row of an object makes it (an update makes none), and what is SETTLED never
 * changes, but is unknown at times.
 *
 * Replayable: SEED=n. */
#include "lib/outbox/outbox.h"

#include "lib/base/buffer.h"
#include "lib/json/json.h"
#include "lib/rows/rowjson.h"
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

#define DISK_LIMIT (1U << 20)

/* What the spool has of an object: an array of its rows, or nothing. */
struct record {
    struct buffer rows;
};

struct world {
    uint64_t random;
    const struct table *table;
    struct outbox *outbox;
    struct json *json;
    struct batch batches[LANES];
    bool busy[LANES];
    struct row *rows[OBJECTS][VERSIONS]; /* all that can be said of each object */
    bool came[OBJECTS][VERSIONS];
    struct row *stored[OBJECTS]; /* what the database holds */
    struct record disk[OBJECTS];
    struct record captured[OBJECTS]; /* on its way to the disk */
    bool in_capture[OBJECTS];
};

static uint32_t draw(struct world *world, uint32_t bound)
{
    world->random = world->random * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(world->random >> 33) % bound;
}

/* Times that objects state are whole minutes; rows arrive in between, each at its own second. */
static int64_t arrival_us(unsigned version)
{
    return (1000 + version) * INT64_C(1000000);
}

/* Also the time of some starts. */
#define CREATED_US (2 * INT64_C(60000000))

static struct cell random_time(struct world *world)
{
    return cell_time((int64_t)draw(world, 5) * 60000000);
}

static struct cell random_text(struct world *world)
{
    static const char *const texts[] = {"x", "y", "z"};
    return cell_text(text_from(texts[draw(world, 3)]));
}

static struct cell random_cell(struct world *world, const struct column *column)
{
    static const char *const statuses[] = {"Running", "Failed", "Succeeded", STATUS_STOPPED};
    if (column->merge == MERGE_KNOWN_AT || column->merge == MERGE_STATED || draw(world, 2) == 0)
        return cell_null();
    if (column->merge == MERGE_STATUS)
        return cell_text(text_from(statuses[draw(world, 4)]));
    if (column->merge == MERGE_SETTLED)
        return column->type == COLUMN_TIME ? cell_time(CREATED_US) : cell_text(TEXT("settled"));
    if (column->type == COLUMN_TIME)
        return random_time(world);
    return column->type == COLUMN_INT ? cell_int(draw(world, 2)) : random_text(world);
}

static struct row *copy(const struct row *row)
{
    struct row *result = row_of(row->table, row->mode, row->cells);
    result->received_us = row->received_us;
    return result;
}

/* Versions cross from one digit to two. Some tombstones have the version of the next event. */
static struct row *make_row(struct world *world, unsigned object, unsigned number)
{
    const struct table *table = world->table;
    char uid[8], version[8];
    bool is_tombstone = number > 0 && draw(world, 4) == 0;
    bool is_update = number > 0 && draw(world, 6) == 0;
    unsigned at = 2 * number + (is_tombstone ? 1 + draw(world, 2) : 0);
    struct cell cells[TABLE_MAX_COLUMNS];
    struct row *row = NULL;
    struct error err;
    snprintf(uid, sizeof(uid), "u%u", object);
    snprintf(version, sizeof(version), "%u", at + 1);
    if (is_tombstone) {
        assert_int_equal(row_new_tombstone(table, text_from(uid), text_from(version),
                                           arrival_us(number), &row, &err),
                         ERROR_NONE);
        return row;
    }
    for (size_t i = 0; i < table->column_count; i++)
        cells[i] = random_cell(world, &table->columns[i]);
    cells[table->uid] = cell_text(text_from(uid));
    cells[table->version] = cell_text(text_from(version));
    cells[table->modified] = cell_time(arrival_us(number));
    cells[table->created] = cell_time(CREATED_US);
    if (draw(world, 3) == 0) /* an estimate */
        cells[table->finished] = cells[table->modified];
    if (is_update) /* it names its object, which tells it from a tombstone of an older spool */
        cells[table->namespace] = cell_text(TEXT("settled"));
    row = row_of(table, is_update ? ROW_UPDATE : ROW_UPSERT, cells);
    row->received_us = arrival_us(number);
    return row;
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

static void step_row(struct world *world)
{
    unsigned object = draw(world, OBJECTS);
    unsigned number = world->came[object][0] ? draw(world, VERSIONS) : 0;
    struct error err;
    world->came[object][number] = true;
    assert_int_equal(outbox_put(world->outbox, copy(world->rows[object][number]), &err),
                     ERROR_NONE);
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

/* ---- the spool ------------------------------------------------------------------------------- */

static void on_record(void *context, const struct outbox_record *record)
{
    struct world *world = context;
    unsigned object = (unsigned)(record->uid.data[1] - '0');
    struct buffer *out = &world->captured[object].rows;
    world->in_capture[object] = true;
    buffer_reset(out);
    for (size_t i = 0; i < record->row_count; i++) {
        buffer_append_char(out, i == 0 ? '[' : ',');
        rowjson_append(out, record->rows[i]);
    }
    if (record->row_count > 0)
        buffer_append_char(out, ']');
}

static void spool(struct world *world, int64_t before_us, bool stored)
{
    outbox_capture(world->outbox, before_us, OBJECTS, on_record, world);
    for (unsigned object = 0; object < OBJECTS; object++) {
        if (world->in_capture[object] && stored) {
            buffer_reset(&world->disk[object].rows);
            buffer_append(&world->disk[object].rows, buffer_text(&world->captured[object].rows));
        }
        world->in_capture[object] = false;
    }
    outbox_captured(world->outbox, stored);
}

static void open_outbox(struct world *world)
{
    static const struct outbox_limits limits = {
        .max_rows = 1000, .max_bytes = SIZE_MAX, .lanes = LANES, .spooled = true};
    struct error err;
    world->outbox = outbox_new(&limits);
    for (unsigned lane = 0; lane < LANES; lane++)
        assert_int_equal(batch_init(&world->batches[lane], OBJECTS, &err), ERROR_NONE);
}

static void close_outbox(struct world *world)
{
    for (unsigned lane = 0; lane < LANES; lane++) {
        world->busy[lane] = false;
        batch_fini(&world->batches[lane]);
    }
    outbox_free(world->outbox);
}

static void restore(struct world *world, struct text array)
{
    const json_value *root;
    struct error err;
    assert_int_equal(json_read(world->json, array, &root, &err), JSON_OK);
    for (const json_value *one = json_first(root); one != NULL; one = json_next(one)) {
        struct row *row;
        assert_int_equal(rowjson_read(one, &row, &err), ERROR_NONE);
        assert_int_equal(outbox_restore(world->outbox, row, &err), ERROR_NONE);
    }
}

/* The process ends when all is in the spool; what was in flight may be written or not. */
static void step_restart(struct world *world)
{
    spool(world, INT64_MAX - 1, true);
    for (unsigned lane = 0; lane < LANES; lane++) {
        struct batch *batch = &world->batches[lane];
        for (size_t i = 0; world->busy[lane] && i < batch->count; i++) {
            if (draw(world, 2) == 0)
                apply(&world->stored[row_uid(batch->rows[i]).data[1] - '0'], batch->rows[i]);
        }
    }
    close_outbox(world);
    open_outbox(world);
    for (unsigned object = 0; object < OBJECTS; object++) {
        if (world->disk[object].rows.length > 0)
            restore(world, buffer_text(&world->disk[object].rows));
    }
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

/* ---- what is expected ------------------------------------------------------------------------ */

/* The newest row of the object that came, of those that are tombstones or that are none, and that know
 * the column (TABLE_NO_COLUMN: whatever they know); NULL if there is none. */
static const struct row *newest(const struct world *world, unsigned object, bool tombstones,
                                size_t column)
{
    const struct row *found = NULL;
    for (unsigned i = 0; i < VERSIONS; i++) {
        const struct row *row = world->rows[object][i];
        bool is_tombstone = row->cells[row->table->stated].type != CELL_NULL;
        if (!world->came[object][i] || is_tombstone != tombstones)
            continue;
        if (column != TABLE_NO_COLUMN && row->cells[column].type == CELL_NULL)
            continue;
        if (found == NULL || version_compare(row_version(row), row_version(found)) > 0)
            found = row;
    }
    return found;
}

static struct cell earliest(const struct world *world, unsigned object, size_t column)
{
    struct cell found = cell_null();
    for (unsigned i = 0; i < VERSIONS; i++) {
        struct cell cell = world->rows[object][i]->cells[column];
        if (!world->came[object][i] || cell.type == CELL_NULL)
            continue;
        bool assumed = found.type == CELL_NULL || found.integer == CREATED_US;
        if (assumed || (cell.integer != CREATED_US && cell.integer < found.integer))
            found = cell;
    }
    return found;
}

static struct cell cell_of(const struct row *row, size_t column)
{
    return row != NULL ? row->cells[column] : cell_null();
}

static struct cell expected_cell(const struct world *world, unsigned object, size_t column)
{
    const struct table *table = world->table;
    const struct row *event = newest(world, object, false, TABLE_NO_COLUMN);
    const struct row *tombstone = newest(world, object, true, TABLE_NO_COLUMN);
    bool closed =
        tombstone != NULL && version_compare(row_version(tombstone), row_version(event)) > 0;
    const struct row *top = closed ? tombstone : event;
    struct cell said = event->cells[column];
    switch (table->columns[column].merge) {
    case MERGE_EVENT:
        break;
    case MERGE_SETTLED:
    case MERGE_LAST_KNOWN:
        return cell_of(newest(world, object, false, column), column);
    case MERGE_KNOWN_AT:
        return cell_of(newest(world, object, false, column - 1), table->version);
    case MERGE_EARLIEST:
        return earliest(world, object, column);
    case MERGE_STATUS:
        if (closed && (said.type == CELL_NULL || !table_status_is_final(cell_as_text(&said))))
            return cell_text(TEXT(STATUS_STOPPED));
        break;
    case MERGE_END:
        return closed && said.type == CELL_NULL ? tombstone->cells[table->modified] : said;
    case MERGE_STATED:
        return closed ? event->cells[table->version] : cell_null();
    case MERGE_LATEST:
    case MERGE_VERSION:
        return top->cells[column];
    }
    return said;
}

static void check_object(const struct world *world, unsigned object)
{
    if (!world->came[object][0]) {
        assert_null(world->stored[object]);
        return;
    }
    assert_non_null(world->stored[object]);
    for (size_t i = 0; i < world->table->column_count; i++) {
        const struct cell expected = expected_cell(world, object, i);
        const struct cell *stored = &world->stored[object]->cells[i];
        bool same = stored->type == expected.type;
        if (same && stored->type == CELL_TEXT)
            same = text_equal(cell_as_text(stored), cell_as_text(&expected));
        else if (same && stored->type != CELL_NULL)
            same = stored->integer == expected.integer;
        if (!same)
            fail_msg("object %u: %s", object, world->table->columns[i].name);
    }
}

static void round_of(uint64_t seed)
{
    struct world world = {.random = seed, .table = seed % 2 == 0 ? &table_job : &table_pod};
    world.json = json_new();
    assert_non_null(world.json);
    open_outbox(&world);
    for (unsigned object = 0; object < OBJECTS; object++) {
        buffer_init(&world.disk[object].rows, DISK_LIMIT);
        buffer_init(&world.captured[object].rows, DISK_LIMIT);
        for (unsigned number = 0; number < VERSIONS; number++)
            world.rows[object][number] = make_row(&world, object, number);
    }

    for (unsigned step = 0; step < STEPS; step++) {
        switch (draw(&world, 12)) {
        case 0:
            spool(&world, arrival_us(draw(&world, VERSIONS)), draw(&world, 3) > 0);
            break;
        case 1:
            step_restart(&world);
            break;
        case 2:
        case 3:
        case 4:
            step_lane(&world, draw(&world, LANES));
            break;
        default:
            step_row(&world);
        }
        assert_balanced(&world);
    }
    drain(&world);

    for (unsigned object = 0; object < OBJECTS; object++) {
        check_object(&world, object);
        row_free(world.stored[object]);
        buffer_fini(&world.disk[object].rows);
        buffer_fini(&world.captured[object].rows);
        for (unsigned number = 0; number < VERSIONS; number++)
            row_free(world.rows[object][number]);
    }
    close_outbox(&world);
    json_free(world.json);
}

static void test_any_schedule_ends_at_what_the_set_of_rows_says(void **state)
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
        cmocka_unit_test(test_any_schedule_ends_at_what_the_set_of_rows_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
