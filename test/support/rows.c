/* rows: rows for tests. */
#include "test/support/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

void job_cells(struct cell cells[TABLE_MAX_COLUMNS], const char *uid, const char *version)
{
    memset(cells, 0, TABLE_MAX_COLUMNS * sizeof(cells[0]));
    cells[JOB_UID] = cell_text(text_from(uid));
    cells[JOB_VERSION] = cell_text(text_from(version));
    cells[JOB_DELETED] = cell_int(0);
    cells[JOB_IN_ETCD] = cell_int(1);
}

void pod_cells(struct cell cells[TABLE_MAX_COLUMNS], const char *uid, const char *version)
{
    memset(cells, 0, TABLE_MAX_COLUMNS * sizeof(cells[0]));
    cells[POD_UID] = cell_text(text_from(uid));
    cells[POD_VERSION] = cell_text(text_from(version));
    cells[POD_DELETED] = cell_int(0);
    cells[POD_IN_ETCD] = cell_int(1);
}

struct row *row_of(const struct table *table, enum row_mode mode, const struct cell *cells)
{
    struct row *row = NULL;
    struct error err;
    assert_int_equal(row_new(table, mode, cells, 1000, &row, &err), ERROR_NONE);
    return row;
}

struct row *job_row(const char *uid, const char *version, int64_t received_us)
{
    struct cell cells[TABLE_MAX_COLUMNS];
    job_cells(cells, uid, version);
    struct row *row = row_of(&table_job, ROW_UPSERT, cells);
    row->received_us = received_us;
    return row;
}
