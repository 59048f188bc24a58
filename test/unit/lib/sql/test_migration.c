/* migration: from any state to the described one, in steps whose texts are compared letter by
 * letter where they matter. That servers do what the texts say is tested with servers. */
#include "lib/sql/migration.h"

#include "lib/base/log.h"
#include "test/support/thing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct table *const things[] = {&table_thing, NULL};

struct world {
    struct schema *schema;
    struct schema_table *there; /* the one table of it */
    struct migration migration;
};

static void add_index(struct schema_table *there, const char *name, const char *columns,
                      bool unique, bool holds_uid)
{
    struct schema_index *index = &there->indexes[there->index_count++];
    *index = (struct schema_index){.unique = unique, .holds_uid = holds_uid};
    snprintf(index->name, sizeof(index->name), "%s", name);
    snprintf(index->columns, sizeof(index->columns), "%s", columns);
}

static void set_column(struct schema_column *column, enum schema_type type, uint64_t size,
                       const char *text, const char *collation)
{
    *column = (struct schema_column){.exists = true, .nullable = true, .type = type, .size = size};
    snprintf(column->type_text, sizeof(column->type_text), "%s", text);
    snprintf(column->collation, sizeof(column->collation), "%s", collation);
}

static void set_columns_as_described(struct schema_table *there)
{
    struct schema_column *columns = there->columns;
    for (size_t i = 0; i < THING_COLUMN_COUNT; i++)
        set_column(&columns[i], SCHEMA_DATETIME, 0, "datetime", "");
    set_column(&columns[THING_VERSION], SCHEMA_VARCHAR, 8, "varchar(8)", "ascii_bin");
    set_column(&columns[THING_STATED], SCHEMA_VARCHAR, 8, "varchar(8)", "ascii_bin");
    set_column(&columns[THING_REGION_AT], SCHEMA_VARCHAR, 8, "varchar(8)", "ascii_bin");
    set_column(&columns[THING_DELETED], SCHEMA_INTEGER, 0, "tinyint(4)", "");
    set_column(&columns[THING_UID], SCHEMA_VARCHAR, 16, "varchar(16)", "ascii_bin");
    set_column(&columns[THING_STATUS], SCHEMA_VARCHAR, 32, "varchar(32)", "utf8mb4_general_ci");
    set_column(&columns[THING_REGION], SCHEMA_VARCHAR, 64, "varchar(64)", "utf8mb4_bin");
    set_column(&columns[THING_OWNER], SCHEMA_VARCHAR, 16, "varchar(16)", "utf8mb4_0900_ai_ci");
    set_column(&columns[THING_REMARK], SCHEMA_TEXT, 65535, "text", "utf8mb4_general_ci");
    columns[THING_UID].nullable = false;
    columns[THING_OWNER].has_default = true;
}

/* All is as it should be; each test then spoils what it is about. */
static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->schema = schema_new(things);
    assert_non_null(world->schema);
    struct schema_table *there = world->there = &world->schema->tables[0];
    there->exists = true;
    set_column(&there->id, SCHEMA_INTEGER, 0, "bigint(20) unsigned", "");
    there->id.counts = true;
    there->id.big = true;
    set_columns_as_described(there);
    add_index(there, "PRIMARY", "id,", true, true);
    add_index(there, "uk_uid", "uid,", true, true);
    add_index(there, "idx_created", "created,", false, false);
    add_index(there, "idx_owner_created", "owner,created,", false, false);
    world->schema->has_record = true;
    world->schema->version = MIGRATION_VERSION;
    world->schema->oldest_writer = MIGRATION_OLDEST_WRITER;
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    migration_fini(&world->migration);
    schema_free(world->schema);
    free(world);
    return 0;
}

static size_t plan(struct world *world)
{
    struct error err;
    migration_fini(&world->migration);
    if (migration_plan(world->schema, false, &world->migration, &err) != ERROR_NONE)
        fail_msg("%s", err.text);
    return world->migration.count;
}

