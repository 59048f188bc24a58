/* sql: the text of every statement, made from the table descriptions.
 *
 * The texts work on MariaDB and on MySQL alike. Nothing here is ever built from data. */
#ifndef LIB_SQL_H
#define LIB_SQL_H

#include "lib/buffer.h"
#include "lib/table.h"

#include <stddef.h>

/* "varchar(253) ..." as it stands in CREATE TABLE and ALTER TABLE. */
void sql_column_type(struct buffer *out, const struct table *table, size_t column);

/* CREATE TABLE IF NOT EXISTS, whole, with keys. */
void sql_create_table(struct buffer *out, const struct table *table);

/* Multi-row guarded upsert with rows * column_count placeholders, in the order of the columns, row
 * by row. See enum merge_rule for what it does. */
void sql_upsert(struct buffer *out, const struct table *table, size_t rows);

/* Guarded update of one row by uid (ROW_UPDATE): placeholders are sql_update_params() of them;
 * parameter i is bound to column sql_update_param(table, i). */
void sql_update(struct buffer *out, const struct table *table);
size_t sql_update_params(const struct table *table);
size_t sql_update_param(const struct table *table, size_t i);

#endif
