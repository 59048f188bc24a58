/* schema: reading what information_schema says (see schema.h). */
#include "lib/sql/schema.h"

#include "lib/base/invariant.h"
#include "lib/base/memory.h"
#include "lib/sql/sql.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct schema *schema_new(const struct table *const *described)
{
    struct schema *schema = memory_new(sizeof(*schema));
    for (; *described != NULL; described++) {
        invariant(schema->table_count < SCHEMA_MAX_TABLES);
        schema->tables[schema->table_count++].table = *described;
    }
    return schema;
}

void schema_free(struct schema *schema)
{
    free(schema);
}

/* ---- what is asked --------------------------------------------------------------------------- */

enum { TABLE_NAME, TABLE_TYPE, TABLE_ENGINE, TABLE_ROW_FORMAT, TABLE_OPTIONS, TABLE_VALUES };
#define TABLE_FIELDS "TABLE_NAME, TABLE_TYPE, ENGINE, ROW_FORMAT, CREATE_OPTIONS"

enum {
    COLUMN_TABLE,
    COLUMN_NAME,
    COLUMN_DATA_TYPE,
    COLUMN_FULL_TYPE,
    COLUMN_NULLABLE,
    COLUMN_SIZE,
    COLUMN_COLLATION,
    COLUMN_DEFAULT,
    COLUMN_EXTRA,
    COLUMN_VALUES
};
#define COLUMN_FIELDS                                                                              \
    "TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, CHARACTER_MAXIMUM_LENGTH, "     \
    "COLLATION_NAME, COLUMN_DEFAULT, EXTRA"

enum {
    INDEX_TABLE,
    INDEX_NAME,
    INDEX_POSITION,
    INDEX_COLUMN,
    INDEX_PART,
    INDEX_NOT_UNIQUE,
    INDEX_VALUES
};
#define INDEX_FIELDS "TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, SUB_PART, NON_UNIQUE"

enum { RECORD_VERSION, RECORD_OLDEST_WRITER, RECORD_VALUES };

/* A descending index counts as one on its columns. Indexes that cannot be searched by their first columns,
 * such as FULLTEXT, are left out, unless they are unique. */
static const struct {
    size_t values; /* of each row of the answer */
    const char *select;
    const char *rest; /* behind the condition on the tables */
} questions[SCHEMA_QUESTIONS] = {
    [SCHEMA_TABLES] = {TABLE_VALUES, "SELECT " TABLE_FIELDS " FROM information_schema.TABLES", ""},
    [SCHEMA_COLUMNS] = {COLUMN_VALUES, "SELECT " COLUMN_FIELDS " FROM information_schema.COLUMNS",
                        ""},
    [SCHEMA_INDEXES] = {INDEX_VALUES, "SELECT " INDEX_FIELDS " FROM information_schema.STATISTICS",
                        " AND (INDEX_TYPE = 'BTREE' OR NON_UNIQUE = 0)"
                        " ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"},
    [SCHEMA_RECORD] = {RECORD_VALUES,
                       "SELECT MAX(version), MAX(oldest_writer) FROM " SCHEMA_RECORD_TABLE, ""},
};

bool schema_ask(const struct schema *schema, enum schema_question question, struct buffer *out)
{
    buffer_append_string(out, questions[question].select);
    if (question == SCHEMA_RECORD)
        return schema->has_record;
    buffer_append_string(
        out, " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ('" SCHEMA_RECORD_TABLE "'");
    for (size_t i = 0; i < schema->table_count; i++)
        buffer_appendf(out, ", '%s'", schema->tables[i].table->name);
    buffer_appendf(out, ")%s", questions[question].rest);
    return true;
}

/* ---- what is answered ------------------------------------------------------------------------ */

/* Compares names, which are ASCII here, as servers do: without regard to case. */
static bool is(struct text text, const char *name)
{
    return text.data != NULL && text.length == strlen(name) &&
           strncasecmp(text.data, name, text.length) == 0;
}

static bool is_one_of(struct text text, const char *const *names)
{
    while (*names != NULL && !is(text, *names))
        names++;
    return *names != NULL;
}

/* Returns 0 for NULL and for what is no number. */
static uint64_t number(struct text text)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.length && is_digit(text.data[i]); i++) {
        if (value > (UINT64_MAX - 9) / 10)
            return UINT64_MAX;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    return value;
}

static struct schema_table *find_table(struct schema *schema, struct text name)
{
    for (size_t i = 0; i < schema->table_count; i++) {
        if (is(name, schema->tables[i].table->name))
            return &schema->tables[i];
    }
    return NULL;
}