static void assert_step(const struct world *world, size_t i, const char *sql, const char *reason,
                        bool required, bool sliced)
{
    assert_true(i < world->migration.count);
    const struct migration_step *step = &world->migration.steps[i];
    assert_string_equal(step->sql, sql);
    assert_string_equal(step->reason, reason);
    assert_int_equal(step->required, required);
    assert_int_equal(step->sliced, sliced);
}

/* The only step that is left. */
static void assert_only(struct world *world, const char *sql, const char *reason, bool required)
{
    assert_int_equal(plan(world), 1);
    assert_step(world, 0, sql, reason, required, false);
}

static void assert_refused(struct world *world, const char *part)
{
    struct error err;
    assert_int_equal(migration_plan(world->schema, false, &world->migration, &err), ERROR_OPERATOR);
    assert_non_null(strstr(err.text, part));
    assert_int_equal(world->migration.count, 0);
}

static void test_nothing_is_done_where_all_is_as_described(void **state)
{
    assert_int_equal(plan(*state), 0);
}

static void test_empty_database(void **state)
{
    struct world *world = *state;
    world->schema->has_record = false;
    world->schema->version = 0;
    world->schema->oldest_writer = 0;
    world->there->exists = false;
    assert_int_equal(plan(world), 3);
    assert_step(world, 0,
                "CREATE TABLE IF NOT EXISTS `kubedl_shipper_schema` (`version` int NOT NULL, "
                "`oldest_writer` int NOT NULL, `applied_at` datetime NOT NULL, PRIMARY KEY "
                "(`version`)) ENGINE=InnoDB",
                "it says which migrations were done", false, false);
    assert_true(world->migration.steps[1].required);
    assert_non_null(
        strstr(world->migration.steps[1].sql, "CREATE TABLE IF NOT EXISTS `thing` (`id`"));
    assert_step(world, 2,
                "INSERT IGNORE INTO `kubedl_shipper_schema` (`version`, `oldest_writer`, "
                "`applied_at`) VALUES (1, 1, UTC_TIMESTAMP())",
                "the rows are repaired", false, false);
}

/* As another program makes it: nothing but a primary key, and the server's character set. */
static void spoil_all(struct world *world)
{
    struct schema_table *there = world->there;
    world->schema->has_record = false;
    world->schema->version = 0;
    there->index_count = 1;
    there->columns[THING_REGION].exists = false;
    set_column(&there->columns[THING_UID], SCHEMA_VARCHAR, 16, "varchar(16)", "latin1_swedish_ci");
    set_column(&there->columns[THING_OWNER], SCHEMA_VARCHAR, 8, "varchar(8)", "latin1_swedish_ci");
}

