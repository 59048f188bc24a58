/* rowjson: writes rows as JSON, and reads them back (see rowjson.h). */
#include "lib/rows/rowjson.h"

#include "lib/base/timestamp.h"
#include "lib/json/write.h"

static void write_cell(struct json_writer *writer, const char *name, const struct cell *cell)
{
    switch (cell->type) {
    case CELL_NULL:
        return;
    case CELL_INT:
        json_write_integer(writer, name, cell->integer);
        return;
    case CELL_TIME:
        json_write_time(writer, name, cell->integer);
        return;
    case CELL_TEXT:
        json_write_text(writer, name, cell_as_text(cell));
        return;
    }
}

void rowjson_append(struct buffer *out, const struct row *row)
{
    struct json_writer writer = json_writer(out);
    json_begin_object(&writer, NULL);
    json_write_string(&writer, "table", row->table->name);
    json_write_string(&writer, "mode", row->mode == ROW_UPDATE ? "update" : "upsert");
    json_write_time(&writer, "received", row->received_us);
    json_begin_object(&writer, "cells");
    for (size_t i = 0; i < row->table->column_count; i++)
        write_cell(&writer, row->table->columns[i].name, &row->cells[i]);
    json_end(&writer);
    json_end(&writer);
}

static const struct table *find_table(struct text name)
{
    for (size_t i = 0; tables[i] != NULL; i++) {
        if (text_is(name, tables[i]->name))
            return tables[i];
    }
    return NULL;
}

static bool read_time(const json_value *value, int64_t *microseconds)
{
    struct text text;
    return json_text(value, &text) && timestamp_parse(text, microseconds) == ERROR_NONE;
}

_Static_assert(JSON_MAX_TEXT <= UINT32_MAX, "the length of any text fits a cell");

/* False if value is not of the column's type. */
static bool read_cell(const json_value *value, enum column_type type, struct cell *cell)
{
    struct text text;
    switch (type) {
    case COLUMN_INT:
        cell->type = CELL_INT;
        return json_integer(value, &cell->integer);
    case COLUMN_TIME:
        cell->type = CELL_TIME;
        return read_time(value, &cell->integer);
    case COLUMN_TEXT:
    case COLUMN_KEY:
        if (!json_text(value, &text))
            return false;
        *cell = cell_text(text);
        return true;
    }
    return false;
}

enum error_code rowjson_read(const json_value *value, struct row **row, struct error *err)
{
    struct text name, mode;
    int64_t received_us;
    if (!json_text(json_member(value, "table"), &name) ||
        !json_text(json_member(value, "mode"), &mode) ||
        !read_time(json_member(value, "received"), &received_us))
        return error_set(err, ERROR_INPUT, "not a row: no table, mode or received");
    const struct table *table = find_table(name);
    if (table == NULL)
        return error_set(err, ERROR_INPUT, "a row of a table that is not known: %.*s",
                         (int)(name.length < 64 ? name.length : 64), name.data);
    const bool is_update = text_is(mode, "update");
    if (!is_update && !text_is(mode, "upsert"))
        return error_set(err, ERROR_INPUT, "a row of a mode that is not known");

    const json_value *object = json_member(value, "cells");
    struct cell cells[TABLE_MAX_COLUMNS];
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        const json_value *member = json_member(object, column->name);
        cells[i] = cell_null();
        if (member != NULL && !read_cell(member, column->type, &cells[i]))
            return error_set(err, ERROR_INPUT, "%s.%s: a value of another type", table->name,
                             column->name);
    }
    /* Versions of the program without stated_version wrote a tombstone as an update without a namespace. */
    if (is_update && cells[table->stated].type == CELL_NULL &&
        cells[table->namespace].type == CELL_NULL)
        cells[table->stated] = cell_text(TEXT(""));
    return row_new(table, is_update ? ROW_UPDATE : ROW_UPSERT, cells, received_us, row, err);
}
