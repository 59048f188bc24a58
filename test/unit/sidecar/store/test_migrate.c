/* migrate, over a server that is made up: what it does about each kind of failure, at each statement.
 * That real servers do what the statements say is tested with real servers. */
#include "sidecar/store/migrate.h"

#include "lib/sql/migration.h"
#include "lib/sql/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALWAYS    1000000U
#define MAX_TEXTS 128
#define NO_FAILURE                                                                                 \
    (struct db_error)                                                                              \
    {                                                                                              \
        .number = 0                                                                                \
    }
#define NO_PRIVILEGE                                                                               \
    (struct db_error)                                                                              \
    {                                                                                              \
        .class = DBERROR_OPERATOR, .number = 1142                                                  \
    }

struct texts {
    char *text[MAX_TEXTS];
    size_t count;
};

/* A table as far as migrations see it. */
struct fake_table {
    bool exists;
    bool whole;      /* has the column cluster_id */
    bool helper;     /* index */
    bool unique;     /* key on the uid, which is NOT NULL then */
    bool indexed;    /* has the other indexes */
    bool duplicates; /* so that a unique key cannot be made */
};

struct db {
    struct fake_table tables[TABLE_COUNT];
    bool has_record;
    bool has_version;
    bool connected;
    bool lock_is_taken; /* by somebody else */
    bool locked;        /* by us */
    bool lies;          /* says that it has done what it has not */
    unsigned writers;   /* so often somebody writes a duplicate when they have just been deleted */
    unsigned slices;    /* of each table, besides the last one */

    unsigned fail_from, fail_count; /* statements, counted from 1, that fail so: */
    struct db_error failure;
    const char *fail_only; /* NULL, or what the failing statements contain */

    char failed[16];     /* how the last statement began that was made to fail */
    unsigned statements; /* so far */
    struct texts executed;
    struct texts for_dba;
    unsigned warnings;
};

static void keep_text(struct texts *texts, struct text text)
{
    assert_true(texts->count < MAX_TEXTS);
    texts->text[texts->count] = strndup(text.data, text.length);
    assert_non_null(texts->text[texts->count++]);
}

static void forget_texts(struct texts *texts)
{
    while (texts->count > 0)
        free(texts->text[--texts->count]);
}

/* ---- what migrate.c is linked with ------------------------------------------------------------ */

static struct fake_table *table_in(struct db *db, const char *sql)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (strstr(sql, tables[i]->name) != NULL)
            return &db->tables[i];
    }
    return NULL;
}

enum error_code db_error_set(struct db_error *err, enum dberror_class class, const char *format,
                             ...)
{
    va_list args;
    char text[ERROR_TEXT_SIZE];
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    *err = (struct db_error){.class = class};
    return error_set(&err->error, class == DBERROR_OPERATOR ? ERROR_OPERATOR : ERROR_AGAIN, "%s",
                     text);
}

enum error_code db_no_memory(struct db_error *err, const char *what)
{
    return db_error_set(err, DBERROR_WAIT, "%s: no memory", what);
}

/* Whether this statement is one that fails. */
static bool fails(struct db *db, const char *sql, struct db_error *err)
{
    unsigned number = ++db->statements;
    if (number < db->fail_from || number >= db->fail_from + db->fail_count)
        return false;
    if (db->fail_only != NULL && strstr(sql, db->fail_only) == NULL)
        return false;
    snprintf(db->failed, sizeof(db->failed), "%.15s", sql);
    db_error_set(err, db->failure.class, "made to fail");
    err->number = db->failure.number;
    if (db->failure.class == DBERROR_RECONNECT)
        db_close(db);
    return true;
}

static enum error_code alter(struct db *db, struct fake_table *table, const char *sql,
                             struct db_error *err)
{
    if (strstr(sql, "ADD UNIQUE") != NULL && table->duplicates) {
        db_error_set(err, DBERROR_ROW, "duplicate entry");
        err->number = 1062;
        return err->error.code;
    }
    if (db->lies)
        return ERROR_NONE;
    table->whole |= strstr(sql, "ADD COLUMN `cluster_id`") != NULL;
    table->helper |= strstr(sql, "ADD INDEX kubedl_shipper_uid") != NULL;
    table->helper &= strstr(sql, "DROP INDEX kubedl_shipper_uid") == NULL;
    table->unique |= strstr(sql, "ADD UNIQUE KEY") != NULL;
    table->indexed |= strstr(sql, "ADD INDEX idx_") != NULL;
    return ERROR_NONE;
}

