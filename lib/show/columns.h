/* columns: a table of text in kubectl's layout: columns aligned to the left, three blanks apart. */
#ifndef LIB_COLUMNS_H
#define LIB_COLUMNS_H

#include "lib/base/buffer.h"
#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>

#define COLUMNS_MAX 16

struct columns_cell; /* a piece of .text */

struct columns {
    size_t column_count;
    size_t widths[COLUMNS_MAX]; /* cells of a terminal */
    struct buffer text;         /* all cells, one behind the other */
    struct columns_cell *cells; /* owned; row by row */
    size_t cell_count;
    size_t capacity;
    bool failed; /* no memory: the table is not whole */
};

/* Begins an empty table. column_count <= COLUMNS_MAX. limit: bytes of all cells together. It cannot fail. */
void columns_init(struct columns *columns, size_t column_count, size_t limit);

/* Begins a table whose first row is the head. It can hold more than a person reads. */
void columns_begin(struct columns *columns, const char *const *head, size_t column_count);
void columns_fini(struct columns *columns);

/* Add the next cell, row by row, made printable; columns_add_cut() cuts it to max_width cells of a terminal.
 * An empty text becomes "<none>", as kubectl prints it. */
void columns_add(struct columns *columns, struct text text);
void columns_add_string(struct columns *columns, const char *string);
void columns_add_cut(struct columns *columns, struct text text, size_t max_width);

/* Appends the rows that have all their cells, without blanks at the end of a line. If columns->failed is
 * set, out->failed is set, too. */
void columns_append(const struct columns *columns, struct buffer *out);

#endif
