/* migration_private: what migration.c and migration_rows.c share, and nobody else. */
#ifndef LIB_MIGRATION_PRIVATE_H
#define LIB_MIGRATION_PRIVATE_H

#include "lib/sql/migration.h"

/* A migration while it is made; .sql and .reason are of the step that is being written. */
struct plan {
    struct migration *migration;
    struct buffer sql;
    struct buffer reason;
    size_t changes;     /* in that step */
    size_t where;       /* of that step */
    bool only_required; /* what is only useful is left out */
    bool rewrites;      /* that step writes the whole table again */
    bool says_format;   /* and says in which row format */
    bool required;
};

/* A step begins with an empty .sql and .reason, which the caller fills before it ends. */
void plan_begin_step(struct plan *plan);
void plan_end_step(struct plan *plan, const char *table, bool sliced);

/* The steps that repair the rows of a table that a migration finds. */
void plan_rows(struct plan *plan, const struct schema *schema, const struct schema_table *there);

/* Those that repair single rows, for a table that was migrated. */
void plan_row_repairs(struct plan *plan, const struct table *table);

#endif