static enum error_code execute(struct db *db, const char *sql, struct db_error *err)
{
    struct fake_table *table = table_in(db, sql);
    if (strncmp(sql, "DO RELEASE_LOCK", 15) == 0)
        db->locked = false;
    else if (strncmp(sql, "ALTER TABLE", 11) == 0)
        return alter(db, table, sql, err);
    else if (strncmp(sql, "CREATE TABLE", 12) == 0 && table != NULL)
        *table = (struct fake_table){true, true, false, true, true, false};
    else if (strncmp(sql, "CREATE TABLE", 12) == 0)
        db->has_record = true;
    else if (strncmp(sql, "INSERT", 6) == 0)
        db->has_version = true;
    else if (strncmp(sql, "DELETE", 6) == 0)
        table->duplicates = db->writers > 0 && db->writers-- > 0;
    return ERROR_NONE;
}

enum error_code db_exec(struct db *db, struct text text, struct db_error *err)
{
    char *sql = strndup(text.data, text.length);
    assert_non_null(sql);
    assert_true(db->connected);
    enum error_code code;
    if (fails(db, sql, err)) {
        code = err->error.code;
    } else {
        keep_text(&db->executed, text);
        code = execute(db, sql, err);
    }
    free(sql);
    return code;
}

/* Columns as described, cluster_id only where it is. */
static void tell_column(const struct table *table, size_t i, const struct fake_table *fake,
                        db_row *row, void *context)
{
    static const char *const types[] = {"varchar", "varchar", "tinyint", "datetime"};
    const struct column *column = &table->columns[i];
    bool is_text = column->type == COLUMN_TEXT || column->type == COLUMN_KEY;
    bool is_long = column->max_chars > VARCHAR_MAX_CHARS;
    const char *type = is_long ? "text" : types[column->type];
    char size[16];
    snprintf(size, sizeof(size), "%u", (unsigned)column->max_chars);
    const char *collation = column->type == COLUMN_KEY ? "ascii_bin" : "utf8mb4_bin";
    struct text values[] = {
        text_from(table->name),
        text_from(column->name),
        text_from(type),
        text_from(type),
        text_from(i == table->uid && fake->unique ? "NO" : "YES"),
        text_from(is_text ? size : ""),
        text_from(is_text ? collation : ""),
        text_from(column->initial != NULL ? column->initial : "NULL"),
        text_from(""),
    };
    if (fake->whole || i != table->cluster)
        row(context, values, sizeof(values) / sizeof(values[0]));
}

static void tell_columns(const struct table *table, const struct fake_table *fake, db_row *row,
                         void *context)
{
    const struct text null = {NULL, 0};
    const struct text id[] = {
        text_from(table->name),
        TEXT("id"),
        TEXT("bigint"),
        TEXT("bigint unsigned"),
        TEXT("NO"),
        null,
        null,
        null,
        TEXT("auto_increment"),
    };
    row(context, id, sizeof(id) / sizeof(id[0]));
    for (size_t i = 0; i < table->column_count; i++)
        tell_column(table, i, fake, row, context);
}

/* columns: "a, b" */
static void tell_index(const struct table *table, const char *name, const char *columns,
                       const char *non_unique, db_row *row, void *context)
{
    for (unsigned position = 1; *columns != '\0'; position++) {
        char number[16];
        size_t length = strcspn(columns, ",");
        snprintf(number, sizeof(number), "%u", position);
        const struct text values[] = {
            text_from(table->name), text_from(name), text_from(number),
            {columns, length},      {NULL, 0},       text_from(non_unique)};
        row(context, values, sizeof(values) / sizeof(values[0]));
        columns += length;
        columns += strspn(columns, ", ");
    }
}

