/* alive: asks a database which objects it holds as alive. */
#ifndef SIDECAR_ALIVE_H
#define SIDECAR_ALIVE_H

#include "sidecar/store/db.h"
#include "sidecar/store/store.h"

/* Fills listing->uids anew. DBERROR_OPERATOR if the answer does not fit the buffer. */
enum error_code alive_list(struct db *db, struct store_listing *listing,
                           struct db_error *err) MUST_CHECK;

#endif
