/* isolate: writes a batch around the rows that can't be written. */
#ifndef SIDECAR_ISOLATE_H
#define SIDECAR_ISOLATE_H

#include "sidecar/store/db.h"
#include "sidecar/store/store.h"

#include <stddef.h>

/* After so many rows that failed alone, one after the other, the next one is not likely to do better. */
#define ISOLATE_RUN 4

/* Writes all of rows[0..count) or none of them, as db_write() does. */
typedef enum error_code isolate_write(void *context, struct row *const *rows, size_t count,
                                      struct db_error *err);

/* Writes request->batch (count > 0) and fills in the answer: fates, refusals, class, others_may and error.
 *
 * Happy path: one write. Failure modes:
 *   DBERROR_ROW    the rows before the one that is said to be at fault are written, then that one
 *                  alone, then the rest; where none is said, or it proved wrong, by bisection.
 *                  A row is refused only when it failed alone.
 *   DBERROR_SPLIT  smaller writes; a row that is too large alone is refused
 *   DBERROR_RETRY  somebody else has locked rows, and each write that meets one of them waits: the
 *                  rows are written one by one, so that each locked row is waited for once
 *   anything else  if it came of writing the rows (DB_AFFECTS_ROWS): by bisection, too, since one row
 *                  can make a trigger or a damaged page fail. A row that failed alone for another reason than
 *                  DBERROR_ROW and DBERROR_SPLIT is left for later, alone, if others were written; if
 *                  none was, or after ISOLATE_RUN of them, it is not for that row: the rest waits
 *   no connection, the rows that are not decided yet wait
 *   a bad table */
void isolate_batch(struct store_request *request, isolate_write *write, void *context);

#endif