static void tell_indexes(const struct table *table, const struct fake_table *fake, db_row *row,
                         void *context)
{
    const char *uid = table->columns[table->uid].name;
    tell_index(table, "PRIMARY", "id", "0", row, context);
    if (fake->helper)
        tell_index(table, "kubedl_shipper_uid", uid, "1", row, context);
    if (fake->unique)
        tell_index(table, "uk", uid, "0", row, context);
    for (size_t i = 0; fake->indexed && i < table->index_count; i++)
        tell_index(table, table->indexes[i].name, table->indexes[i].columns, "1", row, context);
}

static void tell_table(const char *name, db_row *row, void *context)
{
    const struct text values[] = {text_from(name), TEXT("BASE TABLE"), TEXT("InnoDB"),
                                  TEXT("Dynamic"), TEXT("")};
    row(context, values, sizeof(values) / sizeof(values[0]));
}

static void tell(const struct db *db, const char *sql, db_row *row, void *context)
{
    if (strstr(sql, ".TABLES") != NULL && db->has_record)
        tell_table(SCHEMA_RECORD_TABLE, row, context);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (!db->tables[i].exists)
            continue;
        if (strstr(sql, ".TABLES") != NULL)
            tell_table(tables[i]->name, row, context);
        else if (strstr(sql, ".COLUMNS") != NULL)
            tell_columns(tables[i], &db->tables[i], row, context);
        else
            tell_indexes(tables[i], &db->tables[i], row, context);
    }
}

static void tell_value(const char *value, db_row *row, void *context)
{
    const struct text text = text_from(value);
    row(context, &text, 1);
}

/* Slices end at 10, 20, 30, ... */
static void tell_slice_end(const struct db *db, const char *sql, db_row *row, void *context)
{
    const char *after = strstr(sql, "`id` > ");
    unsigned number = after != NULL ? (unsigned)atoi(after + strlen("`id` > ")) / 10 : 0;
    char end[16];
    snprintf(end, sizeof(end), "%u", (number + 1) * 10);
    if (number < db->slices)
        tell_value(end, row, context);
}

static void answer(struct db *db, const char *sql, db_row *row, void *context)
{
    if (strstr(sql, "information_schema") != NULL) {
        tell(db, sql, row, context);
    } else if (strstr(sql, "MAX(version)") != NULL) {
        const struct text values[2] = {text_from("1"), text_from("1")};
        const struct text nulls[2] = {{NULL, 0}, {NULL, 0}};
        row(context, db->has_version ? values : nulls, 2);
    } else if (strstr(sql, "GET_LOCK") != NULL) {
        db->locked = !db->lock_is_taken;
        tell_value(db->locked ? "1" : "0", row, context);
    } else if (strstr(sql, "USE") != NULL) {
        tell_value("USE `kubedl`", row, context);
    } else {
        assert_non_null(strstr(sql, "SELECT `id` FROM"));
        tell_slice_end(db, sql, row, context);
    }
}

enum error_code db_query(struct db *db, struct text text, db_row *row, void *context,
                         struct db_error *err)
{
    char *sql = strndup(text.data, text.length);
    assert_non_null(sql);
    assert_true(db->connected);
    enum error_code code = ERROR_NONE;
    if (fails(db, sql, err))
        code = err->error.code;
    else
        answer(db, sql, row, context);
    free(sql);
    return code;
}

bool db_is_connected(const struct db *db)
{
    return db->connected;
}

void db_close(struct db *db)
{
    db->connected = false;
    db->locked = false;
}

/* The logger is the server itself. */
void logger_write(struct logger *logger, enum log_level level, const char *message,
                  const struct log_field *fields, size_t field_count)
{
    struct db *db = (struct db *)(void *)logger;
    if (level == LOG_LEVEL_WARN)
        db->warnings++;
    for (size_t i = 0; i < field_count; i++) {
        if (strcmp(message, "statement for your DBA") == 0 &&
            strcmp(fields[i].key, "statement") == 0)
            keep_text(&db->for_dba, fields[i].text);
    }
}

/* ---- the tests -------------------------------------------------------------------------------- */

/* With tables as another program makes them. */
static int set_up(void **state)
{
    struct db *db = test_calloc(1, sizeof(*db));
    db->connected = true;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        db->tables[i] = (struct fake_table){.exists = true, .duplicates = true};
    *state = db;
    return 0;
}

