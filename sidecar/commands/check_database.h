/* check_database: the part of `kubedl-shipper check` that examines a host over a connection to it. */
#ifndef SIDECAR_CHECK_DATABASE_H
#define SIDECAR_CHECK_DATABASE_H

#include "lib/settings/config.h"
#include "lib/show/findings.h"
#include "sidecar/store/db.h"

/* Adds a finding for each of check_database_names, in that order. db is connected; nothing is written. */
void check_database(struct findings *findings, const char *host, struct db *db,
                    const struct config *config);

/* The names of the findings that check_database() adds; the list ends in NULL. */
extern const char *const check_database_names[];

/* Appends "GRANT rights ON `database`.* TO account;\n". account: "'name'@'host'". */
void check_grant(struct buffer *out, const char *rights, const struct config *config,
                 const char *account);

/* Appends "`database`". */
void check_database_name(struct buffer *out, const struct config *config);

#endif
