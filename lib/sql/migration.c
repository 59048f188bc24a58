/* migration: from what is there to the steps that are left (see migration.h).
 *
 * A table that KubeDL or a person has made gets these steps, in this order:
 *
 *   columns     one ALTER TABLE for missing columns, NULL, types, widths and character sets, so that a large
 *               table is written again only once; and an index to find duplicates by
 *   times       0000-00-00 and 0001-01-01 stand for "unknown", and would never be overwritten in a column
 *               that keeps the first value it gets
 *   uids        a row without a uid keeps its data under a made-up one
 *   nulls       KubeDL's console fails on NULL in some columns
 *   duplicates  of the rows with one uid the newest stays
 *   unique      the unique key, without which an upsert inserts each row again
 *   indexes     the other indexes
 *
 * The record of the version is written last: then the rows are known to be repaired. Its table is created
 * first: without the right to create it, the rows would be repaired anew at each start.
 */
#include "lib/sql/migration.h"

#include "lib/base/invariant.h"
#include "lib/base/memory.h"
#include "lib/sql/sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_LIMIT 65536

/* The index makes the search for duplicates quick. It is dropped when there is a unique key. */
#define HELPER_INDEX "kubedl_shipper_uid"

/* A migration while it is planned. What stands below only_required is of the step that is being written. */
struct plan {
    struct migration *migration;
    bool only_required; /* steps that are only useful are left out */
    struct buffer sql;
    struct buffer reason;
    size_t changes;   /* of an ALTER TABLE, so far */
    size_t where;     /* see struct migration_step */
    bool rewrites;    /* the server writes the whole table again */
    bool says_format; /* the statement names a row format */
    bool required;
};

/* Begins a step with an empty .sql and .reason, which the caller fills before it ends the step. */
static void begin_step(struct plan *plan)
{
    *plan = (struct plan){.migration = plan->migration, .only_required = plan->only_required};
    buffer_init(&plan->sql, TEXT_LIMIT);
    buffer_init(&plan->reason, TEXT_LIMIT);
}

/* The text fits, since what it is made of is bounded. So only memory can be lacking. */
static char *take_text(struct buffer *buffer)
{
    const char *text = buffer_cstring(buffer);
    if (text == NULL)
        memory_exhausted("the steps of a migration");
    char *copy = memory_copy_string(text);
    buffer_fini(buffer);
    return copy;
}

static void end_step(struct plan *plan, const char *table, bool sliced)
{
    struct migration *migration = plan->migration;
    invariant(migration->count < MIGRATION_MAX_STEPS);
    struct migration_step *step = &migration->steps[migration->count++];
    *step = (struct migration_step){
        .table = table, .where = plan->where, .required = plan->required, .sliced = sliced};
    step->sql = take_text(&plan->sql);
    step->reason = take_text(&plan->reason);
    migration->is_required |= plan->required;
}

static void begin_alter(struct plan *plan, const struct table *table)
{
    begin_step(plan);
    buffer_appendf(&plan->sql, "ALTER TABLE `%s` ", table->name);
}

/* Begins one more change of an ALTER TABLE, and appends its reason. The caller appends the change's text.
 * Returns false if the change is left out of this plan. */
PRINTF_LIKE(3, 4)
static bool change(struct plan *plan, bool required, const char *reason, ...)
{
    if (plan->only_required && !required)
        return false;
    if (plan->changes++ > 0) {
        buffer_append_string(&plan->sql, ", ");
        buffer_append_string(&plan->reason, ", ");
    }
    plan->required |= required;
    va_list args;
    va_start(args, reason);
    buffer_vappendf(&plan->reason, reason, args);
    va_end(args);
    return true;
}

/* A table that is written again and names no row format would get the server's default, whose indexes may not
 * hold long text. So the format is named. */
static void end_alter(struct plan *plan, const struct schema_table *there)
{
    if (plan->changes == 0) {
        buffer_fini(&plan->sql);
        return;
    }
    if (plan->rewrites && !plan->says_format && !there->is_compressed)
        buffer_append_string(&plan->sql, ", ROW_FORMAT=DYNAMIC");
    end_step(plan, there->table->name, false);
}

