/* The merge rules are said twice, in C (row_merge) and in SQL (sql_upsert, sql_update): random rows
 * must end the same in memory and in the database. */
#include "lib/rows/row.h"

#include "lib/base/timestamp.h"
#include "lib/sql/sql.h"
#include "sidecar/store/db.h"
#include "test/integration/check/database.h"
#include "test/support/chance.h"
#include "test/support/thing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OBJECTS    48
#define BATCHES    400
#define BEGIN_2026 INT64_C(1767225600)
#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))

struct check {
    struct database database;
    struct db *db;
    struct chance chance;
    const struct table *table;
    struct row *rows[OBJECTS]; /* what the database should hold; NULL: nothing yet */
};

static int set_up(void **state)
{
    struct check *check = test_calloc(1, sizeof(*check));
    struct db_error err;
    check->chance = chance_from_environment();
    database_open(&check->database);
    check->db = db_new(&check->database.config);
    if (db_connect(check->db, 0, &err) != ERROR_NONE)
        fail_msg("%s", err.error.text);
    *state = check;
    return 0;
}

static int tear_down(void **state)
{
    struct check *check = *state;
    database_free_rows(check->rows, OBJECTS);
    db_free(check->db);
    database_close(&check->database);
    test_free(check);
    return 0;
}

/* ---- random rows ----------------------------------------------------------------------------- */

static const char *one_of(struct check *check, const char *const *texts, size_t count)
{
    return texts[chance_below(&check->chance, (uint32_t)count)];
}

/* Few, so that rows of equal version meet; some longer than any integer. */
static const char *random_version(struct check *check)
{
    static const char *const versions[] = {
        "0",
        "1",
        "8",
        "9",
        "10",
        "99",
        "100",
        "98765432",
        "18446744073709551616",
        "99999999999999999999999999999998",
        "99999999999999999999999999999999",
    };
    size_t max = check->table->columns[check->table->version].max_chars;
    const char *version;
    do {
        version = one_of(check, versions, COUNT(versions));
    } while (strlen(version) > max);
    return version;
}

static struct cell random_cell(struct check *check, size_t column)
{
    static const char *const statuses[] = {"Running", "Stopped", "Succeeded", "Failed"};
    static const char *const texts[] = {"", "a", "b", "\xF0\x9F\x98\x80", "it's \"quoted\" \\ %"};
    const struct column *described = &check->table->columns[column];
    if (chance_below(&check->chance, 3) == 0)
        return cell_null();
    if (described->merge == MERGE_KNOWN_AT)
        return cell_text(text_from(random_version(check)));
    if (described->merge == MERGE_STATUS)
        return cell_text(text_from(one_of(check, statuses, COUNT(statuses))));
    switch (described->type) {
    case COLUMN_TEXT:
        return cell_text(text_from(one_of(check, texts, COUNT(texts))));
    case COLUMN_KEY:
        return cell_text(text_from(one_of(check, texts, 3)));
    case COLUMN_INT:
        return cell_int(chance_below(&check->chance, 2));
    case COLUMN_TIME:
        return cell_time((BEGIN_2026 + chance_below(&check->chance, 4)) * 1000000);
    }
    return cell_null();
}

/* The version of the event below a tombstone is an older one; an update may be only a tombstone. */
static struct cell random_stated(struct check *check, enum row_mode mode, const char *version)
{
    const char *stated = random_version(check);
    if (mode == ROW_UPDATE && chance_below(&check->chance, 2) == 0)
        return cell_text(TEXT(""));
    if (version_compare(text_from(stated), text_from(version)) >= 0)
        return cell_null();
    return cell_text(text_from(stated));
}

static struct row *random_row(struct check *check, enum row_mode mode, size_t object)
{
    const char *version = random_version(check);
    char uid[16];
    struct cell cells[TABLE_MAX_COLUMNS];
    struct row *row = NULL;
    for (size_t i = 0; i < check->table->column_count; i++)
        cells[i] = random_cell(check, i);
    snprintf(uid, sizeof(uid), "uid-%04zu", object);
    cells[check->table->uid] = cell_text(text_from(uid));
    cells[check->table->version] = cell_text(text_from(version));
    cells[check->table->stated] = random_stated(check, mode, version);
    assert_int_equal(row_new(check->table, mode, cells, 0, &row, NULL), ERROR_NONE);
    return row;
}

/* ---- in memory and in the database ----------------------------------------------------------- */

static void merge_in_memory(struct check *check, size_t object, const struct row *comes)
{
    struct row **there = &check->rows[object];
    struct row *merged = NULL;
    if (*there == NULL && comes->mode == ROW_UPDATE)
        return; /* an update makes no row */
    if (*there == NULL)
        assert_int_equal(row_new(check->table, ROW_UPSERT, comes->cells, 0, &merged, NULL),
                         ERROR_NONE);
    else
        assert_int_equal(row_merge(*there, comes, &merged, NULL), ERROR_NONE);
    row_free(*there);
    *there = merged;
}

/* Rows of one mode for some of the objects, in the order of their uids. */
static void write_batch(struct check *check)
{
    struct row *batch[OBJECTS];
    struct db_error err;
    size_t count = 0;
    uint32_t odds = 1 + chance_below(&check->chance, 8);
    enum row_mode mode = chance_below(&check->chance, 3) == 0 ? ROW_UPDATE : ROW_UPSERT;
    for (size_t object = 0; object < OBJECTS; object++) {
        if (chance_below(&check->chance, odds) != 0)
            continue;
        batch[count] = random_row(check, mode, object);
        merge_in_memory(check, object, batch[count]);
        count++;
    }
    if (count > 0 && db_write(check->db, check->table, mode, batch, count, &err) != ERROR_NONE)
        fail_msg("%s", err.error.text);
    database_free_rows(batch, count);
}

