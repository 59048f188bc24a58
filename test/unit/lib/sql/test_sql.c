/* sql: the statements for a small table, and what holds for every table. */
#include "lib/sql/sql.h"
#include "test/support/thing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIMIT (1U << 20)

/* Compares, frees, and leaves the buffer ready for the next text. */
static void assert_sql(struct buffer *out, const char *expected)
{
    const char *text = buffer_cstring(out);
    assert_non_null(text);
    assert_string_equal(text, expected);
    buffer_fini(out);
}

static size_t count_placeholders(const struct buffer *out)
{
    struct text text = buffer_text(out);
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++)
        count += text.data[i] == '?';
    return count;
}

static void test_column_types(void **state)
{
    (void)state;
    static const struct {
        size_t column;
        const char *type;
    } cases[] = {
        {THING_UID, "varchar(16) COLLATE ascii_bin NOT NULL"},
        {THING_VERSION, "varchar(8) COLLATE ascii_bin NULL DEFAULT NULL"},
        {THING_DELETED, "tinyint NULL DEFAULT NULL"},
        {THING_ENDED, "datetime NULL DEFAULT NULL"},
        {THING_OWNER, "varchar(16) COLLATE utf8mb4_general_ci NULL DEFAULT ''"},
        {THING_REGION, "varchar(64) COLLATE utf8mb4_general_ci NULL DEFAULT NULL"},
        {THING_REMARK, "text COLLATE utf8mb4_general_ci NULL DEFAULT NULL"},
    };
    struct buffer out;
    buffer_init(&out, LIMIT);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sql_column_type(&out, &table_thing, cases[i].column, NULL);
        assert_sql(&out, cases[i].type);
    }
}

/* As a varchar the longer one would not fit into any table. */
static void test_long_column_is_a_text(void **state)
{
    (void)state;
    static const struct column columns[] = {
        {"uid", COLUMN_KEY, 64, MERGE_SETTLED, NULL},
        {"a", COLUMN_TEXT, VARCHAR_MAX_CHARS, MERGE_EVENT, NULL},
        {"b", COLUMN_TEXT, VARCHAR_MAX_CHARS + 1, MERGE_EVENT, NULL},
    };
    static const struct table table = {.name = "t", .columns = columns, .column_count = 3};
    struct buffer out;
    buffer_init(&out, LIMIT);
    sql_column_type(&out, &table, 1, NULL);
    assert_sql(&out, "varchar(16383) COLLATE utf8mb4_general_ci NULL DEFAULT NULL");
    sql_column_type(&out, &table, 2, NULL);
    assert_sql(&out, "text COLLATE utf8mb4_general_ci NULL DEFAULT NULL");
}

static void test_column_keeps_what_it_is_told_to(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, LIMIT);
    struct sql_keep wider = {.type = "varchar(512)", .collation = "utf8mb4_bin"};
    sql_column_type(&out, &table_thing, THING_OWNER, &wider);
    assert_sql(&out, "varchar(512) COLLATE utf8mb4_bin NULL DEFAULT ''");
    struct sql_keep nullable = {.nullable = true};
    sql_column_type(&out, &table_thing, THING_UID, &nullable);
    assert_sql(&out, "varchar(16) COLLATE ascii_bin NULL DEFAULT NULL");
}

static void test_create_table(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, LIMIT);
    sql_create_table(&out, &table_thing);
    assert_sql(
        &out,
        "CREATE TABLE IF NOT EXISTS `thing` (`id` bigint unsigned NOT NULL AUTO_INCREMENT"
        ", `version` varchar(8) COLLATE ascii_bin NULL DEFAULT NULL"
        ", `stated` varchar(8) COLLATE ascii_bin NULL DEFAULT NULL"
        ", `modified` datetime NULL DEFAULT NULL"
        ", `deleted` tinyint NULL DEFAULT NULL"
        ", `ended` datetime NULL DEFAULT NULL"
        ", `uid` varchar(16) COLLATE ascii_bin NOT NULL"
        ", `status` varchar(32) COLLATE utf8mb4_general_ci NULL DEFAULT NULL"
        ", `region` varchar(64) COLLATE utf8mb4_general_ci NULL DEFAULT NULL"
        ", `region_at` varchar(8) COLLATE ascii_bin NULL DEFAULT NULL"
        ", `begun` datetime NULL DEFAULT NULL"
        ", `owner` varchar(16) COLLATE utf8mb4_general_ci NULL DEFAULT ''"
        ", `remark` text COLLATE utf8mb4_general_ci NULL DEFAULT NULL"
        ", `created` datetime NULL DEFAULT NULL"
        ", PRIMARY KEY (`id`), UNIQUE KEY uk_uid (`uid`), KEY idx_created (created)"
        ", KEY idx_owner_created (owner, created))"
        " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci");
}

#define NEWER(new, old)                                                                            \
    "((LENGTH(" new ") = LENGTH(" old ") AND " new " > " old ")"                                   \
                                                   " OR LENGTH(" new ") > LENGTH(COALESCE(" old    \
                                                                     ", '')))"

/* Each column is assigned once, and what others look at behind them: what the rules do to rows is
 * merge_check's business. */
