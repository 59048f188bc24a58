/* migration: the steps that bring a database to what the descriptions say.
 *
 * Made anew from what is there each time. So each step may be repeated, and a migration that was
 * cut off at any place goes on from there. Nothing of a table's own is taken away but rows that are
 * there twice: a wider column, another collation of utf8mb4, further columns and indexes stay. */
#ifndef LIB_MIGRATION_H
#define LIB_MIGRATION_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/sql/schema.h"

#include <stdbool.h>
#include <stddef.h>

/* What is wrong with a table is seen by looking at it. What is wrong with its rows would take a scan
 * of all of them: that is done once for each version. Raise it when rows have to be repaired, not
 * for a new column. */
#define MIGRATION_VERSION 1

/* Shippers before this version must not write any more once this one has migrated. */
#define MIGRATION_OLDEST_WRITER 1

#define MIGRATION_MAX_STEPS  64
#define MIGRATION_SLICE_ROWS 10000

struct migration_step {
    const char *table;
    char *sql;    /* one statement on one line, whole */
    char *reason; /* for a person */
    size_t where; /* sql + where: " WHERE ...", the rows `old` that it changes; 0: all, or more than
                      one table is looked at */
    bool required; /* no row can be written before it is done */
    bool sliced;   /* may touch many rows, and can be done slice by slice */
};

struct migration {
    struct migration_step steps[MIGRATION_MAX_STEPS];
    size_t count; /* 0: all is as it should be */
};

/* only_required: only what has to be done before a row can be written, and nothing that could fail
 * besides. ERROR_OPERATOR: there is something that only a person can decide; the text says what to do. On any
 * error *migration needs no migration_fini(). */
enum error_code migration_plan(const struct schema *schema, bool only_required,
                               struct migration *migration, struct error *err) MUST_CHECK;
void migration_fini(struct migration *migration);

/* Only the steps that repair single rows, whatever the record says: for tables that KubeDL has written
 * to since they were migrated. All of them have a .where. */
void migration_plan_rows(const struct schema *schema, struct migration *migration);

/* Whether there is a required step. */
bool migration_is_required(const struct migration *migration);

/* The slice of a sliced step with after < id <= until; "" for no bound. */
void migration_slice(struct buffer *out, const struct migration_step *step, const char *after,
                     const char *until);

/* Asks for the `until` of the slice that begins behind `after` ("": the first one): one row with the
 * id, or none where the rest is smaller than a slice. */
void migration_slice_end(struct buffer *out, const struct migration_step *step, const char *after);

#endif
