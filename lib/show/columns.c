/* columns: keeps all cells until the table is complete, since a column is as wide as its widest cell. */
#include "lib/show/columns.h"

#include "lib/base/invariant.h"
#include "lib/base/printable.h"

#include <stdint.h>
#include <stdlib.h>

#define GAP 3

#define TEXT_LIMIT ((size_t)256 << 20) /* bytes of all cells of a table with a head */

#define FIRST_CAPACITY 256

struct columns_cell {
    size_t start; /* in columns->text */
    size_t length;
    size_t width;
};

void columns_init(struct columns *columns, size_t column_count, size_t limit)
{
    invariant(column_count > 0 && column_count <= COLUMNS_MAX);
    *columns = (struct columns){.column_count = column_count};
    buffer_init(&columns->text, limit);
}

void columns_begin(struct columns *columns, const char *const *head, size_t column_count)
{
    columns_init(columns, column_count, TEXT_LIMIT);
    for (size_t i = 0; i < column_count; i++)
        columns_add_string(columns, head[i]);
}

void columns_fini(struct columns *columns)
{
    buffer_fini(&columns->text);
    free(columns->cells);
    columns->cells = NULL;
    columns->cell_count = 0;
    columns->capacity = 0;
}

static struct columns_cell *new_cell(struct columns *columns)
{
    if (columns->cell_count == columns->capacity) {
        size_t capacity = columns->capacity == 0 ? FIRST_CAPACITY : 2 * columns->capacity;
        struct columns_cell *cells = realloc(columns->cells, capacity * sizeof(*cells));
        if (cells == NULL)
            return NULL;
        columns->cells = cells;
        columns->capacity = capacity;
    }
    return &columns->cells[columns->cell_count];
}

void columns_add_cut(struct columns *columns, struct text text, size_t max_width)
{
    struct columns_cell *cell = columns->failed ? NULL : new_cell(columns);
    if (cell == NULL) {
        columns->failed = true;
        return;
    }
    cell->start = columns->text.length;
    cell->width =
        printable_append_cut(&columns->text, text.length > 0 ? text : TEXT("<none>"), max_width);
    cell->length = columns->text.length - cell->start;
    columns->failed = columns->text.failed;

    size_t *width = &columns->widths[columns->cell_count++ % columns->column_count];
    if (cell->width > *width)
        *width = cell->width;
}

void columns_add(struct columns *columns, struct text text)
{
    columns_add_cut(columns, text, SIZE_MAX);
}

void columns_add_string(struct columns *columns, const char *string)
{
    columns_add(columns, text_from(string));
}

void columns_append(const struct columns *columns, struct buffer *out)
{
    const size_t count = columns->column_count;
    const char *all = buffer_text(&columns->text).data;
    for (size_t row = 0; row + count <= columns->cell_count; row += count) {
        for (size_t i = 0; i < count; i++) {
            const struct columns_cell *cell = &columns->cells[row + i];
            buffer_append(out, (struct text){all + cell->start, cell->length});
            if (i + 1 < count)
                buffer_appendf(out, "%*s", (int)(columns->widths[i] - cell->width) + GAP, "");
        }
        buffer_append_char(out, '\n');
    }
    if (columns->failed)
        out->failed = true;
}
