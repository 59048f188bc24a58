/* isolate: every good row of a batch is written once, every bad one is refused, in few writes. */
#include "sidecar/store/isolate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MAX_ROWS 256

/* What a database says about the row that it does not like. */
enum hints { HINTS_TRUE, HINTS_NONE, HINTS_FIRST, HINTS_LAST, HINTS_BEYOND, HINTS_COUNT };

/* A database that refuses some rows, and a batch for it. */
struct database {
    bool poison[MAX_ROWS];
    enum hints hints;
    size_t packet_rows; /* writes of more rows are too large */
    size_t fail_at;     /* this write, from 1, fails with fail_class; 0: none */
    enum dberror_class fail_class;
    enum db_affects fail_affects;
    enum dberror_class poison_class; /* why poison fails */

    size_t writes;            /* so far, the failed ones too */
    size_t failures;          /* of these */
    unsigned times[MAX_ROWS]; /* how often each row was written */

    struct row *rows[MAX_ROWS]; /* never looked into: a row is its place here */
    enum row_fate fates[MAX_ROWS];
    struct refusal refusals[MAX_ROWS];
    struct store_request request;
};

static void database_init(struct database *database, size_t count)
{
    *database = (struct database){.packet_rows = MAX_ROWS, .poison_class = DBERROR_ROW};
    database->request.batch = (struct batch){
        .table = &table_pod,
        .mode = ROW_UPSERT,
        .count = count,
        .capacity = MAX_ROWS,
        .rows = database->rows,
    };
    memset(database->fates, 0xff, sizeof(database->fates));
    database->request.fates = database->fates;
    database->request.refusals = database->refusals;
    database->request.refusal_count = 99; /* of an earlier use */
    database->request.error.code = ERROR_AGAIN;
}

static size_t hint(const struct database *database, size_t bad, size_t count)
{
    switch (database->hints) {
    case HINTS_TRUE:
        return bad + 1;
    case HINTS_FIRST:
        return 1;
    case HINTS_LAST:
        return count;
    case HINTS_BEYOND:
        return count + 1;
    case HINTS_NONE:
    case HINTS_COUNT:
        break;
    }
    return 0;
}

static enum error_code fail_with(struct database *database, struct db_error *err,
                                 enum dberror_class class, size_t row, enum db_affects affects)
{
    database->failures++;
    *err = (struct db_error){
        .class = class, .number = 1000U + (unsigned)class, .row = row, .affects = affects};
    return error_set(&err->error, ERROR_INPUT, "class %d", (int)class);
}

static enum error_code database_write(void *context, struct row *const *rows, size_t count,
                                      struct db_error *err)
{
    struct database *database = context;
    size_t first = (size_t)(rows - (struct row *const *)database->rows);

    assert_in_range(count, 1, database->request.batch.count - first);
    if (++database->writes == database->fail_at)
        return fail_with(database, err, database->fail_class, 0, database->fail_affects);
    if (count > database->packet_rows)
        return fail_with(database, err, DBERROR_SPLIT, 0, DB_AFFECTS_ROWS);
    for (size_t i = 0; i < count; i++) {
        if (database->poison[first + i])
            return fail_with(database, err, database->poison_class,
                             database->poison_class == DBERROR_ROW ? hint(database, i, count) : 0,
                             DB_AFFECTS_ROWS);
    }
    for (size_t i = 0; i < count; i++)
        database->times[first + i]++;
    return ERROR_NONE;
}

static void isolate(struct database *database)
{
    isolate_batch(&database->request, database_write, database);
}

static bool is_refused(const struct store_request *request, size_t row)
{
    for (size_t i = 0; i < request->refusal_count; i++) {
        if (request->refusals[i].row == row)
            return true;
    }
    return false;
}

