/* repair_rules: which rows KubeDL's own writer has left wrong, and how they are repaired.
 *
 * The table of rules is in repair_rules.c. The SELECT, the plan that a person sees, and the UPDATE are made
 * from it. A rule judges by what is in the tables, and by nothing else. A repair leaves the row's version as
 * it is, so that a row that was closed by mistake is open again with the next event of its object. */
#ifndef LIB_REPAIR_RULES_H
#define LIB_REPAIR_RULES_H

#include "lib/base/buffer.h"
#include "lib/base/text.h"
#include "lib/rows/table.h"

#include <stdbool.h>
#include <stddef.h>

struct repair_rule {
    const char *name; /* for --only */
    const struct table *table;
    const char *why;   /* the reason, for a person, for which the rows are certainly wrong */
    const char *join;  /* SQL behind FROM `table` AS old; may be "" */
    const char *where; /* SQL: the rows that are wrong */
    const char *
        end; /* SQL: when the objects of these rows ended, as far as the tables know; may be NULL */
};

#define REPAIR_MAX_RULES 16

/* Returns the rules in the order in which they are applied, and NULL behind the last one. No row falls under
 * two rules. */
const struct repair_rule *repair_rule_at(size_t number);

/* The columns of the answer to repair_select(), in this order. */
enum repair_value {
    REPAIR_ID,
    REPAIR_NAMESPACE,
    REPAIR_NAME,
    REPAIR_UID,
    REPAIR_STATUS,
    REPAIR_ENDED, /* never NULL: it is the present time if the tables know no time at all */
    /* As literals of SQL, for repair_update(): */
    REPAIR_OLD_VERSION,
    REPAIR_OLD_STATUS,
    REPAIR_OLD_DELETED,
    REPAIR_OLD_IN_ETCD,
    REPAIR_NEW_ENDED,
    REPAIR_VALUES
};

/* Appends a SELECT of the first `limit` rows of a rule (0: all) with after < id <= until ("": no bound), by
 * id. has_ours: the tables have the columns that KubeDL does not make. */
void repair_select(struct buffer *out, const struct repair_rule *rule, bool has_ours,
                   const char *after, const char *until, size_t limit);

/* A row that is to be repaired, as repair_select() has answered. */
struct repair_row {
    struct text values[REPAIR_VALUES]; /* borrowed */
};

/* Appends one UPDATE that closes those of rows[0..count) that are still as they were read. */
void repair_update(struct buffer *out, const struct table *table, const struct repair_row *rows,
                   size_t count);

#endif
