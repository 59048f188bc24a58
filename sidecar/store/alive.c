/* alive: one SELECT that uses the index on what is alive. */
#include "sidecar/store/alive.h"

#include "lib/sql/sql.h"

#define SQL_LIMIT 4096

/* Appends the comparison with a text twice: the first finds the row by an index, the second compares byte by
 * byte, since the column's collation takes "Blue" for "blue". */
static void append_condition(struct buffer *sql, struct db *db, const struct column *column,
                             const char *value)
{
    buffer_appendf(sql, " AND `%s` = ", column->name);
    db_quote(db, sql, text_from(value));
    buffer_appendf(sql, " AND `%s` = ", column->name);
    db_quote(db, sql, text_from(value));
    buffer_append_string(sql, " COLLATE " SQL_EXACT_COLLATION);
}

static void append_select(struct buffer *sql, struct db *db, const struct store_listing *listing)
{
    const struct resource *resource = listing->resource;
    const struct table *table = resource->table;
    const struct column *columns = table->columns;
    buffer_appendf(
        sql,
        "SELECT `%s`, `%s`, COALESCE(`%s`, '') IN ('Succeeded', 'Failed', '" STATUS_STOPPED
        "') FROM `%s` WHERE `%s` = 1",
        columns[table->uid].name, columns[table->version].name, columns[table->status].name,
        table->name, columns[table->in_etcd].name);
    append_condition(sql, db, &columns[table->cluster], listing->cluster);
    if (listing->namespace[0] != '\0')
        append_condition(sql, db, &columns[table->namespace], listing->namespace);
    if (table->kind == TABLE_NO_COLUMN)
        return;
    append_condition(sql, db, &columns[table->kind], resource->kind);
    buffer_appendf(sql, " AND (`%s` = ", columns[table->group].name);
    db_quote(db, sql, text_from(resource->group));
    /* KubeDL's rows name no group: they are of the first resource that has this kind. */
    if (resource == resource_find_job(text_from(resource->kind)))
        buffer_appendf(sql, " OR `%s` IS NULL", columns[table->group].name);
    buffer_append_char(sql, ')');
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

enum error_code alive_list(struct db *db, struct store_listing *listing, struct db_error *err)
{
    struct buffer sql;
    buffer_init(&sql, SQL_LIMIT);
    append_select(&sql, db, listing);
    buffer_reset(&listing->uids);
    bool failed = sql.failed;
    enum error_code code =
        failed ? ERROR_NONE : db_query(db, buffer_text(&sql), on_row, listing, err);
    buffer_fini(&sql);
    if (code == ERROR_NONE && (failed || listing->uids.failed))
        code = db_error_set(err, DBERROR_OPERATOR,
                            "listing what is alive: no memory for so many objects");
    return code;
}