static void test_table_of_another_program(void **state)
{
    struct world *world = *state;
    spoil_all(world);
    assert_int_equal(plan(world), 9);
    assert_step(world, 1,
                "ALTER TABLE `thing`"
                " MODIFY COLUMN `uid` varchar(16) COLLATE ascii_bin NULL DEFAULT NULL,"
                " ADD COLUMN `region` varchar(64) COLLATE utf8mb4_general_ci NULL DEFAULT NULL,"
                " MODIFY COLUMN `owner` varchar(16) COLLATE utf8mb4_general_ci NULL DEFAULT '',"
                " ADD INDEX kubedl_shipper_uid (`uid`), ROW_FORMAT=DYNAMIC",
                "uid is not ascii_bin, region is missing, owner is too narrow, duplicates are "
                "searched by uid",
                true, false);
    assert_step(world, 2,
                "UPDATE `thing` AS `old` SET"
                " `old`.`modified` = IF(`old`.`modified` < '1000-01-01', NULL, `old`.`modified`),"
                " `old`.`ended` = IF(`old`.`ended` < '1000-01-01', NULL, `old`.`ended`),"
                " `old`.`begun` = IF(`old`.`begun` < '1000-01-01', NULL, `old`.`begun`),"
                " `old`.`created` = IF(`old`.`created` < '1000-01-01', NULL, `old`.`created`)"
                " WHERE (`old`.`modified` < '1000-01-01' OR `old`.`ended` < '1000-01-01'"
                " OR `old`.`begun` < '1000-01-01' OR `old`.`created` < '1000-01-01')",
                "a zero time is an unknown one", false, true);
    assert_step(world, 3,
                "UPDATE `thing` AS `old` SET `old`.`uid` = CONCAT('kubedl-row-', `old`.`id`)"
                " WHERE (`old`.`uid` IS NULL OR `old`.`uid` = '')",
                "a row without uid keeps its data under a made-up one", true, true);
    assert_step(world, 4,
                "UPDATE `thing` AS `old` SET `old`.`owner` = COALESCE(`old`.`owner`, ''),"
                " `old`.`created` = COALESCE(`old`.`created`, `old`.`modified`, UTC_TIMESTAMP())"
                " WHERE (`old`.`owner` IS NULL OR `old`.`created` IS NULL)",
                "KubeDL's console fails on NULL here", false, true);
    assert_step(world, 5,
                "DELETE `old` FROM `thing` AS `old` JOIN `thing` AS `new`"
                " ON `new`.`uid` = `old`.`uid`"
                " AND (CHAR_LENGTH(COALESCE(`new`.`version`, '')), COALESCE(`new`.`version`, ''),"
                " `new`.`id`) > (CHAR_LENGTH(COALESCE(`old`.`version`, '')),"
                " COALESCE(`old`.`version`, ''), `old`.`id`)",
                "of the rows with one uid the newest stays", true, true);
    assert_step(world, 6,
                "ALTER TABLE `thing` MODIFY COLUMN `uid` varchar(16) COLLATE ascii_bin NOT NULL,"
                " ADD UNIQUE KEY uk_uid (`uid`), DROP INDEX kubedl_shipper_uid, ROW_FORMAT=DYNAMIC",
                "uid may be NULL, uid has no unique key, kubedl_shipper_uid has done its work",
                true, false);
    assert_step(world, 7,
                "ALTER TABLE `thing` ADD INDEX idx_created (created),"
                " ADD INDEX idx_owner_created (owner, created)",
                "no index on (created), no index on (owner, created)", false, false);
}

/* As after a kill between the first ALTER TABLE and the unique key. */
static void test_helper_index_is_used_again_and_goes(void **state)
{
    struct world *world = *state;
    spoil_all(world);
    set_columns_as_described(world->there);
    world->there->columns[THING_UID].nullable = true;
    add_index(world->there, "kubedl_shipper_uid", "uid,", false, true);
    assert_int_equal(plan(world), 8);
    assert_non_null(strstr(world->migration.steps[1].sql, "UPDATE"));
    assert_non_null(strstr(world->migration.steps[5].sql, ", DROP INDEX kubedl_shipper_uid"));
}

static void test_index_on_uid_that_is_there_is_used_and_stays(void **state)
{
    struct world *world = *state;
    spoil_all(world);
    add_index(world->there, "mine", "uid,created,", false, true);
    plan(world);
    assert_null(strstr(world->migration.steps[1].sql, "kubedl_shipper_uid"));
    assert_null(strstr(world->migration.steps[6].sql, "DROP INDEX"));
}

static void test_rows_are_repaired_once_for_each_version(void **state)
{
    struct world *world = *state;
    world->schema->version = MIGRATION_VERSION - 1;
    assert_int_equal(plan(world), 4); /* times, uids, nulls, record */
    for (size_t i = 0; i < 3; i++)
        assert_true(world->migration.steps[i].sliced);
    assert_false(world->migration.is_required);
    world->schema->version = MIGRATION_VERSION + 1;
    assert_int_equal(plan(world), 0);
}

/* A table of another program, restored over ours. */
static void test_rows_are_repaired_where_the_unique_key_is_gone(void **state)
{
    struct world *world = *state;
    snprintf(world->there->indexes[1].columns, sizeof(world->there->indexes[1].columns), "uid,x,");
    assert_int_equal(plan(world), 5);
    assert_true(world->migration.is_required);
}

/* KubeDL may have written since. */
static void test_rows_can_be_repaired_again(void **state)
{
    struct world *world = *state;
    struct migration migration;
    assert_int_equal(plan(world), 0);
    migration_plan_rows(world->schema, &migration);
    assert_int_equal(migration.count, 3);
    for (size_t i = 0; i < migration.count; i++) {
        const struct migration_step *step = &migration.steps[i];
        assert_true(step->sliced && step->where > 0);
        assert_memory_equal(step->sql + step->where, " WHERE (", strlen(" WHERE ("));
        assert_string_equal(strstr(step->sql, " WHERE "), step->sql + step->where);
    }
    migration_fini(&migration);
}

