/* session: what a new connection is told, and what it is asked, before it is used. */
#ifndef SIDECAR_SESSION_H
#define SIDECAR_SESSION_H

#include "sidecar/store/db.h"

/* READ COMMITTED, a strict sql_mode, UTC, autocommit; lock waits of a second. only_reads: the session
 * refuses to write. Fills *server. DBERROR_ELSEWHERE where the server can't be used: it is read-only but
 * rows are to be written, or its Galera cluster is not ready. */
enum error_code session_set_up(struct db *db, bool only_reads, struct db_server *server,
                               struct db_error *err) MUST_CHECK;

#endif