static void whole_step(struct plan *plan, const char *table, const char *sql, const char *reason)
{
    if (plan->only_required)
        return;
    begin_step(plan);
    buffer_append_string(&plan->sql, sql);
    buffer_append_string(&plan->reason, reason);
    end_step(plan, table, false);
}

/* ---- rows ------------------------------------------------------------------------------------
 *
 * The statements call the row that is changed `old`, and migration_slice() adds a condition at their end. */

/* This comparison works under every sql_mode, where '0000-00-00' as a literal does not. */
#define UNKNOWN_TIME "`old`.`%s` < '1000-01-01'"

static void plan_times(struct plan *plan, const struct table *table)
{
    begin_step(plan);
    buffer_appendf(&plan->sql, "UPDATE `%s` AS `old` ", table->name);
    const char *separator = "SET ";
    for (size_t i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i].name;
        if (table->columns[i].type != COLUMN_TIME)
            continue;
        buffer_appendf(&plan->sql, "%s`old`.`%s` = IF(" UNKNOWN_TIME ", NULL, `old`.`%s`)",
                       separator, name, name, name);
        separator = ", ";
    }
    plan->where = plan->sql.length;
    separator = " WHERE (";
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].type != COLUMN_TIME)
            continue;
        buffer_appendf(&plan->sql, "%s" UNKNOWN_TIME, separator, table->columns[i].name);
        separator = " OR ";
    }
    buffer_append_char(&plan->sql, ')');
    buffer_append_string(&plan->reason, "a zero time is an unknown one");
    end_step(plan, table->name, true);
}

static void plan_uids(struct plan *plan, const struct table *table, bool required)
{
    const char *uid = table->columns[table->uid].name;
    begin_step(plan);
    plan->required = required;
    buffer_appendf(&plan->sql,
                   "UPDATE `%s` AS `old` SET `old`.`%s` = CONCAT('kubedl-row-', `old`.`id`)",
                   table->name, uid);
    plan->where = plan->sql.length;
    buffer_appendf(&plan->sql, " WHERE (`old`.`%s` IS NULL OR `old`.`%s` = '')", uid, uid);
    buffer_appendf(&plan->reason, "a row without %s keeps its data under a made-up one", uid);
    end_step(plan, table->name, true);
}

/* Fills in the columns that have a default, and the time of creation, which is guessed. */
static void plan_nulls(struct plan *plan, const struct table *table)
{
    const char *created = table->columns[table->created].name;
    begin_step(plan);
    buffer_appendf(&plan->sql, "UPDATE `%s` AS `old` SET ", table->name);
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (column->initial != NULL)
            buffer_appendf(&plan->sql, "`old`.`%s` = COALESCE(`old`.`%s`, %s), ", column->name,
                           column->name, column->initial);
    }
    buffer_appendf(&plan->sql, "`old`.`%s` = COALESCE(`old`.`%s`, `old`.`%s`, UTC_TIMESTAMP())",
                   created, created, table->columns[table->modified].name);
    plan->where = plan->sql.length;
    buffer_append_string(&plan->sql, " WHERE (");
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].initial != NULL)
            buffer_appendf(&plan->sql, "`old`.`%s` IS NULL OR ", table->columns[i].name);
    }
    buffer_appendf(&plan->sql, "`old`.`%s` IS NULL)", created);
    buffer_append_string(&plan->reason, "KubeDL's console fails on NULL here");
    end_step(plan, table->name, true);
}

/* The row with the newest version stays; of equal versions the one with the greatest id, so that exactly one
 * stays. */
