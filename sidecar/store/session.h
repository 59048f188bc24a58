/* session: sets a new connection's session up, and finds out what the server is, before it is used. */
#ifndef SIDECAR_SESSION_H
#define SIDECAR_SESSION_H

#include "sidecar/store/db.h"

/* Sets the session to utf8mb4, READ COMMITTED (REPEATABLE READ if the server logs statements), a strict
 * sql_mode, UTC, autocommit and lock waits of a second, and undoes what an administrator sets to keep people
 * from mistakes. only_reads: the session refuses to write.
 *
 * Fills *server, which is what db_server(db) shows. DBERROR_ELSEWHERE: the server is read-only but rows are
 * to be written, or its Galera node is not ready. DBERROR_OPERATOR: the session does not become utf8mb4. */
enum error_code session_set_up(struct db *db, bool only_reads, struct db_server *server,
                               struct db_error *err) MUST_CHECK;

#endif
