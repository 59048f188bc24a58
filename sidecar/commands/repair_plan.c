/* repair_plan: counts and shows what is to be repaired (see repair_plan.h). */
#include "sidecar/commands/repair_plan.h"

#include "sidecar/commands/commands.h"
#include "sidecar/store/migrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SAMPLE_ROWS 5 /* of each rule are shown */

/* The rows of one table times the rows of the other one. Without an index each pair of rows may have to be
 * compared; so many pairs take some seconds at the most. */
#define UNINDEXED_PRODUCT 10000000

/* ---- statements ------------------------------------------------------------------------------- */

enum error_code repair_query(struct repair *repair, db_row *row, void *context,
                             struct db_error *err)
{
    if (repair->sql.failed)
        return db_no_memory(err, "repairing");
    return db_query(repair->db, buffer_text(&repair->sql), row, context, err);
}

void repair_on_number(void *context, const struct text *values, size_t count)
{
    uint64_t *number = context;
    char text[REPAIR_ID_SIZE];
    if (count != 1 || values[0].data == NULL)
        return;
    (void)snprintf(text, sizeof(text), "%.*s", (int)values[0].length, values[0].data);
    *number = strtoull(text, NULL, 10);
}

static void on_id(void *context, const struct text *values, size_t count)
{
    char *id = context;
    if (count == 1 && values[0].data != NULL)
        (void)snprintf(id, REPAIR_ID_SIZE, "%.*s", (int)values[0].length, values[0].data);
}

void repair_chunk_on_row(void *context, const struct text *values, size_t count)
{
    struct repair_chunk *chunk = context;
    if (count != REPAIR_VALUES || chunk->found++ >= chunk->limit)
        return;
    for (size_t i = 0; i < REPAIR_VALUES; i++) {
        chunk->lengths[chunk->count][i] = values[i].data != NULL ? values[i].length : 0;
        if (values[i].data != NULL)
            buffer_append(&chunk->text, values[i]);
    }
    chunk->count++;
}

void repair_chunk_reset(struct repair_chunk *chunk, size_t limit)
{
    buffer_reset(&chunk->text);
    chunk->count = 0;
    chunk->found = 0;
    chunk->limit = limit;
}

void repair_chunk_read(const struct repair_chunk *chunk, struct repair_row rows[REPAIR_CHUNK_ROWS])
{
    const char *next = buffer_text(&chunk->text).data;
    for (size_t row = 0; row < chunk->count; row++) {
        for (size_t i = 0; i < REPAIR_VALUES; i++) {
            rows[row].values[i] = (struct text){next, chunk->lengths[row][i]};
            next += chunk->lengths[row][i];
        }
    }
}

enum error_code repair_find_slice_end(struct repair *repair, const struct table *table,
                                      const char *after, char until[REPAIR_ID_SIZE],
                                      struct db_error *err)
{
    const struct migration_step step = {.table = table->name};
    until[0] = '\0';
    buffer_reset(&repair->sql);
    migration_slice_end(&repair->sql, &step, after);
    return repair_query(repair, on_id, until, err);
}

/* ---- the plan --------------------------------------------------------------------------------- */

enum error_code repair_choose(struct repair *repair, const char *list, struct error *err)
{
    for (size_t i = 0; i < REPAIR_MAX_RULES; i++)
        repair->wanted[i] = list == NULL;
    while (list != NULL) {
        struct text name = {list, strcspn(list, ",")};
        size_t rule = 0;
        while (repair_rule_at(rule) != NULL && !text_is(name, repair_rule_at(rule)->name))
            rule++;
        if (repair_rule_at(rule) == NULL)
            return error_set(err, ERROR_INPUT, "there is no rule %.*s", (int)name.length, list);
        repair->wanted[rule] = true;
        list = list[name.length] == '\0' ? NULL : list + name.length + 1;
    }
    return ERROR_NONE;
}

static void print_sample(const struct repair_rule *rule, const struct repair_chunk *chunk)
{
    static const char *const head[] = {"NAMESPACE", "NAME", "UID", "STATUS", "ENDED"};
    static const enum repair_value shown[] = {REPAIR_NAMESPACE, REPAIR_NAME, REPAIR_UID,
                                              REPAIR_STATUS, REPAIR_ENDED};
    struct repair_row rows[REPAIR_CHUNK_ROWS];
    struct columns columns;
    columns_begin(&columns, head, 5);
    repair_chunk_read(chunk, rows);
    for (size_t row = 0; row < chunk->count; row++) {
        for (size_t i = 0; i < 5; i++)
            columns_add(&columns, rows[row].values[shown[i]]);
    }
    printf("\n%s, %" PRIu64 " rows of %s: %s.\n", rule->name, chunk->found, rule->table->name,
           rule->why);
    (void)command_print_columns(&columns, stdout);
    if (chunk->found > chunk->count)
        printf("... and %" PRIu64 " more\n", chunk->found - chunk->count);
}