static void plan_duplicates(struct plan *plan, const struct table *table)
{
    const char *uid = table->columns[table->uid].name;
    const char *version = table->columns[table->version].name;
    begin_step(plan);
    plan->required = true;
    buffer_appendf(&plan->sql,
                   "DELETE `old` FROM `%s` AS `old` JOIN `%s` AS `new` ON `new`.`%s` = `old`.`%s`"
                   " AND (CHAR_LENGTH(COALESCE(`new`.`%s`, '')), COALESCE(`new`.`%s`, ''),"
                   " `new`.`id`) > (CHAR_LENGTH(COALESCE(`old`.`%s`, '')),"
                   " COALESCE(`old`.`%s`, ''), `old`.`id`)",
                   table->name, table->name, uid, uid, version, version, version, version);
    buffer_appendf(&plan->reason, "of the rows with one %s the newest stays", uid);
    end_step(plan, table->name, true);
}

static void plan_rows(struct plan *plan, const struct schema *schema,
                      const struct schema_table *there)
{
    bool unique = schema_uid_is_unique(there);
    if (unique && (plan->only_required || schema->version >= MIGRATION_VERSION))
        return;
    if (!plan->only_required)
        plan_times(plan, there->table);
    plan_uids(plan, there->table, !unique);
    if (!plan->only_required)
        plan_nulls(plan, there->table);
    if (!unique)
        plan_duplicates(plan, there->table);
}

/* ---- columns --------------------------------------------------------------------------------- */

static bool has_right_type(const struct column *described, const struct schema_column *column)
{
    switch (described->type) {
    case COLUMN_TEXT:
        return column->type == SCHEMA_VARCHAR || column->type == SCHEMA_TEXT;
    case COLUMN_KEY: /* a text type cannot be indexed as a whole */
        return column->type == SCHEMA_VARCHAR;
    case COLUMN_INT:
        return column->type == SCHEMA_INTEGER;
    case COLUMN_TIME:
        return column->type == SCHEMA_DATETIME;
    }
    return false;
}

/* Compares the bytes of a text as they will be in utf8mb4. */
static bool is_wide_enough(const struct column *described, const struct schema_column *column)
{
    if (described->type == COLUMN_KEY)
        return column->size >= described->max_chars;
    if (described->type != COLUMN_TEXT)
        return true;
    uint64_t wanted = described->max_chars > VARCHAR_MAX_CHARS ? described->max_chars
                                                               : UINT64_C(4) * described->max_chars;
    return column->type == SCHEMA_VARCHAR ? column->size >= (wanted + 3) / 4
                                          : column->size >= wanted;
}

static bool has_right_collation(const struct column *described, const struct schema_column *column)
{
    if (described->type == COLUMN_KEY)
        return strcmp(column->collation, SQL_KEY_COLLATION) == 0;
    return described->type != COLUMN_TEXT ||
           text_starts_with(text_from(column->collation), TEXT("utf8mb4_"));
}

/* Returns what of an existing column stays when its type is written again. */
static struct sql_keep keep_of(const struct column *described, const struct schema_column *column,
                               bool nullable)
{
    struct sql_keep keep = {.nullable = nullable};
    if (column->exists && has_right_type(described, column) && is_wide_enough(described, column))
        keep.type = column->type_text;
    if (column->exists && column->collation[0] != '\0' && has_right_collation(described, column))
        keep.collation = column->collation;
    return keep;
}

/* Returns what is wrong with a column, or NULL. *required: no row can be written before it is mended. */
static const char *fault_of(const struct table *table, size_t i, const struct schema_column *column,
                            bool *required)
{
    const struct column *described = &table->columns[i];
    *required = true;
    if (!column->exists)
        return "is missing";
    if (!has_right_type(described, column))
        return "has another type";
    /* The uid gets its NOT NULL with the unique key. A column with a default is never written as NULL. */
    if (!column->nullable && i != table->uid && described->initial == NULL)
        return "does not allow NULL";
    *required = false;
    if (!is_wide_enough(described, column))
        return "is too narrow";
    if (!has_right_collation(described, column))
        return described->type == COLUMN_KEY ? "is not " SQL_KEY_COLLATION : "is not utf8mb4";
    if (described->initial != NULL && !column->has_default)
        return "has no default";
    return NULL;
}

