/* alive: the question which objects a database holds as alive. */
#ifndef SIDECAR_ALIVE_H
#define SIDECAR_ALIVE_H

#include "sidecar/store/db.h"
#include "sidecar/store/store.h"

/* Fills listing->uids anew (struct store_listing tells how). DBERROR_OPERATOR: the answer does not fit the
 * buffer. */
enum error_code alive_list(struct db *db, struct store_listing *listing,
                           struct db_error *err) MUST_CHECK;

#endif
