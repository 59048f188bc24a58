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

    size_t writes;            /* so far, the failed ones too */
    unsigned times[MAX_ROWS]; /* how often each row was written */

    struct row *rows[MAX_ROWS]; /* never looked into: a row is its place here */
    enum row_fate fates[MAX_ROWS];
    struct refusal refusals[MAX_ROWS];
    struct store_request request;
};

static void database_init(struct database *database, size_t count)
{
    *database = (struct database){.packet_rows = MAX_ROWS};
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

static enum error_code fail_with(struct db_error *err, enum dberror_class class, size_t row)
{
    *err = (struct db_error){.class = class, .number = 1000U + (unsigned)class, .row = row};
    return error_set(&err->error, ERROR_INPUT, "class %d", (int)class);
}

static enum error_code database_write(void *context, struct row *const *rows, size_t count,
                                      struct db_error *err)
{
    struct database *database = context;
    size_t first = (size_t)(rows - (struct row *const *)database->rows);

    assert_in_range(count, 1, database->request.batch.count - first);
    if (++database->writes == database->fail_at)
        return fail_with(err, database->fail_class, 0);
    if (count > database->packet_rows)
        return fail_with(err, DBERROR_SPLIT, 0);
    for (size_t i = 0; i < count; i++) {
        if (database->poison[first + i])
            return fail_with(err, DBERROR_ROW, hint(database, i, count));
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
        assert_int_equal(is_refused(request, i), request->fates[i] == ROW_REFUSED);
        refused += request->fates[i] == ROW_REFUSED;
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

static void test_a_small_batch_of_bad_rows_is_refused(void **state)
{
    (void)state;
    for (size_t count = 1; count <= ISOLATE_BURST; count++) {
        struct database database;
        database_init(&database, count);
        memset(database.poison, true, count);
        isolate(&database);
        assert_only_poison_is_refused(&database);
    }
}

static void test_a_large_batch_of_bad_rows_waits_for_a_person(void **state)
{
    (void)state;
    for (size_t count = ISOLATE_BURST + 1; count <= MAX_ROWS; count++) {
        struct database database;
        database_init(&database, count);
        memset(database.poison, true, count);
        isolate(&database);
        assert_answer_is_true(&database);
        assert_int_equal(database.request.refusal_count, 0);
        assert_int_equal(database.request.class, DBERROR_OPERATOR);
        assert_int_equal(database.request.error.code, ERROR_OPERATOR);
        assert_non_null(strstr(database.request.error.text, "replica_info"));
        assert_non_null(strstr(database.request.error.text, "class 6"));
        assert_in_range(database.writes, count, count + 40);
    }
}

static void test_a_burst_that_other_trouble_cuts_short_is_not_refused(void **state)
{
    struct database database;

    (void)state;
    database_init(&database, MAX_ROWS);
    memset(database.poison, true, MAX_ROWS - 1);
    database.fail_at = 100;
    database.fail_class = DBERROR_RECONNECT;
    isolate(&database);
    assert_answer_is_true(&database);
    assert_int_equal(database.request.refusal_count, 0);
    assert_int_equal(database.request.class, DBERROR_RECONNECT);
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

static void test_other_trouble_lets_the_undecided_rows_wait(void **state)
{
    static const enum dberror_class classes[] = {
        DBERROR_RETRY, DBERROR_RECONNECT, DBERROR_ELSEWHERE, DBERROR_WAIT, DBERROR_OPERATOR,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        /* all fails; 0..7 go through; 8 is refused; the rest fails; 9..19; ... */
        for (size_t fail_at = 1; fail_at <= 7; fail_at++) {
            struct database database;
            database_init(&database, 30);
            database.poison[8] = database.poison[20] = true;
            database.fail_at = fail_at;
            database.fail_class = classes[i];
            isolate(&database);
            assert_answer_is_true(&database);
            assert_int_equal(database.writes, fail_at);
            assert_int_equal(database.request.class, classes[i]);
            assert_int_equal(database.fates[29], ROW_WAITS);
            assert_int_equal(database.fates[0], fail_at > 2 ? ROW_WRITTEN : ROW_WAITS);
            assert_int_equal(database.fates[8], fail_at > 3 ? ROW_REFUSED : ROW_WAITS);
            assert_int_equal(database.fates[9], fail_at > 5 ? ROW_WRITTEN : ROW_WAITS);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_rows_take_one_write),
        cmocka_unit_test(test_one_bad_row_is_found_wherever_it_is),
        cmocka_unit_test(test_a_fault_that_does_not_come_again_refuses_nothing),
        cmocka_unit_test(test_every_choice_of_bad_rows_is_found),
        cmocka_unit_test(test_all_bad_rows_are_refused_as_long_as_one_is_good),
        cmocka_unit_test(test_a_small_batch_of_bad_rows_is_refused),
        cmocka_unit_test(test_a_large_batch_of_bad_rows_waits_for_a_person),
        cmocka_unit_test(test_a_burst_that_other_trouble_cuts_short_is_not_refused),
        cmocka_unit_test(test_a_refusal_says_why),
        cmocka_unit_test(test_too_large_a_packet_is_sent_in_parts),
        cmocka_unit_test(test_bad_rows_are_found_in_parts),
        cmocka_unit_test(test_a_row_too_large_alone_is_refused),
        cmocka_unit_test(test_other_trouble_lets_the_undecided_rows_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
