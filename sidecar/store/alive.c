/* alive: one SELECT over the index on what is alive. */
#include "sidecar/store/alive.h"

#define SQL_LIMIT 4096

/* Once for the index, and once to the letter: the column's collation takes "Blue" for "blue". */
static void append_condition(struct buffer *sql, struct db *db, const struct column *column,
                             const char *value)
{
    buffer_appendf(sql, " AND `%s` = ", column->name);
    db_quote(db, sql, text_from(value));
    buffer_appendf(sql, " AND `%s` = ", column->name);
    db_quote(db, sql, text_from(value));
    buffer_append_string(sql, " COLLATE utf8mb4_bin");
}

/* A row that KubeDL wrote names no group: it is of the first kind of its name. */
static void append_kind(struct buffer *sql, struct db *db, const struct resource *resource)
{
    const struct table *table = resource->table;
    const char *group = table->columns[table->group].name;
    append_condition(sql, db, &table->columns[table->kind], resource->kind);
    buffer_appendf(sql, " AND (`%s` = ", group);
    db_quote(db, sql, text_from(resource->group));
    if (resource == resource_find_job(text_from(resource->kind)))
        buffer_appendf(sql, " OR `%s` IS NULL", group);
    buffer_append_char(sql, ')');
}

static void append_select(struct buffer *sql, struct db *db, const struct store_listing *listing)
{
    const struct table *table = listing->resource->table;
    buffer_appendf(
        sql,
        "SELECT `%s`, `%s`, COALESCE(`%s`, '') IN ('Succeeded', 'Failed', '" STATUS_STOPPED
        "') FROM `%s` WHERE `%s` = 1",
        table->columns[table->uid].name, table->columns[table->version].name,
        table->columns[table->status].name, table->name, table->columns[table->in_etcd].name);
    append_condition(sql, db, &table->columns[table->cluster], listing->cluster);
    if (listing->namespace[0] != '\0')
        append_condition(sql, db, &table->columns[table->namespace], listing->namespace);
    if (table->kind != TABLE_NO_COLUMN)
        append_kind(sql, db, listing->resource);
}

static void on_row(void *context, const struct text *values, size_t count)
{
    struct store_listing *listing = context;
    for (size_t i = 0; i < count; i++) {
        if (values[i].data != NULL)
            buffer_append(&listing->uids, values[i]);
        buffer_append_char(&listing->uids, i + 1 < count ? '\t' : '\n');
    }
}

static enum error_code too_many(struct db_error *err)
{
    *err = (struct db_error){.class = DBERROR_OPERATOR};
    return error_set(&err->error, ERROR_OPERATOR,
                     "listing what is alive: no memory for so many objects");
}

enum error_code alive_list(struct db *db, struct store_listing *listing, struct db_error *err)
{
    struct buffer sql;
    buffer_init(&sql, SQL_LIMIT);
    append_select(&sql, db, listing);
    buffer_reset(&listing->uids);
    enum error_code code =
        sql.failed ? too_many(err) : db_query(db, buffer_text(&sql), on_row, listing, err);
    buffer_fini(&sql);
    if (code == ERROR_NONE && listing->uids.failed)
        code = too_many(err);
    return code;
}
