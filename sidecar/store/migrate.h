/* migrate: brings the tables of a database to what their descriptions say. */
#ifndef SIDECAR_MIGRATE_H
#define SIDECAR_MIGRATE_H

#include "lib/sql/migration.h"
#include "lib/sql/schema.h"
#include "sidecar/base/logger.h"
#include "sidecar/store/db.h"

/* The first of the statements for a DBA, whose session is not set up like ours: with it zero dates do not
 * stop an ALTER TABLE, TIMESTAMP columns become UTC, and an UPDATE of all rows is not refused. */
#define MIGRATE_DBA_SESSION                                                                        \
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', "    \
    "sql_safe_updates = 0"

/* Reads what there is of the tables. schema: as schema_new() returns it. */
enum error_code migrate_look(struct db *db, struct schema *schema, struct db_error *err) MUST_CHECK;

/* Creates the tables, or migrates those that KubeDL has made, under a lock of the server's. A migration may
 * be interrupted and repeated; each step is logged. If there is nothing to do, it takes a few SELECTs.
 *
 * If the server refuses a step, the statements that are left are logged for a DBA. Then the result is
 * DBERROR_OPERATOR, or ERROR_NONE with a warning if rows can be written all the same. DBERROR_WAIT: the
 * tables are being migrated over another connection. */
enum error_code migrate_run(struct db *db, struct logger *logger, struct db_error *err) MUST_CHECK;

/* Finds out by a few SELECTs whether rows of these tables (ends in NULL) cannot be written, or would be
 * written wrong, until migrate_run() has succeeded: somebody may have changed the tables since, such as
 * dropped the unique key, without which each event would become a new row. */
enum error_code migrate_is_required(struct db *db, const struct table *const *some, bool *required,
                                    struct db_error *err) MUST_CHECK;

/* Carries out one step of a plan, slice by slice if it can be, and logs it. */
enum error_code migrate_step(struct db *db, struct logger *logger,
                             const struct migration_step *step, struct db_error *err) MUST_CHECK;

#endif
