/* sql: statements from the table descriptions (see sql.h). */
#include "lib/sql/sql.h"

#include <ctype.h>
#include <string.h>

/* ---- tables ---------------------------------------------------------------------------------- */

void sql_unique_key(struct buffer *out, const struct table *table)
{
    const char *uid = table->columns[table->uid].name;
    buffer_appendf(out, "UNIQUE KEY uk_%s (`%s`)", uid, uid);
}

void sql_column_type(struct buffer *out, const struct table *table, size_t column,
                     const struct sql_keep *keep)
{
    const struct column *described = &table->columns[column];
    const bool is_text = described->type == COLUMN_TEXT || described->type == COLUMN_KEY;
    if (keep != NULL && keep->type != NULL)
        buffer_append_string(out, keep->type);
    else if (is_text && described->max_chars <= VARCHAR_MAX_CHARS)
        buffer_appendf(out, "varchar(%u)", (unsigned)described->max_chars);
    else if (is_text)
        buffer_append_string(out, "text");
    else
        buffer_append_string(out, described->type == COLUMN_INT ? "tinyint" : "datetime");
    if (keep != NULL && keep->collation != NULL)
        buffer_appendf(out, " COLLATE %s", keep->collation);
    else if (is_text)
        buffer_appendf(out, " COLLATE %s",
                       described->type == COLUMN_KEY ? SQL_KEY_COLLATION : SQL_TEXT_COLLATION);
    if (column == table->uid && (keep == NULL || !keep->nullable))
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
    buffer_append_string(out, ", PRIMARY KEY (`id`), ");
    sql_unique_key(out, table);
    for (size_t i = 0; i < table->index_count; i++)
        buffer_appendf(out, ", KEY %s (%s)", table->indexes[i].name, table->indexes[i].columns);
    buffer_append_string(out, ") ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 "
                              "COLLATE=" SQL_TEXT_COLLATION);
}

/* ---- upsert and update -----------------------------------------------------------------------
 *
 * The right-hand sides of the assignments are templates, one for each rule of enum merge_rule. A capital
 * letter stands for the value that comes, which is VALUES(column), or a placeholder in an update; a small
 * letter for the value that the row has, which is the column itself:
 *
 *   $N $n  the column that is assigned
 *   $V $v  version
 *   $T $t  stated_version
 *   $M $m  gmt_modified
 *   $B $b  gmt_created
 *   $D $d  deleted
 *   $K $k  the version at which a LAST_KNOWN column was known
 *
 * Three letters stand for conditions, which are templates themselves:
 *
 *   $S     the row that comes has the newer event
 *   $G     the row that comes is the latest row
 *   $C     the merged row is closed
 *
 * An assignment sees the values that the assignments to its left have made. So a column that others look at
 * is assigned after them: a KNOWN_AT column stands behind its LAST_KNOWN column, and gmt_created,
 * gmt_modified, deleted, stated_version and version come last, in this order. (Where REOPENS decides there is
 * no tombstone, and stated_version stays NULL, whatever `deleted` has become.)
 */

/* Versions are compared by length, then by text: a version may have more digits than any integer type, and a
 * cast fails on the one old row whose version is no number, and with it the whole batch. NULL and the empty
 * version are older than any other. Nearly all versions that meet have the same length, so that is compared
 * first: this stands in every assignment, and decides what a statement costs the server. */
#define NEWER(new, old)                                                                            \
    "((LENGTH(" new ") = LENGTH(" old ") AND " new " > " old ")"                                   \
                                                   " OR LENGTH(" new ") > LENGTH(COALESCE(" old    \
                                                                     ", '')))"

/* Of two events of the same version: what was shown alive at it was not gone. */
#define REOPENS "(COALESCE($d, 0) <> 0 AND COALESCE($D, 0) = 0)"

static const char comes_has_event[] =
    "(" NEWER("COALESCE($T, $V)",
              "COALESCE($t, $v)") " OR ($V = $v AND $T IS NULL AND $t IS NULL AND " REOPENS "))";
static const char comes_is_latest[] =
    "(" NEWER("$V", "$v") " OR ($V = $v AND $T IS NULL AND ($t IS NOT NULL OR " REOPENS ")))";
static const char closed[] = "CASE WHEN $G THEN $T ELSE $t END IS NOT NULL";

#define SAID "CASE WHEN $S THEN $N ELSE $n END"