/* Counts the rows that the rule would change, slice by slice, and shows the first of them. */
static enum error_code plan_rule(struct repair *repair, size_t number, struct db_error *err)
{
    const struct repair_rule *rule = repair_rule_at(number);
    char after[REPAIR_ID_SIZE] = "";
    char until[REPAIR_ID_SIZE];
    repair_chunk_reset(&repair->chunk, SAMPLE_ROWS);
    do {
        enum error_code code = repair_find_slice_end(repair, rule->table, after, until, err);
        if (code != ERROR_NONE)
            return code;
        buffer_reset(&repair->sql);
        repair_select(&repair->sql, rule, repair->has_ours, after, until, 0);
        code = repair_query(repair, repair_chunk_on_row, &repair->chunk, err);
        if (code != ERROR_NONE)
            return code;
        memcpy(after, until, sizeof(after));
    } while (until[0] != '\0');
    if (repair->chunk.text.failed)
        return db_no_memory(err, "repairing");
    repair->counts[number] = repair->chunk.found;
    if (repair->chunk.found > 0)
        print_sample(rule, &repair->chunk);
    return ERROR_NONE;
}

static enum error_code count_duplicates(struct repair *repair, const struct schema_table *there,
                                        struct db_error *err)
{
    const struct table *table = there->table;
    const char *uid = table->columns[table->uid].name;
    uint64_t duplicates = 0;
    if (schema_uid_is_unique(there))
        return ERROR_NONE;
    buffer_reset(&repair->sql);
    buffer_appendf(&repair->sql,
                   "SELECT COUNT(NULLIF(`%s`, '')) - COUNT(DISTINCT NULLIF(`%s`, '')) FROM `%s`",
                   uid, uid, table->name);
    enum error_code code = repair_query(repair, repair_on_number, &duplicates, err);
    if (code == ERROR_NONE && duplicates > 0)
        printf("\n%" PRIu64
               " rows of %s are there twice: of the rows with one %s the newest stays.\n",
               duplicates, table->name, uid);
    repair->duplicates += duplicates;
    return code;
}

/* Tells which rows the migration repairs; in migrated tables these are rows that KubeDL has written since. */
static enum error_code plan_rows(struct repair *repair, struct db_error *err)
{
    enum error_code code = ERROR_NONE;
    repair->duplicates = 0;
    migration_fini(&repair->rows);
    migration_plan_rows(repair->schema, &repair->rows);
    for (size_t i = 0; i < repair->schema->table_count && code == ERROR_NONE; i++)
        code = count_duplicates(repair, &repair->schema->tables[i], err);
    for (size_t i = 0; i < repair->rows.count && code == ERROR_NONE; i++) {
        const struct migration_step *step = &repair->rows.steps[i];
        buffer_reset(&repair->sql);
        buffer_appendf(&repair->sql, "SELECT COUNT(*) FROM `%s` AS `old`%s", step->table,
                       step->sql + step->where);
        code = repair_query(repair, repair_on_number, &repair->row_counts[i], err);
        if (code == ERROR_NONE && repair->row_counts[i] > 0)
            printf("\n%" PRIu64 " rows of %s: %s.\n", repair->row_counts[i], step->table,
                   step->reason);
    }
    return code;
}

static enum error_code plan_migration(struct repair *repair, struct db_error *err)
{
    struct migration migration;
    struct error why;
    enum error_code code = migration_plan(repair->schema, false, &migration, &why);
    if (code != ERROR_NONE)
        return db_error_set(err, DBERROR_OPERATOR, "%s", why.text);
    repair->migration_steps = migration.count;
    if (migration.count > 0 && !repair->migrated) {
        struct columns columns;
        static const char *const head[] = {"TABLE", "STEP"};
        columns_begin(&columns, head, 2);
        for (size_t i = 0; i < migration.count; i++) {
            columns_add_string(&columns, migration.steps[i].table);
            columns_add_string(&columns, migration.steps[i].reason);
        }
        printf("The tables are migrated first, as a sidecar does at its start:\n");
        (void)command_print_columns(&columns, stdout);
    }
    migration_fini(&migration);
    return ERROR_NONE;
}