/* Each row is in the database, or refused, or waits: just as the answer says. */
static void assert_answer_is_true(const struct database *database)
{
    const struct store_request *request = &database->request;
    size_t refused = 0, waiting = 0;
    for (size_t i = 0; i < request->batch.count; i++) {
        assert_int_equal(database->times[i], request->fates[i] == ROW_WRITTEN ? 1 : 0);
        bool is_told = request->fates[i] == ROW_REFUSED || request->fates[i] == ROW_ALONE;
        assert_int_equal(is_refused(request, i), is_told);
        refused += is_told;
        waiting += request->fates[i] == ROW_WAITS;
    }
    assert_int_equal(request->refusal_count, refused);
    assert_int_equal(request->error.code != ERROR_NONE, waiting > 0);
}

static void assert_only_poison_is_refused(const struct database *database)
{
    assert_answer_is_true(database);
    assert_int_equal(database->request.error.code, ERROR_NONE);
    for (size_t i = 0; i < database->request.batch.count; i++)
        assert_int_equal(database->fates[i], database->poison[i] ? ROW_REFUSED : ROW_WRITTEN);
}

static void test_good_rows_take_one_write(void **state)
{
    struct database database;

    (void)state;
    database_init(&database, MAX_ROWS);
    isolate(&database);
    assert_only_poison_is_refused(&database);
    assert_int_equal(database.writes, 1);
}

static void test_one_bad_row_is_found_wherever_it_is(void **state)
{
    (void)state;
    for (size_t bad = 0; bad < MAX_ROWS; bad++) {
        size_t writes[HINTS_COUNT];
        for (int hints = 0; hints < HINTS_COUNT; hints++) {
            struct database database;
            database_init(&database, MAX_ROWS);
            database.hints = (enum hints)hints;
            database.poison[bad] = true;
            isolate(&database);
            assert_only_poison_is_refused(&database);
            writes[hints] = database.writes;
        }
        assert_in_range(writes[HINTS_TRUE], 3, 4);
        assert_in_range(writes[HINTS_NONE], 9, 16);
        assert_in_range(writes[HINTS_FIRST], 3, 16);
        assert_in_range(writes[HINTS_LAST], 3, 16);
        assert_int_equal(writes[HINTS_BEYOND], writes[HINTS_NONE]);
    }
}

static void test_a_fault_that_does_not_come_again_refuses_nothing(void **state)
{
    (void)state;
    for (size_t fail_at = 1; fail_at <= 4; fail_at++) {
        struct database database;
        database_init(&database, MAX_ROWS);
        database.fail_at = fail_at;
        database.fail_class = DBERROR_ROW;
        database.packet_rows = MAX_ROWS / 4;
        isolate(&database);
        assert_only_poison_is_refused(&database);
    }
}

static void test_every_choice_of_bad_rows_is_found(void **state)
{
    (void)state;
    for (int hints = 0; hints < HINTS_COUNT; hints++) {
        for (unsigned choice = 0; choice < 1U << 10; choice++) {
            struct database database;
            database_init(&database, 10);
            database.hints = (enum hints)hints;
            for (size_t i = 0; i < 10; i++)
                database.poison[i] = (choice >> i & 1) != 0;
            isolate(&database);
            assert_only_poison_is_refused(&database);
            assert_in_range(database.writes, 1, 35);
        }
    }
}

static void test_all_bad_rows_are_refused_as_long_as_one_is_good(void **state)
{
    (void)state;
    for (int hints = 0; hints < HINTS_COUNT; hints++) {
        for (size_t good = 0; good < MAX_ROWS; good++) {
            struct database database;
            database_init(&database, MAX_ROWS);
            database.hints = (enum hints)hints;
            for (size_t i = 0; i < MAX_ROWS; i++)
                database.poison[i] = i != good;
            isolate(&database);
            assert_only_poison_is_refused(&database);
            assert_in_range(database.writes, MAX_ROWS, MAX_ROWS + 64);
        }
    }
}

/* Whether that is to be believed is for the caller, who knows what became of other batches. */
static void test_a_batch_of_bad_rows_is_refused(void **state)
{
    (void)state;
    for (size_t count = 1; count <= MAX_ROWS; count++) {
        struct database database;
        database_init(&database, count);
        memset(database.poison, true, count);
        isolate(&database);
        assert_only_poison_is_refused(&database);
        assert_in_range(database.writes, count, count + 40);
    }
}

