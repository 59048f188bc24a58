/* migration_rows: the steps of a migration that repair rows (see the list in migration.c).
 *
 * The statements call the row that is changed `old`, and migration_slice() adds a condition at their end. */
#include "lib/sql/migration_private.h"

/* This comparison works under every sql_mode, where '0000-00-00' as a literal does not. */
#define UNKNOWN_TIME "`old`.`%s` < '1000-01-01'"

static void plan_times(struct plan *plan, const struct table *table)
{
    plan_begin_step(plan);
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
    plan_end_step(plan, table->name, true);
}

static void plan_uids(struct plan *plan, const struct table *table, bool required)
{
    const char *uid = table->columns[table->uid].name;
    plan_begin_step(plan);
    plan->required = required;
    buffer_appendf(&plan->sql,
                   "UPDATE `%s` AS `old` SET `old`.`%s` = CONCAT('kubedl-row-', `old`.`id`)",
                   table->name, uid);
    plan->where = plan->sql.length;
    buffer_appendf(&plan->sql, " WHERE (`old`.`%s` IS NULL OR `old`.`%s` = '')", uid, uid);
    buffer_appendf(&plan->reason, "a row without %s keeps its data under a made-up one", uid);
    plan_end_step(plan, table->name, true);
}

/* Fills in the columns that have a default, and the time of creation, which is guessed. */
static void plan_nulls(struct plan *plan, const struct table *table)
{
    const char *created = table->columns[table->created].name;
    plan_begin_step(plan);
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
    plan_end_step(plan, table->name, true);
}

/* The row with the newest version stays; of equal versions the one with the greatest id, so that exactly one
 * stays. */
static void plan_duplicates(struct plan *plan, const struct table *table)
{
    const char *uid = table->columns[table->uid].name;
    const char *version = table->columns[table->version].name;
    plan_begin_step(plan);
    plan->required = true;
    buffer_appendf(&plan->sql,
                   "DELETE `old` FROM `%s` AS `old` JOIN `%s` AS `new` ON `new`.`%s` = `old`.`%s`"
                   " AND (CHAR_LENGTH(COALESCE(`new`.`%s`, '')), COALESCE(`new`.`%s`, ''),"
                   " `new`.`id`) > (CHAR_LENGTH(COALESCE(`old`.`%s`, '')),"
                   " COALESCE(`old`.`%s`, ''), `old`.`id`)",
                   table->name, table->name, uid, uid, version, version, version, version);
    buffer_appendf(&plan->reason, "of the rows with one %s the newest stays", uid);
    plan_end_step(plan, table->name, true);
}

void plan_rows(struct plan *plan, const struct schema *schema, const struct schema_table *there)
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

void plan_row_repairs(struct plan *plan, const struct table *table)
{
    plan_times(plan, table);
    plan_uids(plan, table, false);
    plan_nulls(plan, table);
}

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