static void test_unique_uid_that_may_be_null(void **state)
{
    struct world *world = *state;
    world->there->columns[THING_UID].nullable = true;
    assert_only(world,
                "ALTER TABLE `thing` MODIFY COLUMN `uid` varchar(16) COLLATE ascii_bin NOT NULL, "
                "ROW_FORMAT=DYNAMIC",
                "uid may be NULL", false);
}

/* NOT NULL would fail as long as its rows have none. */
static void test_missing_uid_may_be_null_at_first(void **state)
{
    struct world *world = *state;
    world->there->columns[THING_UID].exists = false;
    world->there->index_count = 1;
    plan(world);
    assert_non_null(strstr(world->migration.steps[0].sql,
                           "ADD COLUMN `uid` varchar(16) COLLATE ascii_bin NULL DEFAULT NULL"));
    assert_non_null(strstr(world->migration.steps[5].sql,
                           "MODIFY COLUMN `uid` varchar(16) COLLATE ascii_bin NOT NULL"));
}

static void test_unique_uid_of_another_character_set_stays_not_null(void **state)
{
    struct world *world = *state;
    strcpy(world->there->columns[THING_UID].collation, "latin1_bin");
    assert_only(world,
                "ALTER TABLE `thing` MODIFY COLUMN `uid` varchar(16) COLLATE ascii_bin NOT NULL, "
                "ROW_FORMAT=DYNAMIC",
                "uid is not ascii_bin", false);
}

/* What is wrong with one column, and what is done about it. */
static const struct {
    enum thing_column column;
    struct schema_column found;
    const char *definition;
    const char *reason;
    bool required;
} faults[] = {
    {THING_STATUS,
     {.exists = true,
      .nullable = true,
      .type = SCHEMA_VARCHAR,
      .size = 31,
      .type_text = "varchar(31)",
      .collation = "utf8mb4_bin"},
     "`status` varchar(32) COLLATE utf8mb4_bin NULL DEFAULT NULL",
     "status is too narrow",
     false},
    {THING_STATUS,
     {.exists = true,
      .nullable = true,
      .type = SCHEMA_VARCHAR,
      .size = 512,
      .type_text = "varchar(512)",
      .collation = "utf8mb3_general_ci"},
     "`status` varchar(512) COLLATE utf8mb4_general_ci NULL DEFAULT NULL",
     "status is not utf8mb4",
     false},
    {THING_STATUS,
     {.exists = true,
      .nullable = true,
      .type = SCHEMA_OTHER,
      .size = 512,
      .type_text = "varbinary(512)",
      .collation = ""},
     "`status` varchar(32) COLLATE utf8mb4_general_ci NULL DEFAULT NULL",
     "status has another type",
     true},
    {THING_STATUS,
     {.exists = true,
      .type = SCHEMA_TEXT,
      .size = 65535,
      .type_text = "text",
      .collation = "utf8mb4_bin"},
     "`status` text COLLATE utf8mb4_bin NULL DEFAULT NULL",
     "status does not allow NULL",
     true},
    {THING_REMARK,
     {.exists = true,
      .nullable = true,
      .type = SCHEMA_VARCHAR,
      .size = 1024,
      .type_text = "varchar(1024)",
      .collation = "utf8mb4_bin"},
     "`remark` text COLLATE utf8mb4_bin NULL DEFAULT NULL",
     "remark is too narrow",
     false},
    {THING_OWNER,
     {.exists = true,
      .nullable = true,
      .type = SCHEMA_VARCHAR,
      .size = 16,
      .type_text = "varchar(16)",
      .collation = "utf8mb4_bin"},
     "`owner` varchar(16) COLLATE utf8mb4_bin NULL DEFAULT ''",
     "owner has no default",
     false},
    {THING_VERSION,
     {.exists = true,
      .nullable = true,
      .type = SCHEMA_TEXT,
      .size = 65535,
      .type_text = "text",
      .collation = "ascii_bin"},
     "`version` varchar(8) COLLATE ascii_bin NULL DEFAULT NULL",
     "version has another type",
     true},
    {THING_VERSION,
     {.exists = true,
      .nullable = true,
      .type = SCHEMA_VARCHAR,
      .size = 64,
      .type_text = "varchar(64)",
      .collation = "utf8mb4_bin"},
     "`version` varchar(64) COLLATE ascii_bin NULL DEFAULT NULL",
     "version is not ascii_bin",
     false},
    {THING_VERSION,
     {.exists = true,
      .nullable = true,
      .type = SCHEMA_VARCHAR,
      .size = 7,
      .type_text = "varchar(7)",
      .collation = "ascii_bin"},
     "`version` varchar(8) COLLATE ascii_bin NULL DEFAULT NULL",
     "version is too narrow",
     false},
    {THING_DELETED,
     {.exists = true, .nullable = true, .type = SCHEMA_OTHER, .type_text = "bit(1)"},
     "`deleted` tinyint NULL DEFAULT NULL",
     "deleted has another type",
     true},
    {THING_DELETED,
     {.exists = true, .type = SCHEMA_INTEGER, .type_text = "int(11)"},
     "`deleted` int(11) NULL DEFAULT NULL",
     "deleted does not allow NULL",
     true},
    {THING_ENDED,
     {.exists = true, .nullable = true, .type = SCHEMA_OTHER, .type_text = "timestamp"},
     "`ended` datetime NULL DEFAULT NULL",
     "ended has another type",
     true},
};