static void test_a_refusal_says_why(void **state)
{
    struct database database;

    (void)state;
    database_init(&database, 3);
    database.poison[1] = true;
    isolate(&database);
    assert_int_equal(database.request.refusal_count, 1);
    assert_int_equal(database.request.refusals[0].row, 1);
    assert_int_equal(database.request.refusals[0].number, 1000 + DBERROR_ROW);
    assert_string_equal(database.request.refusals[0].text, "class 6");
}

static void test_too_large_a_packet_is_sent_in_parts(void **state)
{
    (void)state;
    for (size_t packet_rows = 1; packet_rows <= MAX_ROWS; packet_rows *= 2) {
        struct database database;
        database_init(&database, MAX_ROWS);
        database.packet_rows = packet_rows;
        isolate(&database);
        assert_only_poison_is_refused(&database);
        assert_in_range(database.writes, 1, MAX_ROWS / packet_rows + 8);
    }
}

static void test_bad_rows_are_found_in_parts(void **state)
{
    (void)state;
    for (int hints = 0; hints < HINTS_COUNT; hints++) {
        struct database database;
        database_init(&database, MAX_ROWS);
        database.hints = (enum hints)hints;
        database.packet_rows = 7;
        database.poison[0] = database.poison[99] = database.poison[100] = true;
        isolate(&database);
        assert_only_poison_is_refused(&database);
    }
}

static void test_a_row_too_large_alone_is_refused(void **state)
{
    struct database database;

    (void)state;
    database_init(&database, 4);
    database.packet_rows = 0;
    isolate(&database);
    assert_answer_is_true(&database);
    assert_int_equal(database.request.refusal_count, 4);
}

static const enum dberror_class other_classes[] = {
    DBERROR_RETRY, DBERROR_RECONNECT, DBERROR_ELSEWHERE, DBERROR_WAIT, DBERROR_OPERATOR,
};

#define OTHER_CLASSES (sizeof(other_classes) / sizeof(other_classes[0]))

static void test_without_a_connection_the_undecided_rows_wait(void **state)
{
    (void)state;
    for (size_t i = 0; i < OTHER_CLASSES; i++) {
        /* all fails; 0..7 go through; 8 is refused; the rest fails; 9..19; ... */
        for (size_t fail_at = 1; fail_at <= 7; fail_at++) {
            struct database database;
            database_init(&database, 30);
            database.poison[8] = database.poison[20] = true;
            database.fail_at = fail_at;
            database.fail_class = other_classes[i];
            isolate(&database);
            assert_answer_is_true(&database);
            assert_int_equal(database.writes, fail_at);
            assert_int_equal(database.request.class, other_classes[i]);
            assert_false(database.request.others_may);
            assert_int_equal(database.fates[29], ROW_WAITS);
            assert_int_equal(database.fates[0], fail_at > 2 ? ROW_WRITTEN : ROW_WAITS);
            assert_int_equal(database.fates[8], fail_at > 3 ? ROW_REFUSED : ROW_WAITS);
            assert_int_equal(database.fates[9], fail_at > 5 ? ROW_WRITTEN : ROW_WAITS);
        }
    }
}

/* Rows fail for this reason from now on, whatever is written with them. */
static void spoil(struct database *database, enum dberror_class class)
{
    database->poison_class = class;
}

static void test_a_row_that_fails_for_any_reason_is_left_for_later_alone(void **state)
{
    static const enum dberror_class classes[] = {DBERROR_RETRY, DBERROR_WAIT, DBERROR_OPERATOR};

    (void)state;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        for (size_t bad = 0; bad < MAX_ROWS; bad++) {
            struct database database;
            database_init(&database, MAX_ROWS);
            spoil(&database, classes[i]);
            database.poison[bad] = true;
            isolate(&database);
            assert_answer_is_true(&database);
            assert_int_equal(database.request.error.code, ERROR_NONE);
            for (size_t row = 0; row < MAX_ROWS; row++)
                assert_int_equal(database.fates[row], row == bad ? ROW_ALONE : ROW_WRITTEN);
            assert_int_equal(database.request.refusals[0].class, classes[i]);
        }
    }
}

