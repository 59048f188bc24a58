/* isolate: writes a batch around the rows that cannot be written. */
#ifndef SIDECAR_ISOLATE_H
#define SIDECAR_ISOLATE_H

#include "sidecar/store/db.h"
#include "sidecar/store/store.h"

#include <stddef.h>

/* After so many rows that failed alone, one after the other, the next one is not likely to succeed. */
#define ISOLATE_RUN 4

/* Writes all of rows[0..count) or none of them, as db_write() does. */
typedef enum error_code isolate_write(void *context, struct row *const *rows, size_t count,
                                      struct db_error *err);

/* Writes request->batch (count > 0) and fills in the answer: fates, refusals, class, others_may and error.
 *
 * Happy path: one write. Failure modes:
 *   DBERROR_ROW         the rows before the one that is said to be at fault are written, then that row alone,
 *                       then the rest. If none is said to be at fault, or a wrong one was, the batch is
 *                       bisected. A row is refused only after it has failed alone
 *   DBERROR_SPLIT       smaller writes; a row that is too large alone is refused
 *   DBERROR_RETRY       somebody else has locked rows, and each write that meets one of them waits. So the
 *                       rows are written one by one, and each locked row is waited for once
 *   any other error of  the batch is bisected as well, since one row can make a trigger or a damaged page
 *   writing the rows    fail. A row that fails alone for such a reason is set aside if others were written.
 *   (DB_AFFECTS_ROWS)   If none was, or after ISOLATE_RUN such rows, the row is not the reason: the rest waits
 *   no connection, or   the rows without a fate wait
 *   a bad table */
void isolate_batch(struct store_request *request, isolate_write *write, void *context);

#endif