static void assert_order_of_assignments(const char *assignments, const char *end)
{
    static const size_t order[] = {
        THING_ENDED,  THING_STATUS,  THING_REGION,   THING_REGION_AT, THING_BEGUN,  THING_OWNER,
        THING_REMARK, THING_CREATED, THING_MODIFIED, THING_DELETED,   THING_STATED, THING_VERSION,
    };
    const char *at = assignments;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        char assignment[32];
        snprintf(assignment, sizeof(assignment), "%s`%s` = CASE ", i == 0 ? "" : ", ",
                 table_thing.columns[order[i]].name);
        if (order[i] == THING_ENDED)
            strcpy(assignment, "`ended` = COALESCE(CASE ");
        const char *found = strstr(at, assignment);
        assert_non_null(found);
        if (i == 0)
            assert_ptr_equal(found, assignments);
        assert_null(strstr(found + 1, assignment));
        at = found;
    }
    assert_string_equal(at, end);
}

static void test_upsert(void **state)
{
    (void)state;
    static const char before[] =
        "INSERT INTO `thing` (`version`, `stated`, `modified`, `deleted`, `ended`, `uid`,"
        " `status`, `region`, `region_at`, `begun`, `owner`, `remark`, `created`)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON DUPLICATE KEY UPDATE ";
    struct buffer out;
    buffer_init(&out, LIMIT);
    sql_upsert(&out, &table_thing, 2);
    const char *text = buffer_cstring(&out);
    assert_non_null(text);
    assert_memory_equal(text, before, strlen(before));
    assert_order_of_assignments(
        text + strlen(before),
        ", `version` = CASE WHEN " NEWER("VALUES(`version`)",
                                         "`version`") " THEN VALUES(`version`) ELSE `version` END");
    buffer_fini(&out);
}

static void test_update(void **state)
{
    (void)state;
    static const char before[] = "UPDATE `thing` SET ";
    struct buffer out;
    buffer_init(&out, LIMIT);
    (void)sql_update(&out, &table_thing, NULL);
    const char *text = buffer_cstring(&out);
    assert_non_null(text);
    assert_memory_equal(text, before, strlen(before));
    assert_order_of_assignments(text + strlen(before),
                                ", `version` = CASE WHEN " NEWER(
                                    "?", "`version`") " THEN ? ELSE `version` END WHERE `uid` = ?");
    buffer_fini(&out);
}

/* The last placeholders of test_update, from left to right. */
static void test_update_params_are_those_of_the_text(void **state)
{
    (void)state;
    static const size_t expected[] = {THING_VERSION, THING_VERSION, THING_VERSION, THING_VERSION,
                                      THING_UID};
    uint8_t columns[1024];
    size_t count = sql_update(NULL, &table_thing, NULL);
    assert_in_range(count, 1, sizeof(columns));
    assert_int_equal(sql_update(NULL, &table_thing, columns), count);
    size_t first = count - sizeof(expected) / sizeof(expected[0]);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_int_equal(columns[first + i], expected[i]);
    assert_int_equal(columns[0], THING_STATED); /* of the newer event */
}

static void test_placeholders_are_counted_right_for_every_table(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, LIMIT);
    for (const struct table *const *table = tables; *table != NULL; table++) {
        sql_upsert(&out, *table, 256);
        assert_false(out.failed);
        assert_int_equal(count_placeholders(&out), 256 * (*table)->column_count);
        buffer_reset(&out);
        size_t params = sql_update(&out, *table, NULL);
        assert_int_equal(count_placeholders(&out), params);
        buffer_reset(&out);
    }
    buffer_fini(&out);
}

/* The text names the final statuses, which otherwise only table.c does. */
static void test_a_closed_row_keeps_exactly_the_final_statuses(void **state)
{
    (void)state;
    static const char *const statuses[] = {"Created", "Queuing",    "Pending",
                                           "Running", "Restarting", "Succeeded",
                                           "Failed",  "Unknown",    "Stopped"};
    struct buffer out;
    buffer_init(&out, LIMIT);
    (void)sql_update(&out, &table_job, NULL);
    const char *text = buffer_cstring(&out);
    assert_non_null(text);
    const char *list = strstr(text, "NOT IN (");
    assert_non_null(list);
    const char *end = strchr(list + strlen("NOT IN ("), ')');
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        char quoted[32] = "'";
        strcat(strcat(quoted, statuses[i]), "'");
        const char *found = strstr(list, quoted);
        bool listed = found != NULL && found < end;
        assert_int_equal(listed, table_status_is_final(text_from(statuses[i])));
    }
    buffer_fini(&out);
}

static void test_full_buffer_is_noticed(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 100);
    sql_upsert(&out, &table_job, 1);
    assert_true(out.failed);
    buffer_reset(&out);
    (void)sql_update(&out, &table_job, NULL);
    assert_true(out.failed);
    buffer_reset(&out);
    sql_create_table(&out, &table_job);
    assert_true(out.failed);
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_column_types),
        cmocka_unit_test(test_long_column_is_a_text),
        cmocka_unit_test(test_column_keeps_what_it_is_told_to),
        cmocka_unit_test(test_create_table),
        cmocka_unit_test(test_upsert),
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_update_params_are_those_of_the_text),
        cmocka_unit_test(test_placeholders_are_counted_right_for_every_table),
        cmocka_unit_test(test_a_closed_row_keeps_exactly_the_final_statuses),
        cmocka_unit_test(test_full_buffer_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
