/* schema: what is asked, and what is understood of the answers of MariaDB and of MySQL. */
#include "lib/sql/schema.h"
#include "test/support/thing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct table *const things[] = {&table_thing, NULL};

static int set_up(void **state)
{
    *state = schema_new(things);
    return *state == NULL;
}

static int tear_down(void **state)
{
    schema_free(*state);
    return 0;
}

/* Feeds one row; NULL is SQL's NULL. */
static enum error_code tell(struct schema *schema, enum schema_question question,
                            const char *const *row, size_t count)
{
    struct text values[16] = {{NULL, 0}};
    struct error err;
    assert_true(count <= 16);
    for (size_t i = 0; i < count; i++) {
        if (row[i] != NULL)
            values[i] = text_from(row[i]);
    }
    return schema_answer(schema, question, values, count, &err);
}

#define TELL(schema, question, ...)                                                                \
    assert_int_equal(tell(schema, question, (const char *const[]){__VA_ARGS__},                    \
                          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)),            \
                     ERROR_NONE)

/* table, name, data type, type, nullable, size, collation, default, extra */
#define COLUMN(schema, ...) TELL(schema, SCHEMA_COLUMNS, "thing", __VA_ARGS__)

/* table, index, position, column, part, 1 if it is not unique */
#define INDEX(schema, ...) TELL(schema, SCHEMA_INDEXES, "thing", __VA_ARGS__)

static void test_questions_name_every_table(void **state)
{
    struct schema *schema = *state;
    struct buffer out;
    buffer_init(&out, 65536);
    assert_true(schema_ask(schema, SCHEMA_TABLES, &out));
    assert_string_equal(buffer_cstring(&out),
                        "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, ROW_FORMAT, CREATE_OPTIONS FROM "
                        "information_schema.TABLES"
                        " WHERE TABLE_SCHEMA = DATABASE()"
                        " AND TABLE_NAME IN ('kubedl_shipper_schema', 'thing')");
    buffer_fini(&out);
}

static void test_record_is_asked_for_only_where_there_is_one(void **state)
{
    struct schema *schema = *state;
    struct buffer out;
    buffer_init(&out, 65536);
    assert_false(schema_ask(schema, SCHEMA_RECORD, &out));
    TELL(schema, SCHEMA_TABLES, "kubedl_shipper_schema", "BASE TABLE", "InnoDB", "Dynamic", "");
    assert_true(schema_ask(schema, SCHEMA_RECORD, &out));
    buffer_fini(&out);
}

static void test_record(void **state)
{
    struct schema *schema = *state;
    TELL(schema, SCHEMA_RECORD, "7", "3");
    assert_int_equal(schema->version, 7);
    assert_int_equal(schema->oldest_writer, 3);
    TELL(schema, SCHEMA_RECORD, NULL, NULL); /* an empty table */
    assert_int_equal(schema->version, 0);
    assert_int_equal(schema->oldest_writer, 0);
}

static void test_tables(void **state)
{
    struct schema *schema = *state;
    TELL(schema, SCHEMA_TABLES, "other", "BASE TABLE", "MyISAM", "Dynamic", "");
    assert_false(schema->tables[0].exists);
    TELL(schema, SCHEMA_TABLES, "THING", "BASE TABLE", "InnoDB", "Dynamic", "");
    assert_true(schema->tables[0].exists);
    assert_false(schema->tables[0].is_view);
    assert_false(schema->tables[0].loses_writes);
    TELL(schema, SCHEMA_TABLES, "thing", "BASE TABLE", "Aria", "Dynamic", "");
    assert_true(schema->tables[0].loses_writes);
    assert_false(schema->tables[0].has_short_keys);
    TELL(schema, SCHEMA_TABLES, "thing", "BASE TABLE", "InnoDB", "Redundant", "partitioned");
    assert_true(schema->tables[0].has_short_keys);
    assert_true(schema->tables[0].is_partitioned);
    TELL(schema, SCHEMA_TABLES, "thing", "BASE TABLE", "InnoDB", "Compressed",
         "row_format=COMPRESSED");
    assert_false(schema->tables[0].has_short_keys);
    assert_true(schema->tables[0].is_compressed);
    TELL(schema, SCHEMA_TABLES, "thing", "VIEW", NULL, "Dynamic", "");
    assert_true(schema->tables[0].is_view);
}

