/* sql: the statements, letter by letter for a small table, and what holds for every table. */
#include "lib/sql/sql.h"
#include "test/support/thing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
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
        {"a", COLUMN_TEXT, VARCHAR_MAX_CHARS, MERGE_NEWEST, NULL},
        {"b", COLUMN_TEXT, VARCHAR_MAX_CHARS + 1, MERGE_NEWEST, NULL},
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
    assert_sql(&out,
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
               " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci");
}

/* The words of the rules, with what comes and what is there as the two statements name them. */
#define NEWER(new, old)                                                                            \
    "(CHAR_LENGTH(" new ") > CHAR_LENGTH(COALESCE(" old ", ''))"                                   \
                        " OR (CHAR_LENGTH(" new ") = CHAR_LENGTH(" old ") AND " new " > " old "))"
#define SAYS(version, stated)                                                                      \
    NEWER("COALESCE(" stated ", " version ")", "COALESCE(`stated`, `version`)")
#define ON_TOP(version, stated)                                                                    \
    "(" NEWER(version, "`version`") " OR (" version                                                \
                                    " = `version` AND `stated` IS NOT NULL AND " stated            \
                                    " IS NULL))"
#define CLOSED(version, stated)                                                                    \
    "CASE WHEN " ON_TOP(version, stated) " THEN " stated " ELSE `stated` END IS NOT NULL"
#define CHOICE(condition, new, old) "CASE WHEN " condition " THEN " new " ELSE " old " END"

/* All assignments, one line for each rule. gmt_created and gmt_modified, which the start and the end
 * look at, and the two versions, which all look at, come last. NEW(column): what comes. */
#define ASSIGNMENTS(NEW, S, G, C)                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      \
    " `deleted` = " CHOICE(G, NEW("deleted"), "`deleted`") ", `ended` = COALESCE(" CHOICE(                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             \
        S,                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             \
        CHOICE(NEW("stated") " IS NOT NULL AND " NEW("ended") " = " NEW("modified"), "NULL",                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           \
               NEW("ended")),                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          \
        CHOICE(                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        \
            "`stated` IS NOT NULL AND `ended` = `modified`",                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           \
            "NULL", "`ended`")) ", CASE WHEN " C                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       \
                                " THEN " CHOICE(                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       \
                                    G,                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                 \
                                    NEW("modified"), "`modified`") " END)"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             \
                                                                   ", `status` = " CHOICE(                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             \
                                                                       C " AND COALESCE(" CHOICE(                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      \
                                                                           S, NEW("status"),                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           \
                                                                           "`status`") ", '') "                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        \
                                                                                       "NOT IN "                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       \
                                                                                       "('"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            \
                                                                                       "Succeeded"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                     \
                                                                                       "', "                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           \
                                                                                       "'Failed'"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      \
                                                                                       ")",                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            \
                                                                       "'Stopped'",                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    \
                                                                       CHOICE(S, NEW("status"),                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        \
                                                                              "`status`")) ", "                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        \
                                                                                           "`regi"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                     \
                                                                                           "on` "                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      \
                                                                                           "="                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                         \
                                                                                           " " CHOICE(NEWER(NEW("region_at"),                                                                                                                                                                                                                                                                                                                                                                                                                                                                          \
                                                                                                            "`region_at`"),                                                                                                                                                                                                                                                                                                                                                                                                                                                                            \
                                                                                                      NEW("region"),                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   \
                                                                                                      "`region`") ", `region_at` = " CHOICE(NEWER(NEW("region_at"), "`region_at`"), NEW("region_at"), "`region_at`") ", `begun` = " CHOICE(NEW("begun") " IS NOT NULL AND (`begun` IS NULL OR `begun` = `created` OR (" NEW("begun") " < `begun` AND (" NEW("created") " IS NULL OR " NEW("begun") " <> " NEW("created") ")))",                                                                                                                                                                        \
                                                                                                                                                                                                                                           NEW("begun"), "`begun`") ", `owner` = " CHOICE(S,                                                                                                                                                                                                                                                                                                           \
                                                                                                                                                                                                                                                                                          NEW("owner"), "`owner`") ", `remark` = " CHOICE(S, NEW("remark"), "`remark`") ", `created` = " CHOICE(S,                                                                                                                                                                                                     \
                                                                                                                                                                                                                                                                                                                                                                                                "COALESCE(" NEW(                                                                                                                                                                                       \
                                                                                                                                                                                                                                                                                                                                                                                                    "created") ", `created`)",                                                                                                                                                                         \
                                                                                                                                                                                                                                                                                                                                                                                                "COALESCE(`created`, " NEW(                                                                                                                                                                            \
                                                                                                                                                                                                                                                                                                                                                                                                    "created") ")") ", `modified` = " CHOICE(G, NEW("modified"), "`modified`") ", `stated` = CASE WHEN " C                                                                                             \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                               " THEN " CHOICE(                                                                                                        \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   S, "COALESCE(" NEW("stated") ", " NEW("version") ")", "COALESCE(`stated`, `version`, '')") " END"                   \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                              ", `version` = " CHOICE( \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  NEWER(               \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      NEW("version"),  \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      "`version`"),    \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  NEW("version"),      \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  "`version`")

#define VALUES(column)      "VALUES(`" column "`)"
#define PLACEHOLDER(column) "?"
#define OF_UPSERT           "VALUES(`version`)", "VALUES(`stated`)"
#define OF_UPDATE           "?", "?"
#define APPLY(macro, ...)   macro(__VA_ARGS__)

static void test_upsert(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, LIMIT);
    sql_upsert(&out, &table_thing, 2);
    assert_sql(&out,
               "INSERT INTO `thing` (`version`, `stated`, `modified`, `deleted`, `ended`, `uid`,"
               " `status`, `region`, `region_at`, `begun`, `owner`, `remark`, `created`)"
               " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?),"
               " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
               " ON DUPLICATE KEY UPDATE" ASSIGNMENTS(VALUES, APPLY(SAYS, OF_UPSERT),
                                                      APPLY(ON_TOP, OF_UPSERT),
                                                      APPLY(CLOSED, OF_UPSERT)));
}

static void test_update(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, LIMIT);
    sql_update(&out, &table_thing);
    assert_sql(&out, "UPDATE `thing` SET" ASSIGNMENTS(PLACEHOLDER, APPLY(SAYS, OF_UPDATE),
                                                      APPLY(ON_TOP, OF_UPDATE),
                                                      APPLY(CLOSED, OF_UPDATE)) " WHERE `uid` = ?");
}

/* The first placeholders of test_update, from left to right, and the last one. */
static void test_update_params_are_those_of_the_text(void **state)
{
    (void)state;
    static const size_t expected[] = {
        THING_VERSION, THING_VERSION, THING_VERSION,  THING_VERSION, THING_STATED, /* $G */
        THING_DELETED, THING_STATED,  THING_VERSION,  THING_STATED,  THING_VERSION,
        THING_STATED,  THING_VERSION, /* $S */
        THING_STATED,  THING_ENDED,   THING_MODIFIED, THING_ENDED,
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_int_equal(sql_update_param(&table_thing, i), expected[i]);
    size_t count = sql_update_params(&table_thing);
    assert_int_equal(sql_update_param(&table_thing, count - 1), THING_UID);
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
        sql_update(&out, *table);
        assert_int_equal(count_placeholders(&out), sql_update_params(*table));
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
    sql_update(&out, &table_job);
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
        assert_int_equal(listed, table_status_is_final(statuses[i], strlen(statuses[i])));
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
    sql_update(&out, &table_job);
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