static void test_faults_of_a_column(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct schema_column *column = &world->there->columns[faults[i].column];
        struct schema_column before = *column;
        char sql[256];
        snprintf(sql, sizeof(sql), "ALTER TABLE `thing` MODIFY COLUMN %s, ROW_FORMAT=DYNAMIC",
                 faults[i].definition);
        *column = faults[i].found;
        assert_only(world, sql, faults[i].reason, faults[i].required);
        *column = before;
    }
}

static void test_wider_columns_and_other_collations_are_left_alone(void **state)
{
    struct world *world = *state;
    struct schema_column *columns = world->there->columns;
    set_column(&columns[THING_STATUS], SCHEMA_TEXT, 255, "tinytext", "utf8mb4_uca1400_ai_ci");
    set_column(&columns[THING_REGION], SCHEMA_TEXT, 65535, "text", "utf8mb4_bin");
    set_column(&columns[THING_REMARK], SCHEMA_TEXT, 4294967295, "longtext", "utf8mb4_bin");
    set_column(&columns[THING_DELETED], SCHEMA_INTEGER, 0, "int(11)", "");
    set_column(&columns[THING_ENDED], SCHEMA_DATETIME, 0, "datetime(6)", "");
    set_column(&columns[THING_VERSION], SCHEMA_VARCHAR, 255, "char(255)", "ascii_bin");
    columns[THING_OWNER].nullable = false; /* with its default */
    assert_int_equal(plan(world), 0);
}

static void test_id_that_will_run_out(void **state)
{
    struct world *world = *state;
    world->there->id.big = false;
    assert_only(world,
                "ALTER TABLE `thing` MODIFY COLUMN `id` bigint unsigned NOT NULL AUTO_INCREMENT, "
                "ROW_FORMAT=DYNAMIC",
                "id is too small", false);
    world->there->id.big = true;
    world->there->id.counts = false;
    assert_only(world,
                "ALTER TABLE `thing` MODIFY COLUMN `id` bigint unsigned NOT NULL AUTO_INCREMENT, "
                "ROW_FORMAT=DYNAMIC",
                "id does not count up", true);
}

static void test_engine_without_transactions(void **state)
{
    struct world *world = *state;
    world->there->loses_writes = true;
    assert_only(world, "ALTER TABLE `thing` ENGINE=InnoDB, ROW_FORMAT=DYNAMIC",
                "its engine has no transactions", false);
}