static void test_types_of_columns(void **state)
{
    struct schema *schema = *state;
    static const struct {
        const char *data_type, *full, *size_text;
        enum schema_type type;
        uint64_t size;
    } cases[] = {
        {"varchar", "varchar(128)", "128", SCHEMA_VARCHAR, 128},
        {"char", "char(36)", "36", SCHEMA_VARCHAR, 36},
        {"tinytext", "tinytext", "255", SCHEMA_TEXT, 255},
        {"text", "text", "65535", SCHEMA_TEXT, 65535},
        {"longtext", "longtext", "4294967295", SCHEMA_TEXT, 4294967295},
        {"tinyint", "tinyint(4)", NULL, SCHEMA_INTEGER, 0},
        {"bigint", "bigint unsigned", NULL, SCHEMA_INTEGER, 0},
        {"datetime", "datetime(6)", NULL, SCHEMA_DATETIME, 0},
        {"timestamp", "timestamp", NULL, SCHEMA_OTHER, 0},
        {"varbinary", "varbinary(64)", "64", SCHEMA_OTHER, 64},
        {"enum", "enum('a','b')", "1", SCHEMA_OTHER, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        COLUMN(schema, "owner", cases[i].data_type, cases[i].full, "YES", cases[i].size_text,
               "utf8mb4_bin", NULL, "");
        const struct schema_column *column = &schema->tables[0].columns[THING_OWNER];
        assert_true(column->exists);
        assert_true(column->nullable);
        assert_int_equal(column->type, cases[i].type);
        assert_string_equal(column->type_text, cases[i].full);
        assert_string_equal(column->collation, "utf8mb4_bin");
        assert_int_equal(column->size, cases[i].size);
    }
}

static void test_defaults_as_both_servers_say_them(void **state)
{
    struct schema *schema = *state;
    static const struct {
        const char *text;
        bool has_default;
    } cases[] = {{NULL, false}, {"NULL", false}, {"''", true}, {"", true}, {"'x'", true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        COLUMN(schema, "owner", "varchar", "varchar(16)", "YES", "16", "utf8mb4_bin", cases[i].text,
               "");
        assert_int_equal(schema->tables[0].columns[THING_OWNER].has_default, cases[i].has_default);
    }
}

static void test_column_names_are_found_in_any_case(void **state)
{
    struct schema *schema = *state;
    COLUMN(schema, "ID", "bigint", "bigint(20)", "NO", NULL, NULL, NULL, "auto_increment");
    COLUMN(schema, "Uid", "varchar", "varchar(16)", "NO", "16", "ascii_bin", NULL, "");
    assert_true(schema->tables[0].id.counts);
    assert_true(schema->tables[0].id.big);
    assert_true(schema->tables[0].columns[THING_UID].exists);
    assert_false(schema->tables[0].columns[THING_UID].nullable);
    assert_string_equal(schema->tables[0].stranger, "");
}

static void test_stranger_is_what_every_insert_must_name(void **state)
{
    struct schema *schema = *state;
    const char *stranger = schema->tables[0].stranger;
    COLUMN(schema, "nullable", "int", "int(11)", "YES", NULL, NULL, NULL, "");
    COLUMN(schema, "defaulted", "int", "int(11)", "NO", NULL, NULL, "0", "");
    COLUMN(schema, "counter", "int", "int(11)", "NO", NULL, NULL, NULL, "auto_increment");
    COLUMN(schema, "generated", "int", "int(11)", "NO", NULL, NULL, NULL, "STORED GENERATED");
    TELL(schema, SCHEMA_COLUMNS, "other", "needed", "int", "int", "NO", NULL, NULL, NULL, "");
    assert_string_equal(stranger, "");
    COLUMN(schema, "needed", "int", "int(11)", "NO", NULL, NULL, NULL, "");
    assert_string_equal(stranger, "needed");
}

static void test_long_names_are_cut(void **state)
{
    struct schema *schema = *state;
    char name[300];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    COLUMN(schema, name, "enum", name, "NO", NULL, name, NULL, "");
    assert_int_equal(strlen(schema->tables[0].stranger), SCHEMA_NAME_SIZE - 1);
    name[SCHEMA_NAME_SIZE] = '\0';
    COLUMN(schema, name, "enum", name, "NO", NULL, name, NULL, "");
    assert_int_equal(strlen(schema->tables[0].stranger), SCHEMA_NAME_SIZE - 1);
    INDEX(schema, name, "1", name, NULL, "1");
    INDEX(schema, name, "2", "owner", NULL, "1");
    assert_int_equal(strlen(schema->tables[0].indexes[0].name), SCHEMA_NAME_SIZE - 1);
    assert_true(strlen(schema->tables[0].indexes[0].columns) <
                sizeof(schema->tables[0].indexes[0].columns));
}

static void test_index_is_found_by_its_first_columns(void **state)
{
    struct schema *schema = *state;
    const struct schema_table *there = &schema->tables[0];
    INDEX(schema, "PRIMARY", "1", "id", NULL, "0");
    INDEX(schema, "some", "1", "Owner", NULL, "1");
    INDEX(schema, "some", "2", "created", NULL, "1");
    INDEX(schema, "part", "1", "region", "10", "1");
    INDEX(schema, "part", "2", "created", NULL, "1");
    assert_int_equal(there->index_count, 3);
    assert_true(schema_has_index(there, "owner"));
    assert_true(schema_has_index(there, "owner, created"));
    assert_false(schema_has_index(there, "owner, created, uid"));
    assert_false(schema_has_index(there, "own"));
    assert_false(schema_has_index(there, "created"));
    assert_false(schema_has_index(there, "region"));
}

static void test_uid_is_unique_only_by_itself_and_as_a_whole(void **state)
{
    struct schema *schema = *state;
    const struct schema_table *there = &schema->tables[0];
    INDEX(schema, "plain", "1", "uid", NULL, "1");
    INDEX(schema, "two", "1", "uid", NULL, "0");
    INDEX(schema, "two", "2", "owner", NULL, "0");
    INDEX(schema, "part", "1", "uid", "4", "0");
    assert_false(schema_uid_is_unique(there));
    INDEX(schema, "uk", "1", "uid", NULL, "0");
    assert_true(schema_uid_is_unique(there));
}

/* Two objects can collide in the others. */
static void test_unique_keys_that_hold_uid_or_id(void **state)
{
    struct schema *schema = *state;
    const struct schema_index *indexes = schema->tables[0].indexes;
    INDEX(schema, "a", "1", "owner", NULL, "0");
    INDEX(schema, "a", "2", "UID", NULL, "0");
    INDEX(schema, "b", "1", "id", NULL, "0");
    INDEX(schema, "c", "1", "uid", "4", "0");
    INDEX(schema, "d", "1", NULL, NULL, "0"); /* an expression */
    INDEX(schema, "e", "1", "owner", NULL, "1");
    static const bool holds[] = {true, true, false, false, false};
    static const bool unique[] = {true, true, true, true, false};
    for (size_t i = 0; i < sizeof(holds) / sizeof(holds[0]); i++) {
        assert_int_equal(indexes[i].holds_uid, holds[i]);
        assert_int_equal(indexes[i].unique, unique[i]);
    }
}

static void test_more_indexes_than_any_server_has_are_refused(void **state)
{
    struct schema *schema = *state;
    const char *const row[] = {"thing", "i", "1", "owner", NULL, "1"};
    for (size_t i = 0; i < SCHEMA_MAX_INDEXES; i++)
        assert_int_equal(tell(schema, SCHEMA_INDEXES, row, 6), ERROR_NONE);
    assert_int_equal(tell(schema, SCHEMA_INDEXES, row, 6), ERROR_FULL);
}

static void test_answers_of_another_form_are_refused(void **state)
{
    struct schema *schema = *state;
    const char *const row[] = {"thing", "i", "2", "owner", NULL, "1", "more"};
    assert_int_equal(tell(schema, SCHEMA_INDEXES, row, 6), ERROR_INPUT); /* no first column */
    assert_int_equal(tell(schema, SCHEMA_INDEXES, row, 7), ERROR_INPUT);
    assert_int_equal(tell(schema, SCHEMA_TABLES, row, 2), ERROR_INPUT);
    assert_int_equal(tell(schema, SCHEMA_COLUMNS, row, 6), ERROR_INPUT);
    assert_int_equal(tell(schema, SCHEMA_RECORD, row, 1), ERROR_INPUT);
}

static void test_null_everywhere_is_survived(void **state)
{
    struct schema *schema = *state;
    const char *const nulls[16] = {NULL};
    const char *const row[16] = {"thing"};
    static const size_t counts[SCHEMA_QUESTIONS] = {5, 9, 6, 2};
    for (unsigned question = 0; question < SCHEMA_QUESTIONS; question++) {
        assert_int_equal(tell(schema, (enum schema_question)question, nulls, counts[question]),
                         ERROR_NONE);
        (void)tell(schema, (enum schema_question)question, row, counts[question]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_questions_name_every_table),
        TEST(test_record_is_asked_for_only_where_there_is_one),
        TEST(test_record),
        TEST(test_tables),
        TEST(test_types_of_columns),
        TEST(test_defaults_as_both_servers_say_them),
        TEST(test_column_names_are_found_in_any_case),
        TEST(test_stranger_is_what_every_insert_must_name),
        TEST(test_long_names_are_cut),
        TEST(test_index_is_found_by_its_first_columns),
        TEST(test_uid_is_unique_only_by_itself_and_as_a_whole),
        TEST(test_unique_keys_that_hold_uid_or_id),
        TEST(test_more_indexes_than_any_server_has_are_refused),
        TEST(test_answers_of_another_form_are_refused),
        TEST(test_null_everywhere_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