static void print_cell(const struct cell *cell, char text[64])
{
    char time[TIMESTAMP_TEXT_SIZE];
    switch (cell->type) {
    case CELL_NULL:
        strcpy(text, "NULL");
        return;
    case CELL_INT:
        snprintf(text, 64, "%d", (int)cell->integer);
        return;
    case CELL_TIME:
        timestamp_format(cell->integer, time);
        snprintf(text, 64, "%.10s %.8s", time, time + 11);
        return;
    case CELL_TEXT:
        snprintf(text, 64, "'%.*s'", (int)cell->length, cell->data);
        return;
    }
}

struct comparison {
    struct check *check;
    size_t object; /* of the last row that was compared, plus 1 */
};

static void compare_row(void *context, const struct text *values, size_t count)
{
    struct comparison *comparison = context;
    const struct check *check = comparison->check;
    while (comparison->object < OBJECTS && check->rows[comparison->object] == NULL)
        comparison->object++;
    assert_true(comparison->object < OBJECTS);
    const struct row *row = check->rows[comparison->object++];
    assert_int_equal(count, check->table->column_count);
    for (size_t i = 0; i < count; i++) {
        const char *quote = row->cells[i].type == CELL_TEXT ? "'" : "";
        char expected[64], found[64];
        print_cell(&row->cells[i], expected);
        if (values[i].data == NULL)
            strcpy(found, "NULL");
        else
            snprintf(found, sizeof(found), "%s%.*s%s", quote, (int)values[i].length, values[i].data,
                     quote);
        if (strcmp(found, expected) != 0)
            fail_msg("%s of object %zu: the database has %s, row_merge makes %s",
                     check->table->columns[i].name, comparison->object, found, expected);
    }
}

static void compare_table(struct check *check)
{
    struct comparison comparison = {.check = check};
    struct db_error err;
    struct buffer sql;
    buffer_init(&sql, 4096);
    for (size_t i = 0; i < check->table->column_count; i++)
        buffer_appendf(&sql, "%s `%s`", i == 0 ? "SELECT" : ",", check->table->columns[i].name);
    buffer_appendf(&sql, " FROM `%s` ORDER BY `%s`", check->table->name,
                   check->table->columns[check->table->uid].name);
    if (db_query(check->db, buffer_text(&sql), compare_row, &comparison, &err) != ERROR_NONE)
        fail_msg("%s", err.error.text);
    buffer_fini(&sql);
    while (comparison.object < OBJECTS)
        assert_null(check->rows[comparison.object++]);
}

static void run(struct check *check, const struct table *table)
{
    struct buffer sql;
    buffer_init(&sql, 1 << 16);
    sql_create_table(&sql, table);
    database_exec(&check->database, "%s", buffer_cstring(&sql));
    database_exec(&check->database, "DELETE FROM `%s`", table->name);
    buffer_fini(&sql);
    check->table = table;
    for (unsigned batch = 0; batch < BATCHES; batch++) {
        write_batch(check);
        compare_table(check);
    }
}

static void test_jobs(void **state)
{
    run(*state, &table_job);
}

static void test_pods(void **state)
{
    run(*state, &table_pod);
}

/* Its columns stand in the order in which they must not be assigned. */
static void test_columns_in_another_order(void **state)
{
    run(*state, &table_thing);
}

static void write_job(struct check *check, enum row_mode mode, const char *uid, const char *version,
                      const char *name)
{
    struct cell cells[TABLE_MAX_COLUMNS] = {{.type = CELL_NULL}};
    struct db_error err;
    struct row *row = NULL;
    cells[JOB_UID] = cell_text(text_from(uid));
    cells[JOB_VERSION] = cell_text(text_from(version));
    cells[JOB_NAME] = cell_text(text_from(name));
    assert_int_equal(row_new(&table_job, mode, cells, 0, &row, NULL), ERROR_NONE);
    if (db_write(check->db, &table_job, mode, &row, 1, &err) != ERROR_NONE)
        fail_msg("%s", err.error.text);
    row_free(row);
}

/* Such as other programs leave: none of them may make a write fail. */
static void test_rows_whose_version_is_no_number(void **state)
{
    struct check *check = *state;
    database_exec(&check->database, "INSERT INTO job_info (job_id, version, name) VALUES"
                                    " ('a', NULL, 'old'), ('b', '', 'old'), ('c', NULL, 'old'),"
                                    " ('d', '', 'old'), ('e', '-1', 'old'), ('f', 'abc', 'old')");
    write_job(check, ROW_UPSERT, "a", "0", "new");
    write_job(check, ROW_UPSERT, "b", "0", "new");
    write_job(check, ROW_UPDATE, "c", "0", "new");
    write_job(check, ROW_UPDATE, "d", "0", "new");
    write_job(check, ROW_UPSERT, "e", "100", "new");
    write_job(check, ROW_UPSERT, "f", "100", "newer than abc only with more digits");
    write_job(check, ROW_UPSERT, "f", "1000", "new");
    assert_int_equal(database_number(&check->database, "SELECT COUNT(*) FROM job_info"
                                                       " WHERE name = 'new'"),
                     6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    struct error err;
    if (db_library_init(&err) != ERROR_NONE)
        return 1;
    const struct CMUnitTest tests[] = {
        TEST(test_jobs),
        TEST(test_pods),
        TEST(test_columns_in_another_order),
        TEST(test_rows_whose_version_is_no_number),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    db_library_fini();
    return failed != 0;
}