static void test_a_primary_key_with_other_columns_is_refused(void **state)
{
    struct world *world = *state;
    struct schema_index *primary = &world->there->indexes[0];
    assert_string_equal(primary->name, "PRIMARY");
    snprintf(primary->columns, sizeof(primary->columns), "id,uid,");
    assert_int_equal(plan(world), 0);
    snprintf(primary->columns, sizeof(primary->columns), "id,created,");
    assert_refused(world, "ALTER TABLE `thing` DROP PRIMARY KEY, ADD PRIMARY KEY (`id`)");
    world->there->is_partitioned = true;
    assert_refused(world, ": ALTER TABLE `thing` REMOVE PARTITIONING; ALTER TABLE `thing` DROP");
}

static void test_a_row_format_of_short_keys_goes_where_an_index_needs_it(void **state)
{
    struct world *world = *state;
    world->there->has_short_keys = true;
    assert_int_equal(plan(world), 0);
    snprintf(world->there->indexes[1].columns, sizeof(world->there->indexes[1].columns), "uid,x,");
    plan(world);
    assert_step(world, 0, "ALTER TABLE `thing` ROW_FORMAT=DYNAMIC", "its indexes hold no long text",
                true, false);
}

static void test_a_compressed_table_keeps_its_row_format(void **state)
{
    struct world *world = *state;
    world->there->is_compressed = true;
    world->there->id.big = false;
    assert_only(world,
                "ALTER TABLE `thing` MODIFY COLUMN `id` bigint unsigned NOT NULL AUTO_INCREMENT",
                "id is too small", false);
}

/* In one ALTER TABLE with what is only useful, it would fail with that. */
static void test_what_is_required_can_be_planned_alone(void **state)
{
    struct world *world = *state;
    struct error err;
    world->schema->version = MIGRATION_VERSION - 1;
    world->there->id.big = false;
    world->there->columns[THING_REGION].exists = false;
    assert_int_equal(migration_plan(world->schema, true, &world->migration, &err), ERROR_NONE);
    assert_int_equal(world->migration.count, 1);
    assert_step(world, 0,
                "ALTER TABLE `thing` ADD COLUMN `region` varchar(64) COLLATE utf8mb4_general_ci "
                "NULL DEFAULT NULL",
                "region is missing", true, false);
}

static void test_index_that_another_one_covers_is_not_made(void **state)
{
    struct world *world = *state;
    world->there->index_count = 2;
    add_index(world->there, "mine", "created,status,", false, false);
    assert_only(world, "ALTER TABLE `thing` ADD INDEX idx_owner_created (owner, created)",
                "no index on (owner, created)", false);
}

static void test_second_unique_key_is_refused(void **state)
{
    struct world *world = *state;
    add_index(world->there, "mine", "owner,", true, false);
    assert_refused(world, "ALTER TABLE `thing` DROP INDEX `mine`");
}

static void test_unique_keys_with_the_uid_are_harmless(void **state)
{
    struct world *world = *state;
    add_index(world->there, "mine", "owner,uid,", true, true);
    assert_int_equal(plan(world), 0);
}

static void test_table_without_id_is_refused(void **state)
{
    struct world *world = *state;
    world->there->id.exists = false;
    assert_refused(world, "has no column id");
}

static void test_view_is_refused(void **state)
{
    struct world *world = *state;
    world->there->is_view = true;
    assert_refused(world, "is a view");
}

static void test_column_that_no_insert_names_is_refused(void **state)
{
    struct world *world = *state;
    strcpy(world->there->stranger, "cost");
    assert_refused(world, "column cost");
}

static void test_what_is_wrong_with_a_table_that_is_not_there_does_not_matter(void **state)
{
    struct world *world = *state;
    world->there->exists = false;
    world->there->id.exists = false;
    assert_int_equal(plan(world), 1);
}

static void test_newer_version_that_locks_this_one_out(void **state)
{
    struct world *world = *state;
    world->schema->version = MIGRATION_VERSION + 2;
    world->schema->oldest_writer = MIGRATION_VERSION + 1;
    assert_refused(world, "upgrade");
}