static void read_table(struct schema *schema, const struct text *values)
{
    static const char *const without_transactions[] = {"MyISAM", "Aria", "MEMORY", "CSV", NULL};
    static const char *const short_keys[] = {"Compact", "Redundant", NULL};
    if (is(values[TABLE_NAME], SCHEMA_RECORD_TABLE))
        schema->has_record = true;
    struct schema_table *table = find_table(schema, values[TABLE_NAME]);
    if (table == NULL)
        return;
    table->exists = true;
    table->is_view = text_contains(values[TABLE_TYPE], "VIEW");
    table->loses_writes = is_one_of(values[TABLE_ENGINE], without_transactions);
    table->has_short_keys = is_one_of(values[TABLE_ROW_FORMAT], short_keys);
    table->is_partitioned = text_contains(values[TABLE_OPTIONS], "partitioned");
    table->is_compressed = is(values[TABLE_ROW_FORMAT], "Compressed");
}

static enum schema_type type_of(struct text data_type)
{
    static const char *const varchars[] = {"varchar", "char", NULL};
    static const char *const texts[] = {"tinytext", "text", "mediumtext", "longtext", NULL};
    static const char *const integers[] = {"tinyint", "smallint", "mediumint",
                                           "int",     "bigint",   NULL};
    if (is_one_of(data_type, varchars))
        return SCHEMA_VARCHAR;
    if (is_one_of(data_type, texts))
        return SCHEMA_TEXT;
    if (is_one_of(data_type, integers))
        return SCHEMA_INTEGER;
    return is(data_type, "datetime") ? SCHEMA_DATETIME : SCHEMA_OTHER;
}

static void read_column(struct schema *schema, const struct text *values)
{
    struct schema_table *there = find_table(schema, values[COLUMN_TABLE]);
    if (there == NULL)
        return;
    struct schema_column column = {
        .exists = true,
        .type = type_of(values[COLUMN_DATA_TYPE]),
        .size = number(values[COLUMN_SIZE]),
        .nullable = is(values[COLUMN_NULLABLE], "YES"),
        /* MariaDB shows the default NULL as a text of four letters. */
        .has_default = values[COLUMN_DEFAULT].data != NULL && !is(values[COLUMN_DEFAULT], "NULL"),
        .counts = text_contains(values[COLUMN_EXTRA], "auto_increment"),
        .big = is(values[COLUMN_DATA_TYPE], "bigint"),
    };
    text_copy(column.type_text, SCHEMA_NAME_SIZE, values[COLUMN_FULL_TYPE]);
    text_copy(column.collation, SCHEMA_NAME_SIZE, values[COLUMN_COLLATION]);
    if (is(values[COLUMN_NAME], "id")) {
        there->id = column;
        return;
    }
    for (size_t i = 0; i < there->table->column_count; i++) {
        if (is(values[COLUMN_NAME], there->table->columns[i].name)) {
            there->columns[i] = column;
            return;
        }
    }
    bool is_generated = text_contains(values[COLUMN_EXTRA], "GENERATED");
    if (!column.nullable && !column.has_default && !column.counts && !is_generated)
        text_copy(there->stranger, SCHEMA_NAME_SIZE, values[COLUMN_NAME]);
}

static enum error_code read_index(struct schema *schema, const struct text *values,
                                  struct error *err)
{
    struct schema_table *there = find_table(schema, values[INDEX_TABLE]);
    if (there == NULL)
        return ERROR_NONE;
    if (number(values[INDEX_POSITION]) == 1) {
        if (there->index_count == SCHEMA_MAX_INDEXES)
            return error_set(err, ERROR_FULL, "table %s has more than %d indexes",
                             there->table->name, SCHEMA_MAX_INDEXES);
        struct schema_index *new = &there->indexes[there->index_count++];
        text_copy(new->name, SCHEMA_NAME_SIZE, values[INDEX_NAME]);
        new->unique = number(values[INDEX_NOT_UNIQUE]) == 0;
    }
    if (there->index_count == 0)
        return error_set(err, ERROR_INPUT, "an index of table %s has no first column",
                         there->table->name);

    struct schema_index *index = &there->indexes[there->index_count - 1];
    struct text name = values[INDEX_COLUMN];
    struct text part = values[INDEX_PART];
    const char *uid = there->table->columns[there->table->uid].name;
    if (part.data == NULL && (is(name, uid) || is(name, "id")))
        index->holds_uid = true;
    /* An expression has no name. What does not fit is cut off: the first columns, by which an index is
     * searched, are still right. */
    size_t length = strlen(index->columns);
    char *end = index->columns + length;
    size_t room = sizeof(index->columns) - length;
    if (part.data == NULL)
        (void)snprintf(end, room, "%.*s,", (int)name.length, name.data != NULL ? name.data : "");
    else
        (void)snprintf(end, room, "%.*s(%.*s),", (int)name.length,
                       name.data != NULL ? name.data : "", (int)part.length, part.data);
    return ERROR_NONE;
}

