/* spool_layout: the tables of the spool, and how an older spool gets them. */
#ifndef SIDECAR_SPOOL_LAYOUT_H
#define SIDECAR_SPOOL_LAYOUT_H

#include "lib/base/error.h"
#include "sidecar/spool/spool_sql.h"

/* ERROR_OPERATOR: the spool is of a newer program. */
enum error_code spool_layout_check(struct spool_sql *sql, struct error *err) MUST_CHECK;

/* Brings an empty or older spool to the present layout, all of it or nothing. */
enum error_code spool_layout_upgrade(struct spool_sql *sql, struct error *err) MUST_CHECK;

#endif
