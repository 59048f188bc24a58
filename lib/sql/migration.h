/* migration: the steps that bring a database to what the descriptions of the tables say.
 *
 * The steps are made anew from what is there each time. So each step may be repeated, and a migration that
 * was interrupted goes on where it was. A migration removes nothing of a table but duplicate rows: wider
 * columns, other collations of utf8mb4, further columns and indexes stay. */
#ifndef LIB_MIGRATION_H
#define LIB_MIGRATION_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/sql/schema.h"

#include <stdbool.h>
#include <stddef.h>

/* A look at a table shows what is wrong with the table. What is wrong with its rows shows only if all of them
 * are read, so they are repaired once for each version. The version is raised when rows have to be repaired,
 * not for a new column. */
#define MIGRATION_VERSION 1

/* Once this version has migrated the tables, shippers before this one must not write to them. */
#define MIGRATION_OLDEST_WRITER 1

#define MIGRATION_MAX_STEPS  64
#define MIGRATION_SLICE_ROWS 10000

struct migration_step {
    const char *table;
    char *sql;     /* one whole statement, on one line */
    char *reason;  /* for a person */
    size_t where;  /* sql + where: " WHERE ...", about the rows `old`; 0: it changes all rows, or
                     reads more than one table */
    bool required; /* no row can be written before it is done */
    bool sliced;   /* it may change many rows, and can be done slice by slice */
};

struct migration {
    struct migration_step steps[MIGRATION_MAX_STEPS];
    size_t count;     /* 0: all is as it should be */
    bool is_required; /* a step is */
};

/* Plans what is left to be done. only_required: only what has to be done before a row can be written, and
 * nothing that could fail besides. ERROR_OPERATOR: there is something that only a person can decide, and the
 * text says what to do; *migration then needs no migration_fini(). */
enum error_code migration_plan(const struct schema *schema, bool only_required,
                               struct migration *migration, struct error *err) MUST_CHECK;
void migration_fini(struct migration *migration);

/* Plans the steps that repair single rows, whether or not the record says that they were done: KubeDL may
 * have written to the tables since. All of these steps have a .where. */
void migration_plan_rows(const struct schema *schema, struct migration *migration);

/* Appends the slice of a sliced step that has the rows with after < id <= until ("": no bound). */
void migration_slice(struct buffer *out, const struct migration_step *step, const char *after,
                     const char *until);

/* Appends a SELECT of the `until` of the slice that begins behind `after` ("": the first slice). It gives one
 * row with the id, or no row if the rest is smaller than a slice. */
void migration_slice_end(struct buffer *out, const struct migration_step *step, const char *after);

#endif
