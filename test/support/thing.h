/* thing: a small table for tests of what is made from descriptions, with a column for each merge
 * rule. The columns that have to be assigned last stand first. */
#ifndef TEST_UNIT_THING_H
#define TEST_UNIT_THING_H

#include "lib/rows/table.h"

enum thing_column {
    THING_VERSION,
    THING_STATED,
    THING_MODIFIED,
    THING_DELETED,
    THING_ENDED,
    THING_UID,
    THING_STATUS,
    THING_REGION,
    THING_REGION_AT,
    THING_BEGUN,
    THING_OWNER,
    THING_REMARK,
    THING_CREATED,
    THING_COLUMN_COUNT
};

extern const struct table table_thing;

#endif
