/* isolate: writes a batch around the rows that can't be written. */
#ifndef SIDECAR_ISOLATE_H
#define SIDECAR_ISOLATE_H

#include "sidecar/store/db.h"
#include "sidecar/store/store.h"

#include <stddef.h>

#define ISOLATE_BURST 16

/* Writes all of rows[0..count) or none of them, as db_write() does. */
typedef enum error_code isolate_write(void *context, struct row *const *rows, size_t count,
                                      struct db_error *err);

/* Writes request->batch (count > 0) and fills in the answer: fates, refusals, class and error.
 *
 * Happy path: one write. Failure modes:
 *   DBERROR_ROW    the rows before the one that is said to be at fault are written, then that one
 *                  alone, then the rest; where none is said, or it proved wrong, by bisection.
 *                  A row is refused only when it failed alone.
 *   DBERROR_SPLIT  smaller writes; a row that is too large alone is refused
 *   anything else  the rows that are not decided yet wait
 *   more than ISOLATE_BURST rows failed and not one was written: not bad rows but a bad table, most
 *                  likely, and rows must not be lost to that: all wait, with DBERROR_OPERATOR */
void isolate_batch(struct store_request *request, isolate_write *write, void *context);

#endif