/* What is logged for a DBA must be whole. The real tables, with nothing in them as described. */
static void test_no_statement_is_longer_than_a_log_text(void **state)
{
    (void)state;
    struct error err;
    struct migration migration;
    struct schema *schema = schema_new(tables);
    assert_non_null(schema);
    for (int exist = 0; exist <= 1; exist++) {
        for (size_t i = 0; i < schema->table_count; i++) {
            struct schema_table *there = &schema->tables[i];
            there->exists = exist == 1;
            set_column(&there->id, SCHEMA_INTEGER, 0, "int(11)", "");
            for (size_t column = 0; column < there->table->column_count; column++)
                set_column(&there->columns[column], SCHEMA_OTHER, 0, "blob", "");
        }
        assert_int_equal(migration_plan(schema, false, &migration, &err), ERROR_NONE);
        for (size_t i = 0; i < migration.count; i++) {
            assert_true(strlen(migration.steps[i].sql) <= LOG_TEXT_MAX);
            assert_true(strlen(migration.steps[i].reason) <= LOG_TEXT_MAX);
        }
        migration_fini(&migration);
    }
    schema_free(schema);
}

static void test_slices_cover_all_ids_once(void **state)
{
    (void)state;
    char sql[] = "UPDATE x WHERE (a)";
    const struct migration_step step = {.table = "thing", .sql = sql, .sliced = true};
    static const struct {
        const char *after, *until, *slice, *end;
    } cases[] = {
        {"", "", "UPDATE x WHERE (a)",
         "SELECT `id` FROM `thing` ORDER BY `id` LIMIT 1 OFFSET 9999"},
        {"", "7", "UPDATE x WHERE (a) AND `old`.`id` <= 7", NULL},
        {"7", "9", "UPDATE x WHERE (a) AND `old`.`id` > 7 AND `old`.`id` <= 9", NULL},
        {"9", "", "UPDATE x WHERE (a) AND `old`.`id` > 9",
         "SELECT `id` FROM `thing` WHERE `id` > 9 ORDER BY `id` LIMIT 1 OFFSET 9999"},
    };
    struct buffer out;
    buffer_init(&out, 4096);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buffer_reset(&out);
        migration_slice(&out, &step, cases[i].after, cases[i].until);
        assert_string_equal(buffer_cstring(&out), cases[i].slice);
        buffer_reset(&out);
        migration_slice_end(&out, &step, cases[i].after);
        if (cases[i].end != NULL)
            assert_string_equal(buffer_cstring(&out), cases[i].end);
    }
    buffer_fini(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_is_done_where_all_is_as_described),
        TEST(test_empty_database),
        TEST(test_table_of_another_program),
        TEST(test_helper_index_is_used_again_and_goes),
        TEST(test_index_on_uid_that_is_there_is_used_and_stays),
        TEST(test_rows_are_repaired_once_for_each_version),
        TEST(test_rows_are_repaired_where_the_unique_key_is_gone),
        TEST(test_rows_can_be_repaired_again),
        TEST(test_unique_uid_that_may_be_null),
        TEST(test_missing_uid_may_be_null_at_first),
        TEST(test_unique_uid_of_another_character_set_stays_not_null),
        TEST(test_faults_of_a_column),
        TEST(test_wider_columns_and_other_collations_are_left_alone),
        TEST(test_id_that_will_run_out),
        TEST(test_engine_without_transactions),
        TEST(test_a_primary_key_with_other_columns_is_refused),
        TEST(test_a_row_format_of_short_keys_goes_where_an_index_needs_it),
        TEST(test_a_compressed_table_keeps_its_row_format),
        TEST(test_what_is_required_can_be_planned_alone),
        TEST(test_index_that_another_one_covers_is_not_made),
        TEST(test_second_unique_key_is_refused),
        TEST(test_unique_keys_with_the_uid_are_harmless),
        TEST(test_table_without_id_is_refused),
        TEST(test_view_is_refused),
        TEST(test_column_that_no_insert_names_is_refused),
        TEST(test_what_is_wrong_with_a_table_that_is_not_there_does_not_matter),
        TEST(test_newer_version_that_locks_this_one_out),
        cmocka_unit_test(test_no_statement_is_longer_than_a_log_text),
        cmocka_unit_test(test_slices_cover_all_ids_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
