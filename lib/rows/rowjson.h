/* rowjson: rows as JSON, for the spool, for dead letters, and for people.
 *
 *   {"table":"job_info","mode":"upsert","received":"2026-11-23T08:17:31.123456Z",
 *    "cells":{"name":"mnist","deleted":0,"gmt_created":"2026-11-23T08:17:30Z",...}}
 *
 * Cells that are NULL are left out. When a row is read, columns that this program does not know are ignored, and
 * those that are missing are NULL, so that one version of the program reads what another one wrote. */
#ifndef LIB_ROWJSON_H
#define LIB_ROWJSON_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/json/json.h"
#include "lib/rows/row.h"

/* Appends the row as an object of JSON. */
void rowjson_append(struct buffer *out, const struct row *row);

/* Makes a new row of what rowjson_append() wrote. ERROR_INPUT if value is no row of a known table. */
enum error_code rowjson_read(const json_value *value, struct row **row,
                             struct error *err) MUST_CHECK;

#endif