enum error_code schema_answer(struct schema *schema, enum schema_question question,
                              const struct text *values, size_t count, struct error *err)
{
    if (count != questions[question].values)
        return error_set(err, ERROR_INPUT, "information_schema answers with %zu values, not %zu",
                         count, questions[question].values);
    switch (question) {
    case SCHEMA_TABLES:
        read_table(schema, values);
        return ERROR_NONE;
    case SCHEMA_COLUMNS:
        read_column(schema, values);
        return ERROR_NONE;
    case SCHEMA_INDEXES:
        return read_index(schema, values, err);
    case SCHEMA_RECORD:
        schema->version = (int64_t)(number(values[RECORD_VERSION]) & INT64_MAX);
        schema->oldest_writer = (int64_t)(number(values[RECORD_OLDEST_WRITER]) & INT64_MAX);
        return ERROR_NONE;
    }
    return ERROR_NONE;
}

/* ---- what follows from it -------------------------------------------------------------------- */

/* found: "status,gmt_created,name,"; wanted: "status, gmt_created". */
static bool begins_with(const char *found, const char *wanted)
{
    for (; *wanted != '\0'; wanted++) {
        if (*wanted == ' ')
            continue;
        if (tolower((unsigned char)*found) != tolower((unsigned char)*wanted))
            return false;
        found++;
    }
    return *found == ',';
}

bool schema_has_index(const struct schema_table *there, const char *columns)
{
    for (size_t i = 0; i < there->index_count; i++) {
        if (begins_with(there->indexes[i].columns, columns))
            return true;
    }
    return false;
}

bool schema_uid_is_unique(const struct schema_table *there)
{
    const char *uid = there->table->columns[there->table->uid].name;
    for (size_t i = 0; i < there->index_count; i++) {
        const struct schema_index *index = &there->indexes[i];
        if (index->unique && begins_with(index->columns, uid) &&
            strlen(index->columns) == strlen(uid) + 1)
            return true;
    }
    return false;
}

/* Returns a described column other than the uid that is in the primary key, or NULL. The descriptions allow
 * NULL in it, which a primary key does not. */
static const char *column_in_primary_key(const struct schema_table *there)
{
    const struct table *table = there->table;
    for (size_t i = 0; i < there->index_count; i++) {
        const struct schema_index *index = &there->indexes[i];
        for (size_t c = 0; strcmp(index->name, "PRIMARY") == 0 && c < table->column_count; c++) {
            char name[SCHEMA_NAME_SIZE + 2], columns[sizeof(index->columns) + 1];
            snprintf(name, sizeof(name), ",%s,", table->columns[c].name);
            snprintf(columns, sizeof(columns), ",%s", index->columns);
            if (c != table->uid && strstr(columns, name) != NULL)
                return table->columns[c].name;
        }
    }
    return NULL;
}

enum error_code schema_check(const struct schema_table *there, struct error *err)
{
    const char *name = there->table->name;
    const char *uid = there->table->columns[there->table->uid].name;
    if (there->is_view)
        return error_set(err, ERROR_OPERATOR,
                         "%s is a view, but rows are written to a table: rename the view", name);
    if (!there->id.exists)
        return error_set(err, ERROR_OPERATOR,
                         "table %s has no column id: ALTER TABLE `%s` ADD COLUMN `id` " SQL_ID_TYPE
                         " UNIQUE FIRST",
                         name, name);
    const char *in_primary_key = column_in_primary_key(there);
    if (in_primary_key != NULL)
        return error_set(
            err, ERROR_OPERATOR,
            "column %s of table %s is in its primary key, and can neither be NULL nor be "
            "left out of a unique key%s: %s%s%sALTER TABLE `%s` DROP PRIMARY KEY, ADD "
            "PRIMARY KEY (`id`)",
            in_primary_key, name, there->is_partitioned ? ", because the table is partitioned" : "",
            there->is_partitioned ? "ALTER TABLE `" : "", there->is_partitioned ? name : "",
            there->is_partitioned ? "` REMOVE PARTITIONING; " : "", name);
    if (there->stranger[0] != '\0')
        return error_set(err, ERROR_OPERATOR,
                         "column %s of table %s must be given in every INSERT, but is not known "
                         "here: give it a default value, or allow NULL",
                         there->stranger, name);
    for (size_t i = 0; i < there->index_count; i++) {
        const struct schema_index *index = &there->indexes[i];
        if (index->unique && !index->holds_uid)
            return error_set(err, ERROR_OPERATOR,
                             "unique key %s of table %s is on other columns than %s, so that a row "
                             "would be written over that of another object: ALTER TABLE `%s` DROP "
                             "INDEX `%s`",
                             index->name, name, uid, name, index->name);
    }
    return ERROR_NONE;
}
