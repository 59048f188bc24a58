/* repair_rules: what can be mended in rows that KubeDL's writer has left wrong, and how.
 *
 * One table of rules (repair_rules.c): which rows, why that is certain, when they ended. The question, the
 * plan that a person sees, and the update are made from it. Only the tables are evidence. A row that
 * was closed by mistake revives with the next event of its object, since its version stays. */
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
    const char *why;   /* why it is safe, for a person */
    const char *join;  /* SQL behind FROM `table` AS old; may be "" */
    const char *where; /* SQL: the rows that are wrong */
    const char
        *end; /* SQL: when what they stand for ended, as far as the tables know; may be NULL */
};

#define REPAIR_MAX_RULES 16

/* In the order in which they are carried out; NULL behind the last one. No row is of two rules. */
const struct repair_rule *repair_rule_at(size_t number);

/* What repair_select() asks for, in this order. */
enum repair_value {
    REPAIR_ID,
    REPAIR_NAMESPACE,
    REPAIR_NAME,
    REPAIR_UID,
    REPAIR_STATUS,
    REPAIR_ENDED, /* never NULL: where the tables know no time at all it is now */
    /* As literals of SQL, for repair_update(): */
    REPAIR_OLD_VERSION,
    REPAIR_OLD_STATUS,
    REPAIR_OLD_DELETED,
    REPAIR_OLD_IN_ETCD,
    REPAIR_NEW_ENDED,
    REPAIR_VALUES
};

/* The first `limit` rows of a rule (0: all) with after < id <= until ("": no bound), by id.
 * has_ours: the tables have the columns that KubeDL does not make. */
void repair_select(struct buffer *out, const struct repair_rule *rule, bool has_ours,
                   const char *after, const char *until, size_t limit);

/* A row to be changed, as repair_select() told it. */
struct repair_row {
    struct text values[REPAIR_VALUES]; /* borrowed */
};

/* One UPDATE for rows[0..count) of a table: closes those that are still as they were told. */
void repair_update(struct buffer *out, const struct table *table, const struct repair_row *rows,
                   size_t count);

#endif