/* The words are those of table_status_is_final(). */
static const char *const rules[] = {
    [MERGE_EVENT] = SAID,
    [MERGE_SETTLED] = "CASE WHEN $S THEN COALESCE($N, $n) ELSE COALESCE($n, $N) END",
    [MERGE_LAST_KNOWN] = "CASE WHEN " NEWER("$K", "$k") " THEN $N ELSE $n END",
    [MERGE_KNOWN_AT] = "CASE WHEN " NEWER("$K", "$k") " THEN $N ELSE $n END",
    [MERGE_EARLIEST] = "CASE WHEN $N IS NOT NULL AND ($n IS NULL OR $n = $b"
                       " OR ($N < $n AND ($B IS NULL OR $N <> $B))) THEN $N ELSE $n END",
    [MERGE_STATUS] = "CASE WHEN $C AND COALESCE(" SAID ", '') NOT IN ('Succeeded', 'Failed')"
                     " THEN '" STATUS_STOPPED "' ELSE " SAID " END",
    [MERGE_END] = "COALESCE(CASE WHEN $S"
                  " THEN CASE WHEN $T IS NOT NULL AND $N = $M THEN NULL ELSE $N END"
                  " ELSE CASE WHEN $t IS NOT NULL AND $n = $m THEN NULL ELSE $n END END,"
                  " CASE WHEN $C THEN CASE WHEN $G THEN $M ELSE $m END END)",
    [MERGE_LATEST] = "CASE WHEN $G THEN $N ELSE $n END",
    [MERGE_STATED] = "CASE WHEN $C THEN"
                     " CASE WHEN $S THEN COALESCE($T, $V) ELSE COALESCE($t, $v, '') END END",
    [MERGE_VERSION] = "CASE WHEN " NEWER("$V", "$v") " THEN $V ELSE $v END",
};

/* A statement while it is written. Its text and its placeholders come from one walk, so that they cannot
 * disagree. */
struct statement {
    struct buffer *out; /* NULL: the text is not wanted */
    const struct table *table;
    bool is_update;
    uint8_t *columns; /* of the placeholders; NULL: not wanted */
    size_t params;    /* the number of placeholders so far */
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
    if (statement->columns != NULL)
        statement->columns[statement->params] = (uint8_t)column;
    statement->params++;
    put(statement, TEXT("?"));
}

/* Returns the column that a letter of a template stands for. */
static size_t column_of(const struct table *table, char letter, size_t assigned)
{
    switch (tolower((unsigned char)letter)) {
    case 'v':
        return table->version;
    case 't':
        return table->stated;
    case 'm':
        return table->modified;
    case 'd':
        return table->deleted;
    case 'b':
        return table->created;
    case 'k':
        return table->columns[assigned].merge == MERGE_LAST_KNOWN ? assigned + 1 : assigned;
    default:
        return assigned;
    }
}

/* Writes a template. The recursion is bounded: $C stands for a template that has $G, and $S and $G stand for
 * templates that have none of the three. */
static void expand(struct statement *statement, const char *template, size_t assigned)
{
    for (const char *dollar; (dollar = strchr(template, '$')) != NULL; template = dollar + 2) {
        const char letter = dollar[1];
        put(statement, (struct text){template, (size_t)(dollar - template)});
        if (letter == 'S' || letter == 'G' || letter == 'C') {
            expand(statement,
                   letter == 'S'   ? comes_has_event
                   : letter == 'G' ? comes_is_latest
                                   : closed,
                   assigned);
            continue;
        }
        size_t column = column_of(statement->table, letter, assigned);
        if (!isupper((unsigned char)letter))
            put_column(statement, "`", column, "`");
        else if (statement->is_update)
            put_placeholder(statement, column);
        else
            put_column(statement, "VALUES(`", column, "`)");
    }
    put(statement, text_from(template));
}

static void put_assignments(struct statement *statement)
{
    const struct table *table = statement->table;
    const size_t last[] = {table->created, table->modified, table->deleted, table->stated,
                           table->version};
    const size_t last_count = sizeof(last) / sizeof(last[0]);
    bool passed[TABLE_MAX_COLUMNS] = {false};
    const char *before = "`";
    passed[table->uid] = true; /* both rows have the same */
    for (size_t i = 0; i < last_count; i++)
        passed[last[i]] = true;
    for (size_t i = 0; i < table->column_count + last_count; i++) {
        size_t column = i < table->column_count ? i : last[i - table->column_count];
        if (i < table->column_count && passed[i])
            continue;
        put_column(statement, before, column, "` = ");
        expand(statement, rules[table->columns[column].merge], column);
        before = ", `";
    }
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

size_t sql_update(struct buffer *out, const struct table *table, uint8_t *columns)
{
    struct statement statement = {
        .out = out, .table = table, .is_update = true, .columns = columns};
    put(&statement, TEXT("UPDATE `"));
    put(&statement, text_from(table->name));
    put(&statement, TEXT("` SET "));
    put_assignments(&statement);
    put_column(&statement, " WHERE `", table->uid, "` = ");
    put_placeholder(&statement, table->uid);
    return statement.params;
}
