/* migrate: brings the tables of a database to what the descriptions say. */
#ifndef SIDECAR_MIGRATE_H
#define SIDECAR_MIGRATE_H

#include "lib/sql/migration.h"
#include "lib/sql/schema.h"
#include "sidecar/base/logger.h"
#include "sidecar/store/db.h"

/* What comes before the statements for a DBA, whose session is not set up like ours: zero dates must
 * not stop an ALTER TABLE, TIMESTAMP columns become UTC, and an UPDATE of all
 * rows is not refused. */
#define MIGRATE_DBA_SESSION                                                                        \
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', "    \
    "sql_safe_updates = 0"

/* Looks at what there is of the tables. schema: new. */
enum error_code migrate_look(struct db *db, struct schema *schema, struct db_error *err) MUST_CHECK;

/* Creates the tables, or migrates those that KubeDL made: versioned, under an advisory lock, safe
 * to interrupt and to repeat; each step is logged. Cheap when there is nothing to do. Where the
 * server refuses a step, the exact statements for a DBA are logged: DBERROR_OPERATOR, but ERROR_NONE
 * and a warning if rows can be written all the same. DBERROR_WAIT: it is going on over another
 * connection. */
enum error_code migrate_run(struct db *db, struct logger *logger, struct db_error *err) MUST_CHECK;

/* Whether rows cannot be written, or would be written wrong, until migrate_run() has been called again:
 * somebody has changed the tables, such as dropped the unique key, without which each event would become
 * a new row. Some SELECTs. */
enum error_code migrate_look_again(struct db *db, bool *required, struct db_error *err) MUST_CHECK;

/* Whether rows of this table can be written as it is now, whatever the others lack: where migrate_run()
 * has failed for good. */
bool migrate_fits(struct db *db, const struct table *table);

/* One step of a plan, slice by slice where it can be. Logged as well. */
enum error_code migrate_step(struct db *db, struct logger *logger,
                             const struct migration_step *step, struct db_error *err) MUST_CHECK;

#endif
