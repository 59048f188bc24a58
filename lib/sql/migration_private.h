/* migration_private: what migration.c and migration_rows.c share. Nobody else includes it. */
#ifndef LIB_MIGRATION_PRIVATE_H
#define LIB_MIGRATION_PRIVATE_H

#include "lib/sql/migration.h"

/* A migration while it is planned. What stands below only_required is of the step that is being written. */
struct plan {
    struct migration *migration;
    bool only_required; /* steps that are only useful are left out */
    struct buffer sql;
    struct buffer reason;
    size_t changes;   /* of an ALTER TABLE, so far */
    size_t where;     /* see struct migration_step */
    bool rewrites;    /* the server writes the whole table again */
    bool says_format; /* the statement names a row format */
    bool required;
};

/* Begins a step with an empty .sql and .reason, which the caller fills before it ends the step. .migration and
 * .only_required stay, all else is reset. */
void plan_begin_step(struct plan *plan);
void plan_end_step(struct plan *plan, const char *table, bool sliced);

/* Adds the steps that repair the rows of a table that a migration finds. */
void plan_rows(struct plan *plan, const struct schema *schema, const struct schema_table *there);

/* Adds the steps that repair single rows of a table that was migrated. */
void plan_row_repairs(struct plan *plan, const struct table *table);

#endif
