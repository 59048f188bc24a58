/* sql: the text of every statement that writes rows, made from the descriptions of the tables.
 *
 * The texts work on MariaDB and on MySQL alike. They are never made of data, which goes into placeholders. A
 * text that does not fit its buffer sets buffer.failed. */
#ifndef LIB_SQL_H
#define LIB_SQL_H

#include "lib/base/buffer.h"
#include "lib/rows/table.h"

#include <stddef.h>
#include <stdint.h>

/* What a column keeps of its present type when its type is written again. */
struct sql_keep {
    const char *type;      /* a type that is wide enough, "varchar(512)"; NULL: the described one */
    const char *collation; /* NULL: the described one */
    bool nullable;         /* of the uid: NULL is still allowed */
};

/* Appends what stands behind a column's name in CREATE TABLE and ALTER TABLE: "varchar(253) COLLATE ... NULL
 * DEFAULT ...". The collation determines the character set as well. keep may be NULL. */
void sql_column_type(struct buffer *out, const struct table *table, size_t column,
                     const struct sql_keep *keep);

/* Appends a CREATE TABLE IF NOT EXISTS with all keys, on one line. */
void sql_create_table(struct buffer *out, const struct table *table);

/* The type of the column id, which every table has besides its described columns, and the collations of text
 * and key columns. */
#define SQL_ID_TYPE        "bigint unsigned NOT NULL AUTO_INCREMENT"
#define SQL_TEXT_COLLATION "utf8mb4_general_ci"
#define SQL_KEY_COLLATION  "ascii_bin"

/* The collation under which texts are equal only if their bytes are. */
#define SQL_EXACT_COLLATION "utf8mb4_bin"

/* Appends "UNIQUE KEY uk_<uid> (`<uid>`)". */
void sql_unique_key(struct buffer *out, const struct table *table);

/* Appends an INSERT of several rows that updates the rows that are there, by the rules of enum merge_rule. It
 * has rows * column_count placeholders, row by row in the order of the columns. */
void sql_upsert(struct buffer *out, const struct table *table, size_t rows);

/* Appends the UPDATE of one row by its uid, by the same rules (ROW_UPDATE), and returns the number of its
 * placeholders. columns[i] becomes the column that placeholder i is bound to. Each of out and columns may be
 * NULL. */
size_t sql_update(struct buffer *out, const struct table *table, uint8_t *columns);

#endif
