/* rows: rows for tests, with only what a row cannot be without. */
#ifndef TEST_UNIT_ROWS_H
#define TEST_UNIT_ROWS_H

#include "lib/rows/row.h"

/* All NULL but uid, version, deleted = 0 and is_in_etcd = 1. */
void job_cells(struct cell cells[TABLE_MAX_COLUMNS], const char *uid, const char *version);
void pod_cells(struct cell cells[TABLE_MAX_COLUMNS], const char *uid, const char *version);

/* Fails the test if there is no such row. */
struct row *row_of(const struct table *table, enum row_mode mode, const struct cell *cells);

/* A live job that was received at received_us. */
struct row *job_row(const char *uid, const char *version, int64_t received_us);

#endif