/* A write that meets a lock takes a second: the batch, and then each locked row, is all there may be. */
static void test_locked_rows_are_waited_for_once(void **state)
{
    struct database database;

    (void)state;
    database_init(&database, MAX_ROWS);
    spoil(&database, DBERROR_RETRY);
    database.poison[17] = database.poison[99] = database.poison[255] = true;
    isolate(&database);
    assert_answer_is_true(&database);
    assert_int_equal(database.failures, 1 + 3);
}

/* The rows in front are set aside: else they would be in the way each time. */
static void test_when_one_after_the_other_fails_the_rest_waits(void **state)
{
    static const enum dberror_class classes[] = {DBERROR_RETRY, DBERROR_OPERATOR};

    (void)state;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        struct database database;
        database_init(&database, MAX_ROWS);
        spoil(&database, classes[i]);
        memset(database.poison, true, MAX_ROWS);
        isolate(&database);
        assert_answer_is_true(&database);
        assert_int_equal(database.request.refusal_count, ISOLATE_RUN);
        assert_int_equal(database.request.class, classes[i]);
        assert_true(database.request.others_may);
        assert_in_range(database.writes, 1 + ISOLATE_RUN, 40);
    }
}

static void test_nothing_shows_that_others_do_better(void **state)
{
    (void)state;
    for (size_t count = 1; count < ISOLATE_RUN; count++) {
        struct database database;
        database_init(&database, count);
        spoil(&database, DBERROR_OPERATOR);
        memset(database.poison, true, count);
        isolate(&database);
        assert_answer_is_true(&database);
        assert_int_equal(database.request.refusal_count, 0);
        assert_int_equal(database.request.class, DBERROR_OPERATOR);
        assert_true(database.request.others_may);
        assert_non_null(strstr(database.request.error.text, "class 4"));
        for (size_t row = 0; row < count; row++)
            assert_int_equal(database.fates[row], ROW_WAITS);
    }
}

static void test_a_table_that_does_not_fit_is_not_searched_for_rows(void **state)
{
    struct database database;

    (void)state;
    database_init(&database, MAX_ROWS);
    database.fail_at = 1;
    database.fail_class = DBERROR_OPERATOR;
    database.fail_affects = DB_AFFECTS_TABLE;
    isolate(&database);
    assert_answer_is_true(&database);
    assert_int_equal(database.writes, 1);
    assert_true(database.request.others_may);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_rows_take_one_write),
        cmocka_unit_test(test_one_bad_row_is_found_wherever_it_is),
        cmocka_unit_test(test_a_fault_that_does_not_come_again_refuses_nothing),
        cmocka_unit_test(test_every_choice_of_bad_rows_is_found),
        cmocka_unit_test(test_all_bad_rows_are_refused_as_long_as_one_is_good),
        cmocka_unit_test(test_a_batch_of_bad_rows_is_refused),
        cmocka_unit_test(test_a_refusal_says_why),
        cmocka_unit_test(test_too_large_a_packet_is_sent_in_parts),
        cmocka_unit_test(test_bad_rows_are_found_in_parts),
        cmocka_unit_test(test_a_row_too_large_alone_is_refused),
        cmocka_unit_test(test_without_a_connection_the_undecided_rows_wait),
        cmocka_unit_test(test_a_row_that_fails_for_any_reason_is_left_for_later_alone),
        cmocka_unit_test(test_locked_rows_are_waited_for_once),
        cmocka_unit_test(test_when_one_after_the_other_fails_the_rest_waits),
        cmocka_unit_test(test_nothing_shows_that_others_do_better),
        cmocka_unit_test(test_a_table_that_does_not_fit_is_not_searched_for_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