/* Returns whether KubeDL's own tables lack this column. */
static bool is_ours(const struct table *table, size_t column)
{
    enum merge_rule rule = table->columns[column].merge;
    return column == table->cluster || column == table->group || rule == MERGE_STATED ||
           rule == MERGE_KNOWN_AT;
}

/* Returns whether the table has all columns that only we make (ours), or all that KubeDL makes (not ours). */
static bool has_columns(const struct schema_table *there, bool ours)
{
    const struct table *table = there->table;
    for (size_t i = 0; i < table->column_count; i++) {
        if (is_ours(table, i) == ours && !there->columns[i].exists)
            return false;
    }
    return true;
}

/* Before the migration the tables have no indexes and may lack columns. Then the plan can be made only if
 * the tables are small. */
static enum error_code can_be_told(struct repair *repair, bool *told, struct db_error *err)
{
    uint64_t product = 1;
    *told = true;
    if (repair->migration_steps == 0 || repair->migrated)
        return ERROR_NONE;
    for (size_t i = 0; i < repair->schema->table_count; i++) {
        const struct schema_table *there = &repair->schema->tables[i];
        uint64_t count = 0;
        buffer_reset(&repair->sql);
        buffer_appendf(&repair->sql, "SELECT COUNT(*) FROM `%s`", there->table->name);
        enum error_code code = repair_query(repair, repair_on_number, &count, err);
        if (code != ERROR_NONE)
            return code;
        product *= count;
        *told = *told && has_columns(there, false) && product <= UNINDEXED_PRODUCT;
    }
    return ERROR_NONE;
}

enum error_code repair_look(struct repair *repair, struct db_error *err)
{
    schema_free(repair->schema);
    repair->schema = schema_new(tables);
    enum error_code code = migrate_look(repair->db, repair->schema, err);
    repair->has_ours = true;
    for (size_t i = 0; code == ERROR_NONE && i < repair->schema->table_count; i++) {
        const struct schema_table *there = &repair->schema->tables[i];
        if (!there->exists)
            code = db_error_set(err, DBERROR_OPERATOR, "there is no table %s to be repaired",
                                there->table->name);
        repair->has_ours = repair->has_ours && has_columns(there, true);
    }
    return code;
}

enum error_code repair_plan(struct repair *repair, struct db_error *err)
{
    enum error_code code = repair_look(repair, err);
    if (code == ERROR_NONE)
        code = plan_migration(repair, err);
    if (code == ERROR_NONE)
        code = can_be_told(repair, &repair->told, err);
    if (code == ERROR_NONE && !repair->told) {
        printf("\nWhat is to be repaired can be told once that is done: columns or indexes are "
               "missing.\n");
        return ERROR_NONE;
    }
    if (code == ERROR_NONE)
        code = plan_rows(repair, err);
    for (size_t i = 0; code == ERROR_NONE && repair_rule_at(i) != NULL; i++) {
        if (repair->wanted[i])
            code = plan_rule(repair, i, err);
    }
    return code;
}

bool repair_is_anything_to_do(const struct repair *repair)
{
    uint64_t total = repair->duplicates + (repair->migrated ? 0 : repair->migration_steps);
    for (size_t i = 0; i < repair->rows.count; i++)
        total += repair->row_counts[i];
    for (size_t i = 0; i < REPAIR_MAX_RULES; i++)
        total += repair->counts[i];
    return total > 0;
}

void repair_print_counts(const struct repair *repair)
{
    static const char *const head[] = {"RULE", "TABLE", "ROWS"};
    struct columns columns;
    if (!repair_is_anything_to_do(repair)) {
        printf("There is nothing to repair.\n");
        return;
    }
    columns_begin(&columns, head, 3);
    for (size_t i = 0; repair_rule_at(i) != NULL; i++) {
        char number[REPAIR_ID_SIZE];
        if (!repair->wanted[i])
            continue;
        (void)snprintf(number, sizeof(number), "%" PRIu64, repair->counts[i]);
        columns_add_string(&columns, repair_rule_at(i)->name);
        columns_add_string(&columns, repair_rule_at(i)->table->name);
        columns_add_string(&columns, number);
    }
    printf("\n");
    (void)command_print_columns(&columns, stdout);
}
