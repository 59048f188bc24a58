/* repair_plan: prints for a person what the command `repair` would do, and holds the statements that
 * repair.c, which does the repair, uses as well. */
#ifndef SIDECAR_REPAIR_PLAN_H
#define SIDECAR_REPAIR_PLAN_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/sql/migration.h"
#include "lib/sql/repair_rules.h"
#include "lib/sql/schema.h"
#include "sidecar/store/db.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct logger;

#define REPAIR_CHUNK_ROWS 250 /* are changed at once */
#define REPAIR_ID_SIZE    32  /* bytes of a number as text, with its NUL */

/* Some rows of a rule: those that the plan shows, or those that are changed next. */
struct repair_chunk {
    struct buffer text; /* all values, one behind the other */
    size_t lengths[REPAIR_CHUNK_ROWS][REPAIR_VALUES];
    size_t count;
    size_t limit;   /* rows that are kept */
    uint64_t found; /* rows that came */
};

struct repair {
    bool wanted[REPAIR_MAX_RULES]; /* by the number of the rule */
    bool dry_run;
    bool yes;      /* nobody is asked */
    struct db *db; /* owned, as what follows */
    struct logger *logger;
    struct schema *schema; /* as repair_look() has found it */
    struct migration rows; /* steps that repair single rows of migrated tables */
    uint64_t row_counts[MIGRATION_MAX_STEPS];
    uint64_t counts[REPAIR_MAX_RULES];
    uint64_t duplicates;
    size_t migration_steps; /* that are left */
    bool migrated;          /* by this run, as far as it could */
    bool told;              /* the plan is whole */
    bool has_ours;          /* the tables have the columns that KubeDL does not make */
    struct buffer sql;
    struct repair_chunk chunk;
};

/* Chooses the rules whose names are in the list, with commas between them; NULL: all rules. ERROR_INPUT if it
 * has a name that is no rule's. */
enum error_code repair_choose(struct repair *repair, const char *list,
                              struct error *err) MUST_CHECK;

/* Reads the tables' structure anew. */
enum error_code repair_look(struct repair *repair, struct db_error *err) MUST_CHECK;

/* Reads the tables' structure, counts what is to be done and prints it, with the first rows of each rule.
 * repair->told is false where the rules' rows can be counted only after the migration. */
enum error_code repair_plan(struct repair *repair, struct db_error *err) MUST_CHECK;
void repair_print_counts(const struct repair *repair);
bool repair_is_anything_to_do(const struct repair *repair);

/* Sends repair->sql. row: NULL where no rows come back. */
enum error_code repair_query(struct repair *repair, db_row *row, void *context,
                             struct db_error *err) MUST_CHECK;

/* A db_row that reads one number; context: uint64_t. */
void repair_on_number(void *context, const struct text *values, size_t count);

/* Finds the id at which the slice that begins after the id `after` ends; "" for the last slice. No statement
 * looks at more rows than a slice has. */
enum error_code repair_find_slice_end(struct repair *repair, const struct table *table,
                                      const char *after, char until[REPAIR_ID_SIZE],
                                      struct db_error *err) MUST_CHECK;

/* Empties the chunk, which then keeps at most `limit` rows. The db_row below fills it. */
void repair_chunk_reset(struct repair_chunk *chunk, size_t limit);
void repair_chunk_on_row(void *context, const struct text *values, size_t count);

/* Reads the rows that the chunk holds. Their values are borrowed from the chunk. */
void repair_chunk_read(const struct repair_chunk *chunk, struct repair_row rows[REPAIR_CHUNK_ROWS]);

#endif
