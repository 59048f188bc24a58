/* sql: statements from the table descriptions (see sql.h). */
#include "lib/sql/sql.h"

#include <string.h>

void sql_unique_name(struct buffer *out, const struct table *table)
{
    buffer_appendf(out, "uk_%s", table->columns[table->uid].name);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void described_type(struct buffer *out, const struct column *column)
{
    switch (column->type) {
    case COLUMN_TEXT:
    case COLUMN_KEY:
        if (column->max_chars > VARCHAR_MAX_CHARS)
            buffer_append_string(out, "text");
        else
            buffer_appendf(out, "varchar(%u)", (unsigned)column->max_chars);
        return;
    case COLUMN_INT:
        buffer_append_string(out, "tinyint");
        return;
    case COLUMN_TIME:
        buffer_append_string(out, "datetime");
        return;
    }
}

void sql_column_type(struct buffer *out, const struct table *table, size_t column,
                     const struct sql_keep *keep)
{
    static const struct sql_keep nothing = {0};
    const struct column *described = &table->columns[column];
    if (keep == NULL)
        keep = &nothing;

    if (keep->type != NULL)
        buffer_append_string(out, keep->type);
    else
        described_type(out, described);
    if (keep->collation != NULL)
        buffer_appendf(out, " COLLATE %s", keep->collation);
    else if (described->type == COLUMN_TEXT)
        buffer_append_string(out, " COLLATE " SQL_TEXT_COLLATION);
    else if (described->type == COLUMN_KEY)
        buffer_append_string(out, " COLLATE " SQL_KEY_COLLATION);
    if (column == table->uid && !keep->nullable)
        buffer_append_string(out, " NOT NULL");
    else
        buffer_appendf(out, " NULL DEFAULT %s",
                       described->initial != NULL ? described->initial : "NULL");
}

void sql_create_table(struct buffer *out, const struct table *table)
{
    buffer_appendf(out, "CREATE TABLE IF NOT EXISTS `%s` (`id` " SQL_ID_TYPE, table->name);
    for (size_t i = 0; i < table->column_count; i++) {
        buffer_appendf(out, ", `%s` ", table->columns[i].name);
        sql_column_type(out, table, i, NULL);
    }
    buffer_append_string(out, ", PRIMARY KEY (`id`), UNIQUE KEY ");
    sql_unique_name(out, table);
    buffer_appendf(out, " (`%s`)", table->columns[table->uid].name);
    for (size_t i = 0; i < table->index_count; i++)
        buffer_appendf(out, ", KEY %s (%s)", table->indexes[i].name, table->indexes[i].columns);
    buffer_append_string(out, ") ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 "
                              "COLLATE=" SQL_TEXT_COLLATION);
}

/* ---- upsert and update -----------------------------------------------------------------------
 *
 * The right-hand sides of the assignments are templates, which stand here as the rules stand in
 * enum merge_rule:
 *
 *   $N  the column's new value: VALUES(column), or a placeholder in an update
 *   $O  its old value: the column itself
 *   $G  the guard: the new version is newer
 *   $R  the new row revives the old one
 *
 * An assignment sees what those to its left have assigned. So the columns that $R and $G look at
 * come last: deleted, then version.
 */

/* By length, then by text: a version may have more digits than any integer type, and a cast fails
 * on the one old row whose version is no number, and with it the whole batch. No version, or an
 * empty one, is older than any. */
static const char guard[] = "(CHAR_LENGTH($N) > CHAR_LENGTH(COALESCE($O, ''))"
                            " OR (CHAR_LENGTH($N) = CHAR_LENGTH($O) AND $N > $O))";

static const char revives[] = "(COALESCE($O, 0) <> 0 AND COALESCE($N, 0) = 0)";

static const char *const upsert_rules[] = {
    [MERGE_NEWEST] = "IF($G, $N, $O)",
    [MERGE_LAST_KNOWN] = "IF($G, COALESCE($N, $O), COALESCE($O, $N))",
    [MERGE_FIRST_KNOWN] = "IF($G, COALESCE($O, $N), $O)",
    [MERGE_STATUS] = "IF($G, $N, $O)",
    [MERGE_FINISH] = "IF($G, $N, $O)",
    [MERGE_FIRST_FINISH] = "IF($G, IF($R, $N, COALESCE($O, $N)), $O)",
};

/* The words are those of table_status_is_final(). */
static const char *const update_rules[] = {
    [MERGE_NEWEST] = "IF($G, COALESCE($N, $O), $O)",
    [MERGE_LAST_KNOWN] = "IF($G, COALESCE($N, $O), COALESCE($O, $N))",
    [MERGE_FIRST_KNOWN] = "IF($G, COALESCE($O, $N), $O)",
    [MERGE_STATUS] = "IF($G, IF($N = '" STATUS_STOPPED "' AND $O IN ('Succeeded', 'Failed'), $O,"
                     " COALESCE($N, $O)), $O)",
    [MERGE_FINISH] = "IF($G, COALESCE($O, $N), $O)",
    [MERGE_FIRST_FINISH] = "IF($G, COALESCE($O, $N), $O)",
};

/* A statement while it is written. Text and placeholders come from one walk, so that they cannot
 * disagree. */
struct statement {
    struct buffer *out; /* NULL: only the placeholders are of interest */
    const struct table *table;
    bool update;
    size_t params; /* placeholders so far */
    size_t wanted; /* which of them is asked for ... */
    size_t found;  /* ... and the column it is for */
};

static void put(struct statement *statement, struct text text)
{
    if (statement->out != NULL)
        buffer_append(statement->out, text);
}

static void put_column(struct statement *statement, const char *before, size_t column,
                       const char *behind)
{
    put(statement, text_from(before));
    put(statement, text_from(statement->table->columns[column].name));
    put(statement, text_from(behind));
}

static void put_placeholder(struct statement *statement, size_t column)
{
    if (statement->params == statement->wanted)
        statement->found = column;
    statement->params++;
    put(statement, TEXT("?"));
}

/* Writes a template. Its depth is bounded: $G and $R stand for templates that have neither. */
static void expand(struct statement *statement, const char *template, size_t column)
{
    for (const char *dollar; (dollar = strchr(template, '$')) != NULL; template = dollar + 2) {
        put(statement, (struct text){template, (size_t)(dollar - template)});
        switch (dollar[1]) {
        case 'N':
            if (statement->update)
                put_placeholder(statement, column);
            else
                put_column(statement, "VALUES(`", column, "`)");
            break;
        case 'O':
            put_column(statement, "`", column, "`");
            break;
        case 'G':
            expand(statement, guard, statement->table->version);
            break;
        case 'R':
            expand(statement, revives, statement->table->deleted);
            break;
        }
    }
    put(statement, text_from(template));
}

static void put_assignment(struct statement *statement, size_t column, bool first)
{
    enum merge_rule rule = statement->table->columns[column].merge;
    put_column(statement, first ? "`" : ", `", column, "` = ");
    expand(statement, statement->update ? update_rules[rule] : upsert_rules[rule], column);
}

static void put_assignments(struct statement *statement)
{
    const struct table *table = statement->table;
    bool first = true;
    for (size_t i = 0; i < table->column_count; i++) {
        if (i == table->uid || i == table->deleted || i == table->version)
            continue;
        put_assignment(statement, i, first);
        first = false;
    }
    put_assignment(statement, table->deleted, first);
    put_assignment(statement, table->version, false);
}

void sql_upsert(struct buffer *out, const struct table *table, size_t rows)
{
    buffer_appendf(out, "INSERT INTO `%s` (", table->name);
    for (size_t i = 0; i < table->column_count; i++)
        buffer_appendf(out, "%s`%s`", i == 0 ? "" : ", ", table->columns[i].name);
    buffer_append_string(out, ") VALUES ");
    for (size_t row = 0; row < rows; row++) {
        buffer_append_string(out, row == 0 ? "(?" : ", (?");
        for (size_t i = 1; i < table->column_count; i++)
            buffer_append_string(out, ", ?");
        buffer_append_char(out, ')');
    }
    /* VALUES() and not a row alias, which MariaDB does not have. */
    buffer_append_string(out, " ON DUPLICATE KEY UPDATE ");
    put_assignments(&(struct statement){.out = out, .table = table});
}

static void put_update(struct statement *statement)
{
    put(statement, TEXT("UPDATE `"));
    put(statement, text_from(statement->table->name));
    put(statement, TEXT("` SET "));
    put_assignments(statement);
    put_column(statement, " WHERE `", statement->table->uid, "` = ");
    put_placeholder(statement, statement->table->uid);
}

void sql_update(struct buffer *out, const struct table *table)
{
    put_update(&(struct statement){.out = out, .table = table, .update = true});
}

size_t sql_update_params(const struct table *table)
{
    struct statement statement = {.table = table, .update = true};
    put_update(&statement);
    return statement.params;
}

size_t sql_update_param(const struct table *table, size_t i)
{
    struct statement statement = {.table = table, .update = true, .wanted = i};
    put_update(&statement);
    return statement.found;
}