static void forget(struct db *db)
{
    forget_texts(&db->executed);
    forget_texts(&db->for_dba);
    db->statements = 0;
    db->warnings = 0;
    db->fail_count = 0;
}

static int tear_down(void **state)
{
    forget(*state);
    test_free(*state);
    return 0;
}

static enum error_code run(struct db *db, struct db_error *err)
{
    *err = NO_FAILURE;
    return migrate_run(db, (struct logger *)(void *)db, err);
}

static void assert_complete(const struct db *db)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        const struct fake_table *table = &db->tables[i];
        assert_true(table->exists && table->whole && table->unique && table->indexed);
        assert_false(table->helper);
    }
    assert_true(db->has_record && db->has_version);
    assert_false(db->locked);
}

static void assert_runs_to_the_end(struct db *db)
{
    struct db_error err;
    forget(db);
    db->connected = true;
    if (run(db, &err) != ERROR_NONE)
        fail_msg("%s", err.error.text);
    assert_complete(db);
}

static void test_nothing_is_executed_where_nothing_is_to_do(void **state)
{
    struct db *db = *state;
    assert_runs_to_the_end(db);
    assert_true(db->executed.count > 0);
    assert_runs_to_the_end(db);
    assert_int_equal(db->executed.count, 0);
    assert_int_equal(db->statements, SCHEMA_QUESTIONS);
}

static void test_empty_database(void **state)
{
    struct db *db = *state;
    memset(db->tables, 0, sizeof(db->tables));
    assert_runs_to_the_end(db);
}

static void test_rows_are_changed_slice_by_slice(void **state)
{
    struct db *db = *state;
    db->slices = 2;
    assert_runs_to_the_end(db);
    static const char *const ends[] = {
        " AND `old`.`id` <= 10",
        " AND `old`.`id` > 10 AND `old`.`id` <= 20",
        " AND `old`.`id` > 20",
    };
    size_t slices = 0;
    for (size_t i = 0; i < db->executed.count; i++) {
        const char *sql = db->executed.text[i];
        if (strncmp(sql, "DELETE", 6) != 0 && strncmp(sql, "UPDATE", 6) != 0)
            continue;
        const char *end = ends[slices++ % 3];
        assert_true(strlen(sql) > strlen(end));
        assert_string_equal(sql + strlen(sql) - strlen(end), end);
    }
    assert_int_equal(slices, 3 * 4 * TABLE_COUNT);
}

static void test_lock_that_is_taken_is_waited_for(void **state)
{
    struct db *db = *state;
    struct db_error err;
    db->lock_is_taken = true;
    assert_int_equal(run(db, &err), ERROR_AGAIN);
    assert_int_equal(err.class, DBERROR_WAIT);
    assert_int_equal(db->executed.count, 0);
    db->lock_is_taken = false;
    assert_runs_to_the_end(db);
}

static unsigned statements_of_a_whole_run(void)
{
    void *state;
    set_up(&state);
    struct db *db = state;
    struct db_error err;
    assert_int_equal(run(db, &err), ERROR_NONE);
    unsigned statements = db->statements;
    tear_down(&state);
    return statements;
}

/* Wherever the connection is lost or the server has no room, that is said, and the next run goes on
 * from there. */
static void test_failure_at_each_statement(void **state)
{
    static const enum dberror_class classes[] = {DBERROR_RECONNECT, DBERROR_WAIT,
                                                 DBERROR_ELSEWHERE};
    unsigned statements = statements_of_a_whole_run();
    (void)state;
    for (unsigned i = 0; i < 3 * statements; i++) {
        void *own;
        set_up(&own);
        struct db *db = own;
        struct db_error err;
        db->fail_from = i / 3 + 1;
        db->fail_count = 1;
        db->failure.class = classes[i % 3];
        assert_int_equal(run(db, &err), ERROR_AGAIN);
        assert_int_equal(err.class, classes[i % 3]);
        assert_int_equal(db->for_dba.count, 0);
        assert_false(db->locked);
        assert_runs_to_the_end(db);
        tear_down(&own);
    }
}

static bool is_step(const char *sql)
{
    static const char *const words[] = {"CREATE", "ALTER", "UPDATE", "DELETE", "INSERT"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strncmp(sql, words[i], strlen(words[i])) == 0)
            return true;
    }
    return false;
}

