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
 * The right-hand sides of the assignments are templates, one for each rule of enum merge_rule. What
 * comes is VALUES(column), or a placeholder in an update; what is there is the column itself:
 *
 *            comes   is there
 *             $N       $O      the column that is assigned
 *             $V       $v      version
 *             $T       $t      stated_version
 *             $M       $m      gmt_modified
 *             $B       $b      gmt_created
 *             $D       $d      deleted
 *             $K       $k      the version at which a LAST_KNOWN column was known
 *
 *   $S  the row that comes has the newer event
 *   $G  it is on top
 *   $C  the merged row is closed
 *
 * An assignment sees what those to its left have assigned. So what others look at is assigned behind
 * them: a KNOWN_AT column stands behind its LAST_KNOWN column, and gmt_created, gmt_modified, deleted,
 * stated_version and version come last, in this order. (Where REOPENS decides there is no tombstone,
 * and stated_version stays NULL, whatever `deleted` has become.)
 */

/* By length, then by text: a version may have more digits than any integer type, and a cast fails
 * on the one old row whose version is no number, and with it the whole batch. No version, or an
 * empty one, is older than any. Nearly all versions that meet have the same length, so that is looked at
 * first: this stands in every assignment, and decides what a statement costs the server. */
#define NEWER(new, old)                                                                            \
    "((LENGTH(" new ") = LENGTH(" old ") AND " new " > " old ")"                                   \
                                                   " OR LENGTH(" new ") > LENGTH(COALESCE(" old    \
                                                                     ", '')))"

/* Of two events of the same version: what was shown alive at it was not gone. */
#define REOPENS "(COALESCE($d, 0) <> 0 AND COALESCE($D, 0) = 0)"

static const char comes_says[] =
    "(" NEWER("COALESCE($T, $V)",
              "COALESCE($t, $v)") " OR ($V = $v AND $T IS NULL AND $t IS NULL AND " REOPENS "))";
static const char comes_on_top[] =
    "(" NEWER("$V", "$v") " OR ($V = $v AND $T IS NULL AND ($t IS NOT NULL OR " REOPENS ")))";
static const char closed[] = "CASE WHEN $G THEN $T ELSE $t END IS NOT NULL";

#define SAID "CASE WHEN $S THEN $N ELSE $O END"

/* The words are those of table_status_is_final(). */
static const char *const rules[] = {
    [MERGE_NEWEST] = SAID,
    [MERGE_SETTLED] = "CASE WHEN $S THEN COALESCE($N, $O) ELSE COALESCE($O, $N) END",
    [MERGE_LAST_KNOWN] = "CASE WHEN " NEWER("$K", "$k") " THEN $N ELSE $O END",
    [MERGE_KNOWN_AT] = "CASE WHEN " NEWER("$K", "$k") " THEN $N ELSE $O END",
    [MERGE_EARLIEST] = "CASE WHEN $N IS NOT NULL AND ($O IS NULL OR $O = $b"
                       " OR ($N < $O AND ($B IS NULL OR $N <> $B))) THEN $N ELSE $O END",
    [MERGE_STATUS] = "CASE WHEN $C AND COALESCE(" SAID ", '') NOT IN ('Succeeded', 'Failed')"
                     " THEN '" STATUS_STOPPED "' ELSE " SAID " END",
    [MERGE_END] = "COALESCE(CASE WHEN $S"
                  " THEN CASE WHEN $T IS NOT NULL AND $N = $M THEN NULL ELSE $N END"
                  " ELSE CASE WHEN $t IS NOT NULL AND $O = $m THEN NULL ELSE $O END END,"
                  " CASE WHEN $C THEN CASE WHEN $G THEN $M ELSE $m END END)",
    [MERGE_TOP] = "CASE WHEN $G THEN $N ELSE $O END",
    [MERGE_STATED] = "CASE WHEN $C THEN"
                     " CASE WHEN $S THEN COALESCE($T, $V) ELSE COALESCE($t, $v, '') END END",
    [MERGE_VERSION] = "CASE WHEN " NEWER("$V", "$v") " THEN $V ELSE $v END",
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

static void put_value(struct statement *statement, size_t column, bool comes)
{
    if (!comes)
        put_column(statement, "`", column, "`");
    else if (statement->update)
        put_placeholder(statement, column);
    else
        put_column(statement, "VALUES(`", column, "`)");
}

/* Writes a template. Its depth is bounded: $C stands for a template that has $G, and $S and $G for
 * templates that have none of the three. */
static void expand(struct statement *statement, const char *template, size_t column)
{
    const struct table *table = statement->table;
    size_t known_at = table->columns[column].merge == MERGE_LAST_KNOWN ? column + 1 : column;
    for (const char *dollar; (dollar = strchr(template, '$')) != NULL; template = dollar + 2) {
        put(statement, (struct text){template, (size_t)(dollar - template)});
        switch (dollar[1]) {
        case 'N':
        case 'O':
            put_value(statement, column, dollar[1] == 'N');
            break;
        case 'V':
        case 'v':
            put_value(statement, table->version, dollar[1] == 'V');
            break;
        case 'T':
        case 't':
            put_value(statement, table->stated, dollar[1] == 'T');
            break;
        case 'M':
        case 'm':
            put_value(statement, table->modified, dollar[1] == 'M');
            break;
        case 'D':
        case 'd':
            put_value(statement, table->deleted, dollar[1] == 'D');
            break;
        case 'B':
        case 'b':
            put_value(statement, table->created, dollar[1] == 'B');
            break;
        case 'K':
        case 'k':
            put_value(statement, known_at, dollar[1] == 'K');
            break;
        case 'S':
            expand(statement, comes_says, column);
            break;
        case 'G':
            expand(statement, comes_on_top, column);
            break;
        case 'C':
            expand(statement, closed, column);
            break;
        }
    }
    put(statement, text_from(template));
}

static void put_assignment(struct statement *statement, size_t column, bool first)
{
    put_column(statement, first ? "`" : ", `", column, "` = ");
    expand(statement, rules[statement->table->columns[column].merge], column);
}

static void put_assignments(struct statement *statement)
{
    const struct table *table = statement->table;
    const size_t last[] = {table->created, table->modified, table->deleted, table->stated,
                           table->version};
    bool later[TABLE_MAX_COLUMNS] = {false};
    bool first = true;
    later[table->uid] = true; /* it is the same */
    for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++)
        later[last[i]] = true;
    for (size_t i = 0; i < table->column_count; i++) {
        if (later[i])
            continue;
        put_assignment(statement, i, first);
        first = false;
    }
    for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++)
        put_assignment(statement, last[i], false);
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