/* Returns whether a table whose indexes take 767 bytes of a column will need more: an index is missing, or a
 * column gets longer values. */
static bool needs_long_keys(const struct schema_table *there)
{
    const struct table *table = there->table;
    bool needs = !schema_uid_is_unique(there);
    for (size_t i = 0; i < table->index_count; i++)
        needs |= !schema_has_index(there, table->indexes[i].columns);
    for (size_t i = 0; i < table->column_count; i++) {
        bool required;
        needs |=
            there->columns[i].exists && fault_of(table, i, &there->columns[i], &required) != NULL;
    }
    return there->has_short_keys && needs;
}

static void plan_columns(struct plan *plan, const struct schema_table *there)
{
    const struct table *table = there->table;
    const char *uid = table->columns[table->uid].name;
    begin_alter(plan, table);
    if (there->loses_writes && change(plan, false, "its engine has no transactions")) {
        buffer_append_string(&plan->sql, "ENGINE=InnoDB");
        plan->rewrites = true;
    }
    if (needs_long_keys(there) &&
        change(plan, !schema_uid_is_unique(there), "its indexes hold no long text")) {
        buffer_append_string(&plan->sql, "ROW_FORMAT=DYNAMIC");
        plan->says_format = true;
    }
    if ((!there->id.counts || !there->id.big) &&
        change(plan, !there->id.counts, "id %s",
               there->id.counts ? "is too small" : "does not count up")) {
        buffer_append_string(&plan->sql, "MODIFY COLUMN `id` " SQL_ID_TYPE);
        plan->rewrites = true;
    }
    for (size_t i = 0; i < table->column_count; i++) {
        const struct schema_column *column = &there->columns[i];
        const bool nullable = column->nullable || !column->exists;
        const char *name = table->columns[i].name;
        bool required;
        const char *fault = fault_of(table, i, column, &required);
        if (fault == NULL || !change(plan, required, "%s %s", name, fault))
            continue;
        plan->rewrites |= column->exists;
        buffer_appendf(&plan->sql, "%s COLUMN `%s` ", column->exists ? "MODIFY" : "ADD", name);
        const struct sql_keep keep = keep_of(&table->columns[i], column, nullable);
        sql_column_type(&plan->sql, table, i, &keep);
    }
    if (!schema_has_index(there, uid) && change(plan, false, "duplicates are searched by %s", uid))
        buffer_appendf(&plan->sql, "ADD INDEX " HELPER_INDEX " (`%s`)", uid);
    end_alter(plan, there);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void plan_keys(struct plan *plan, const struct schema_table *there)
{
    const struct table *table = there->table;
    const struct column *uid = &table->columns[table->uid];
    const struct schema_column *column = &there->columns[table->uid];
    begin_alter(plan, table);
    if ((!column->exists || column->nullable) && change(plan, false, "%s may be NULL", uid->name)) {
        plan->rewrites = true;
        const struct sql_keep keep = keep_of(uid, column, false);
        buffer_appendf(&plan->sql, "MODIFY COLUMN `%s` ", uid->name);
        sql_column_type(&plan->sql, table, table->uid, &keep);
    }
    if (!schema_uid_is_unique(there) && change(plan, true, "%s has no unique key", uid->name)) {
        buffer_append_string(&plan->sql, "ADD ");
        sql_unique_key(&plan->sql, table);
    }
    /* plan_columns() has added the helper if there is no index on the uid at all. */
    bool has_helper = !schema_has_index(there, uid->name);
    for (size_t i = 0; i < there->index_count; i++)
        has_helper |= strcmp(there->indexes[i].name, HELPER_INDEX) == 0;
    if (has_helper && change(plan, false, HELPER_INDEX " has done its work"))
        buffer_append_string(&plan->sql, "DROP INDEX " HELPER_INDEX);
    end_alter(plan, there);

    begin_alter(plan, table);
    for (size_t i = 0; i < table->index_count; i++) {
        const struct index *index = &table->indexes[i];
        if (!schema_has_index(there, index->columns) &&
            change(plan, false, "no index on (%s)", index->columns))
            buffer_appendf(&plan->sql, "ADD INDEX %s (%s)", index->name, index->columns);
    }
    end_alter(plan, there);
}

/* ---- the whole ------------------------------------------------------------------------------- */

#define STRING(number)  STRING_(number)
#define STRING_(number) #number

enum error_code migration_plan(const struct schema *schema, bool only_required,
                               struct migration *migration, struct error *err)
{
    struct plan plan = {.migration = migration, .only_required = only_required};
    migration->count = 0;
    migration->is_required = false;
    if (schema->oldest_writer > MIGRATION_VERSION)
        return error_set(err, ERROR_OPERATOR,
                         "the tables were migrated to version %" PRId64
                         " by a newer kubedl-shipper, and this one would write them wrong: upgrade "
                         "kubedl-shipper",
                         schema->version);
    for (size_t i = 0; i < schema->table_count; i++) {
        if (schema->tables[i].exists && schema_check(&schema->tables[i], err) != ERROR_NONE)
            return ERROR_OPERATOR;
    }

    if (!schema->has_record)
        whole_step(&plan, SCHEMA_RECORD_TABLE,
                   "CREATE TABLE IF NOT EXISTS `" SCHEMA_RECORD_TABLE "` (`version` int NOT NULL, "
                   "`oldest_writer` int NOT NULL, `applied_at` datetime NOT NULL, "
                   "PRIMARY KEY (`version`)) ENGINE=InnoDB",
                   "it says which migrations were done");
    for (size_t i = 0; i < schema->table_count; i++) {
        const struct schema_table *there = &schema->tables[i];
        if (there->exists) {
            plan_columns(&plan, there);
            plan_rows(&plan, schema, there);
            plan_keys(&plan, there);
        } else {
            begin_step(&plan);
            plan.required = true;
            sql_create_table(&plan.sql, there->table);
            buffer_append_string(&plan.reason, "there is no such table");
            end_step(&plan, there->table->name, false);
        }
    }
    if (schema->version < MIGRATION_VERSION)
        whole_step(&plan, SCHEMA_RECORD_TABLE,
                   "INSERT IGNORE INTO `" SCHEMA_RECORD_TABLE "` (`version`, `oldest_writer`, "
                   "`applied_at`) VALUES (" STRING(MIGRATION_VERSION) ", " STRING(
                       MIGRATION_OLDEST_WRITER) ", UTC_TIMESTAMP())",
                   "the rows are repaired");
    return ERROR_NONE;
}

void migration_plan_rows(const struct schema *schema, struct migration *migration)
{
    struct plan plan = {.migration = migration};
    migration->count = 0;
    migration->is_required = false;
    for (size_t i = 0; i < schema->table_count; i++) {
        const struct table *table = schema->tables[i].table;
        plan_times(&plan, table);
        plan_uids(&plan, table, false);
        plan_nulls(&plan, table);
    }
}

void migration_fini(struct migration *migration)
{
    for (size_t i = 0; i < migration->count; i++) {
        free(migration->steps[i].sql);
        free(migration->steps[i].reason);
    }
    migration->count = 0;
}

/* ---- slices ---------------------------------------------------------------------------------- */

void migration_slice(struct buffer *out, const struct migration_step *step, const char *after,
                     const char *until)
{
    buffer_append_string(out, step->sql);
    if (after[0] != '\0')
        buffer_appendf(out, " AND `old`.`id` > %s", after);
    if (until[0] != '\0')
        buffer_appendf(out, " AND `old`.`id` <= %s", until);
}

void migration_slice_end(struct buffer *out, const struct migration_step *step, const char *after)
{
    buffer_appendf(out, "SELECT `id` FROM `%s`", step->table);
    if (after[0] != '\0')
        buffer_appendf(out, " WHERE `id` > %s", after);
    buffer_appendf(out, " ORDER BY `id` LIMIT 1 OFFSET %d", MIGRATION_SLICE_ROWS - 1);
}
