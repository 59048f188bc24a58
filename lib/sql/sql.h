/* sql: the text of every statement, made from the table descriptions.
 *
 * The texts work on MariaDB and on MySQL alike. Nothing here is ever built from data. */
#ifndef LIB_SQL_H
#define LIB_SQL_H

#include "lib/base/buffer.h"
#include "lib/rows/table.h"

#include <stddef.h>

/* What a column keeps of what it is already, where its type is written again. */
struct sql_keep {
    const char *type;      /* a type that is wide enough, "varchar(512)"; NULL: the described one */
    const char *collation; /* NULL: the described one */
    bool nullable;         /* for a uid: NULL is still allowed */
};

/* What stands behind a column's name in CREATE TABLE and ALTER TABLE: "varchar(253) COLLATE ... NULL
 * DEFAULT ...". The collation says the character set as well. keep may be NULL. */
void sql_column_type(struct buffer *out, const struct table *table, size_t column,
                     const struct sql_keep *keep);

/* CREATE TABLE IF NOT EXISTS, whole, with keys, on one line. */
void sql_create_table(struct buffer *out, const struct table *table);

/* The type of the id that every table has besides its described columns, and the collations of the
 * text and key columns. */
#define SQL_ID_TYPE        "bigint unsigned NOT NULL AUTO_INCREMENT"
#define SQL_TEXT_COLLATION "utf8mb4_general_ci"
#define SQL_KEY_COLLATION  "ascii_bin"

/* "uk_<uid>": the name of the unique key. */
void sql_unique_name(struct buffer *out, const struct table *table);

/* Multi-row guarded upsert with rows * column_count placeholders, in the order of the columns, row
 * by row. See enum merge_rule for what it does. */
void sql_upsert(struct buffer *out, const struct table *table, size_t rows);

/* Guarded update of one row by uid (ROW_UPDATE): placeholders are sql_update_params() of them;
 * parameter i is bound to column sql_update_param(table, i). */
void sql_update(struct buffer *out, const struct table *table);
size_t sql_update_params(const struct table *table);
size_t sql_update_param(const struct table *table, size_t i);

#endif
