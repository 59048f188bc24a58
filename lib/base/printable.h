/* printable: text of unknown origin, made fit for a terminal.
 *
 * What a terminal would take as a command, or what would change the order or place of other text, is
 * shown as an escape: control characters (C0, DEL, C1), direction marks (Unicode TR 36), line and
 * paragraph separators, invisible blanks, and bytes that are not UTF-8. */
#ifndef LIB_PRINTABLE_H
#define LIB_PRINTABLE_H

#include "lib/base/buffer.h"
#include "lib/base/text.h"

#include <stddef.h>

/* Appends text on one line: \n, \t, \r, \xHH for bytes and \u{HEX} for characters stand for what is
 * not printable. Returns the width of what was appended, in cells of a terminal. */
size_t printable_append(struct buffer *out, struct text text);

/* Appends as printable_append() does, but cuts the text to max_width cells: a cut text ends in "…". */
size_t printable_append_cut(struct buffer *out, struct text text, size_t max_width);

/* Appends valid JSON, with JSON's escapes for characters that are not printable: its value stays the same. */
void printable_append_json(struct buffer *out, struct text json);

/* Returns the cells of a terminal that a Unicode character takes: 0 if it combines with the one before, 2 if
 * it is wide (UAX 11) or an emoji, else 1. Terminals differ in rare cases. */
size_t printable_width(unsigned long character);

#endif