static void test_step_that_loses_a_deadlock_is_tried_again(void **state)
{
    unsigned statements = statements_of_a_whole_run(), steps = 0;
    (void)state;
    for (unsigned i = 1; i <= statements; i++) {
        void *own;
        set_up(&own);
        struct db *db = own;
        struct db_error err;
        db->fail_from = i;
        db->fail_count = 1;
        db->failure.class = DBERROR_RETRY;
        enum error_code code = run(db, &err);
        if (is_step(db->failed)) {
            assert_int_equal(code, ERROR_NONE);
            assert_complete(db);
            steps++;
        }
        assert_runs_to_the_end(db);
        tear_down(&own);
    }
    assert_int_equal(steps, 2 + 7 * TABLE_COUNT);
}

static void test_step_that_loses_every_deadlock_waits(void **state)
{
    struct db *db = *state;
    struct db_error err;
    db->fail_from = 1;
    db->fail_count = ALWAYS;
    db->fail_only = "ALTER TABLE `job_info`";
    db->failure.class = DBERROR_RETRY;
    assert_int_equal(run(db, &err), ERROR_AGAIN);
    assert_int_equal(err.class, DBERROR_WAIT);
    assert_non_null(strstr(err.error.text, "job_info"));
    assert_int_equal(db->for_dba.count, 0);
    assert_false(db->locked);
    assert_runs_to_the_end(db);
}

static void test_somebody_writes_duplicates_meanwhile(void **state)
{
    struct db *db = *state;
    db->writers = 2;
    assert_runs_to_the_end(db);
    assert_int_equal(db->for_dba.count, 0);
}

static void test_somebody_writes_duplicates_all_the_time(void **state)
{
    struct db *db = *state;
    struct db_error err;
    db->writers = ALWAYS;
    assert_int_equal(run(db, &err), ERROR_OPERATOR);
    assert_int_equal(err.class, DBERROR_OPERATOR);
    assert_false(db->locked);
    db->writers = 0;
    assert_runs_to_the_end(db);
}

/* The statements that an account without the right gets are those that one with it executes. */
static void test_without_the_right_a_dba_gets_all_statements(void **state)
{
    struct db *db = *state;
    struct db_error err;
    assert_runs_to_the_end(db);
    void *own;
    set_up(&own);
    struct db *poor = own;
    poor->fail_from = 1;
    poor->fail_count = ALWAYS;
    poor->fail_only = " TABLE "; /* CREATE and ALTER */
    poor->failure = NO_PRIVILEGE;
    assert_int_equal(run(poor, &err), ERROR_OPERATOR);
    assert_int_equal(err.class, DBERROR_OPERATOR);
    assert_non_null(strstr(err.error.text, "DBA"));
    assert_string_equal(poor->for_dba.text[0], "USE `kubedl`");
    assert_non_null(strstr(poor->for_dba.text[1], "SET SESSION sql_mode"));
    size_t given = 2;
    for (size_t i = 0; i < db->executed.count; i++) {
        if (is_step(db->executed.text[i]))
            assert_string_equal(db->executed.text[i], poor->for_dba.text[given++]);
    }
    assert_int_equal(given, poor->for_dba.count);
    assert_runs_to_the_end(poor);
    tear_down(&own);
}

static void test_only_what_is_left_is_given_to_a_dba(void **state)
{
    struct db *db = *state;
    struct db_error err;
    db->fail_from = 1;
    db->fail_count = ALWAYS;
    db->fail_only = "ALTER TABLE `replica_info`";
    db->failure = NO_PRIVILEGE;
    assert_int_equal(run(db, &err), ERROR_OPERATOR);
    for (size_t i = 0; i < db->for_dba.count; i++)
        assert_null(strstr(db->for_dba.text[i], "ALTER TABLE `job_info`"));
    assert_true(db->tables[0].unique);
}

static void test_rows_can_be_written_without_what_is_only_useful(void **state)
{
    struct db *db = *state;
    struct db_error err;
    assert_runs_to_the_end(db);
    forget(db);
    db->tables[1].indexed = false;
    db->fail_from = 1;
    db->fail_count = ALWAYS;
    db->fail_only = "ALTER";
    db->failure = NO_PRIVILEGE;
    assert_int_equal(run(db, &err), ERROR_NONE);
    assert_int_equal(db->warnings, 1);
    assert_int_equal(db->for_dba.count, 3);
    assert_false(db->locked);
    assert_true(db->connected);
}

