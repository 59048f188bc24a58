/* thing: a small table for tests of what is made from descriptions. */
#include "test/support/thing.h"

/* clang-format off */
static const struct column columns[] = {
    [THING_VERSION]   = {"version",   COLUMN_KEY,  8,     MERGE_VERSION,      NULL},
    [THING_STATED]    = {"stated",    COLUMN_KEY,  8,     MERGE_STATED,       NULL},
    [THING_MODIFIED]  = {"modified",  COLUMN_TIME, 0,     MERGE_LATEST,          NULL},
    [THING_DELETED]   = {"deleted",   COLUMN_INT,  0,     MERGE_LATEST,          NULL},
    [THING_ENDED]     = {"ended",     COLUMN_TIME, 0,     MERGE_END,          NULL},
    [THING_UID]       = {"uid",       COLUMN_KEY,  16,    MERGE_SETTLED,      NULL},
    [THING_STATUS]    = {"status",    COLUMN_TEXT, 32,    MERGE_STATUS,       NULL},
    [THING_REGION]    = {"region",    COLUMN_TEXT, 64,    MERGE_LAST_KNOWN,   NULL},
    [THING_REGION_AT] = {"region_at", COLUMN_KEY,  8,     MERGE_KNOWN_AT,     NULL},
    [THING_BEGUN]     = {"begun",     COLUMN_TIME, 0,     MERGE_EARLIEST,     NULL},
    [THING_OWNER]     = {"owner",     COLUMN_TEXT, 16,    MERGE_EVENT,       "''"},
    [THING_REMARK]    = {"remark",    COLUMN_TEXT, 65535, MERGE_EVENT,       NULL},
    [THING_CREATED]   = {"created",   COLUMN_TIME, 0,     MERGE_SETTLED,      NULL},
};
/* clang-format on */

static const struct index indexes[] = {
    {"idx_created", "created"},
    {"idx_owner_created", "owner, created"},
};

const struct table table_thing = {
    .name = "thing",
    .columns = columns,
    .column_count = THING_COLUMN_COUNT,
    .uid = THING_UID,
    .version = THING_VERSION,
    .stated = THING_STATED,
    .status = THING_STATUS,
    .kind = TABLE_NO_COLUMN,
    .group = TABLE_NO_COLUMN,
    .in_etcd = THING_DELETED,
    .finished = THING_ENDED,
    .deleted = THING_DELETED,
    .region = THING_REGION,
    .cluster = THING_REGION,
    .namespace = THING_OWNER,
    .created = THING_CREATED,
    .modified = THING_MODIFIED,
    .indexes = indexes,
    .index_count = sizeof(indexes) / sizeof(indexes[0]),
};