/* The required steps were done before. */
static void test_rows_can_be_written_once_the_unique_keys_are_there(void **state)
{
    struct db *db = *state;
    struct db_error err;
    db->fail_from = 1;
    db->fail_count = ALWAYS;
    db->fail_only = "`replica_info` ADD INDEX idx";
    db->failure = NO_PRIVILEGE;
    assert_int_equal(run(db, &err), ERROR_NONE);
    assert_int_equal(db->warnings, 1);
    /* The session's two, the rows' three for each table, the indexes, the record. */
    assert_int_equal(db->for_dba.count, 10);
}

/* Be it that the first step is refused: of both tables, all that rows need is done. */
static void test_what_is_only_useful_does_not_hold_up_what_rows_need(void **state)
{
    struct db *db = *state;
    struct db_error err;
    db->fail_from = 1;
    db->fail_count = ALWAYS;
    db->fail_only = "ADD INDEX";
    db->failure = (struct db_error){.class = DBERROR_OPERATOR, .number = 1071};
    assert_int_equal(run(db, &err), ERROR_NONE);
    for (size_t i = 0; i < TABLE_COUNT; i++)
        assert_true(db->tables[i].whole && db->tables[i].unique && !db->tables[i].indexed);
    assert_int_equal(db->warnings, 1);
}

static void test_only_a_lack_of_rights_is_laid_to_rights(void **state)
{
    struct db *db = *state;
    struct db_error err;
    db->fail_from = 1;
    db->fail_count = ALWAYS;
    db->fail_only = "ADD UNIQUE";
    db->failure = (struct db_error){.class = DBERROR_OPERATOR, .number = 1071};
    assert_int_equal(run(db, &err), ERROR_OPERATOR);
    assert_null(strstr(err.error.text, "rights"));
    assert_non_null(strstr(err.error.text, "DBA"));
}

static void test_somebody_drops_a_unique_key(void **state)
{
    struct db *db = *state;
    struct db_error err;
    bool required = true;
    assert_runs_to_the_end(db);
    assert_int_equal(migrate_is_required(db, tables, &required, &err), ERROR_NONE);
    assert_false(required);
    db->tables[0].indexed = false;
    assert_int_equal(migrate_is_required(db, tables, &required, &err), ERROR_NONE);
    assert_false(required);
    db->tables[0].unique = false;
    assert_int_equal(migrate_is_required(db, tables, &required, &err), ERROR_NONE);
    assert_true(required);
}

static void test_server_that_does_not_do_what_it_takes_is_not_asked_for_ever(void **state)
{
    struct db *db = *state;
    struct db_error err;
    db->lies = true;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        db->tables[i].duplicates = false;
    assert_int_equal(run(db, &err), ERROR_OPERATOR);
    assert_non_null(strstr(err.error.text, "did not do them"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_is_executed_where_nothing_is_to_do),
        TEST(test_empty_database),
        TEST(test_rows_are_changed_slice_by_slice),
        TEST(test_lock_that_is_taken_is_waited_for),
        TEST(test_failure_at_each_statement),
        TEST(test_step_that_loses_a_deadlock_is_tried_again),
        TEST(test_step_that_loses_every_deadlock_waits),
        TEST(test_somebody_writes_duplicates_meanwhile),
        TEST(test_somebody_writes_duplicates_all_the_time),
        TEST(test_without_the_right_a_dba_gets_all_statements),
        TEST(test_only_what_is_left_is_given_to_a_dba),
        TEST(test_rows_can_be_written_without_what_is_only_useful),
        TEST(test_rows_can_be_written_once_the_unique_keys_are_there),
        TEST(test_what_is_only_useful_does_not_hold_up_what_rows_need),
        TEST(test_only_a_lack_of_rights_is_laid_to_rights),
        TEST(test_somebody_drops_a_unique_key),
        TEST(test_server_that_does_not_do_what_it_takes_is_not_asked_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
