/* table: the description of each table, from which DDL, migration, upsert, binding of values, merge and printing
 * are all made.
 *
 * To add a column, add a line to JOB_COLUMNS or POD_COLUMNS, and a line to the converter (lib/kube/job.c or
 * lib/kube/pod.c), which also lists the paths of what it reads. */
#ifndef LIB_TABLE_H
#define LIB_TABLE_H

#include "lib/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum column_type {
    COLUMN_TEXT, /* UTF-8 */
    COLUMN_KEY,  /* ASCII, compared byte by byte: uids, versions, API groups */
    COLUMN_INT,  /* a small integer */
    COLUMN_TIME, /* a time in UTC: whole seconds in the database, microseconds in memory */
};

/* How a column is merged when two rows of one object meet. row_merge() (lib/rows/row.c) does it in C, and
 * sql_upsert() and sql_update() (lib/sql/sql.c) do it in SQL; a test compares the two. Every rule is commutative
 * and associative: what a table ends in depends on the set of rows that came, never on their order.
 *
 * What a row knows comes from an *event*, a *tombstone*, or both. The event showed the object, at the event's
 * version. (An update, which changes a row but never makes one, leaves NULL what it does not know.) The
 * tombstone means that the object no longer existed at the tombstone's version; a row that has one is *closed*.
 *
 *   a row of              version             stated_version
 *   an event              the event's         NULL
 *   a tombstone alone     the tombstone's     ""
 *   both                  the tombstone's     the event's
 *
 * Versions are compared by length, then by text, as decimal numbers are. Of two rows that meet, the *newer
 * event's row* is the one whose event has the newer version, and the *latest row* is the one whose `version` is
 * newer. Where the two are equal, it is the row that is there already, with two exceptions: a row that is not
 * closed is the latest row before a closed one; and of two events, one that shows the object alive counts before
 * one that deletes it, because what was alive at a version was not gone at it. The merged row is closed if the
 * latest row is.
 *
 *  EVENT       the value in the newer event's row
 *  SETTLED     the value in the newer event's row, or, where it is NULL, the one in the other row. For what does
 *              not change while the object lives, and is unknown at times
 *  LAST_KNOWN  the value in the row whose KNOWN_AT column is newer
 *  KNOWN_AT    the version at which the LAST_KNOWN column before it was known; the newer one
 *  EARLIEST    the earlier of the two times, NULL only if both are. A time that equals gmt_created stands for one
 *              that is not known, and gives way to any other
 *  STATUS      as EVENT; but Stopped if the merged row is closed and the status is not final
 *  END         as EVENT; but if the merged row is closed and has no end, the time of the tombstone, which is
 *              gmt_modified of the latest row. (So an end in a closed row that is the same second as gmt_modified
 *              is the tombstone's, and a newer tombstone's takes its place.)
 *  LATEST      the value in the latest row
 *  STATED      the version of the newer event ("" if there is none) if the merged row is closed; else NULL
 *  VERSION     the version of the latest row
 */
enum merge_rule {
    MERGE_EVENT,
    MERGE_SETTLED,
    MERGE_LAST_KNOWN,
    MERGE_KNOWN_AT,
    MERGE_EARLIEST,
    MERGE_STATUS,
    MERGE_END,
    MERGE_LATEST,
    MERGE_STATED,
    MERGE_VERSION,
};

struct column {
    const char *name; /* in the database */
    enum column_type type;
    uint32_t
        max_chars; /* of a text: its greatest length in characters; in bytes above VARCHAR_MAX_CHARS */
    enum merge_rule merge;
    const char *initial; /* the column's default in SQL, as a literal; NULL: the default is NULL */
};

struct index {
    const char *name;
    const char *columns; /* as in SQL: "a, b" */
};

/* SQL's type `text` holds at most so many bytes. */
#define TEXT_MAX_BYTES 65535U

/* A text column of at most so many characters is a varchar, whose length is counted in characters. A longer one
 * is of SQL's type `text`, whose length is counted in bytes. */
#define VARCHAR_MAX_CHARS 16383U

/* clang-format off */
/* enum suffix      name in the database       type  max     merge rule   default */
#define JOB_COLUMNS(X)                                                                             \
    X(NAME,         "name",                    TEXT, 253,    SETTLED,     NULL)                    \
    X(NAMESPACE,    "namespace",               TEXT, 128,    SETTLED,     NULL)                    \
    X(UID,          "job_id",                  KEY,  64,     SETTLED,     NULL)                    \
    X(VERSION,      "version",                 KEY,  32,     VERSION,     NULL)                    \
    X(STATUS,       "status",                  TEXT, 32,     STATUS,      NULL)                    \
    X(KIND,         "kind",                    TEXT, 32,     SETTLED,     NULL)                    \
    X(RESOURCES,    "resources",               TEXT, 65535,  SETTLED,     NULL)                    \
    X(REGION,       "deploy_region",           TEXT, 64,     LAST_KNOWN,  NULL)                    \
    X(REGION_AT,    "deploy_region_version",   KEY,  32,     KNOWN_AT,    NULL)                    \
    X(TENANT,       "tenant",                  TEXT, 255,    EVENT,       "''")                    \
    X(OWNER,        "owner",                   TEXT, 255,    EVENT,       "''")                    \
    X(DELETED,      "deleted",                 INT,  0,      LATEST,      NULL)                    \
    X(IN_ETCD,      "is_in_etcd",              INT,  0,      LATEST,      NULL)                    \
    X(REMARK,       "remark",                  TEXT, 65535,  EVENT,       NULL)                    \
    X(CREATED,      "gmt_created",             TIME, 0,      SETTLED,     NULL)                    \
    X(MODIFIED,     "gmt_modified",            TIME, 0,      LATEST,      NULL)                    \
    X(RUNNING,      "gmt_job_running",         TIME, 0,      LAST_KNOWN,  NULL)                    \
    X(RUNNING_AT,   "gmt_job_running_version", KEY,  32,     KNOWN_AT,    NULL)                    \
    X(FINISHED,     "gmt_job_finished",        TIME, 0,      END,         NULL)                    \
    X(CLUSTER,      "cluster_id",              TEXT, 64,     SETTLED,     NULL)                    \
    X(GROUP,        "api_group",               KEY,  253,    SETTLED,     NULL)                    \
    X(STATED,       "stated_version",          KEY,  32,     STATED,      NULL)

#define POD_COLUMNS(X)                                                                             \
    X(NAME,         "name",                    TEXT, 253,    SETTLED,     NULL)                    \
    X(NAMESPACE,    "namespace",               TEXT, 128,    SETTLED,     NULL)                    \
    X(UID,          "pod_id",                  KEY,  64,     SETTLED,     NULL)                    \
    X(VERSION,      "version",                 KEY,  32,     VERSION,     NULL)                    \
    X(STATUS,       "status",                  TEXT, 32,     STATUS,      NULL)                    \
    X(IMAGE,        "image",                   TEXT, 65535,  SETTLED,     NULL)                    \
    X(JOB_UID,      "job_id",                  KEY,  64,     SETTLED,     NULL)                    \
    X(REPLICA_TYPE, "replica_type",            TEXT, 63,     SETTLED,     NULL)                    \
    X(RESOURCES,    "resources",               TEXT, 65535,  SETTLED,     NULL)                    \
    X(HOST_IP,      "host_ip",                 TEXT, 64,     LAST_KNOWN,  NULL)                    \
    X(HOST_IP_AT,   "host_ip_version",         KEY,  32,     KNOWN_AT,    NULL)                    \
    X(POD_IP,       "pod_ip",                  TEXT, 64,     LAST_KNOWN,  NULL)                    \
    X(POD_IP_AT,    "pod_ip_version",          KEY,  32,     KNOWN_AT,    NULL)                    \
    X(REGION,       "deploy_region",           TEXT, 64,     SETTLED,     NULL)                    \
    X(DELETED,      "deleted",                 INT,  0,      LATEST,      NULL)                    \
    X(IN_ETCD,      "is_in_etcd",              INT,  0,      LATEST,      NULL)                    \
    X(REMARK,       "remark",                  TEXT, 65535,  EVENT,       NULL)                    \
    X(CREATED,      "gmt_created",             TIME, 0,      SETTLED,     NULL)                    \
    X(MODIFIED,     "gmt_modified",            TIME, 0,      LATEST,      NULL)                    \
    X(STARTED,      "gmt_started",             TIME, 0,      EARLIEST,    NULL)                    \
    X(FINISHED,     "gmt_finished",            TIME, 0,      END,         NULL)                    \
    X(CLUSTER,      "cluster_id",              TEXT, 64,     SETTLED,     NULL)                    \
    X(STATED,       "stated_version",          KEY,  32,     STATED,      NULL)

/* clang-format on */

#define JOB_ENUM(suffix, ...) JOB_##suffix,
#define POD_ENUM(suffix, ...) POD_##suffix,
enum job_column { JOB_COLUMNS(JOB_ENUM) JOB_COLUMN_COUNT };
enum pod_column { POD_COLUMNS(POD_ENUM) POD_COLUMN_COUNT };
#undef JOB_ENUM
#undef POD_ENUM

/* No table has more columns; it is the size of arrays on the stack. */
#define TABLE_MAX_COLUMNS 32

#define TABLE_NO_COLUMN SIZE_MAX

/* The members of type size_t below are the indexes of columns that the program treats in a special way. */
struct table {
    const char *name;
    const struct column *columns;
    size_t column_count;
    size_t uid;     /* identifies the object; it is UNIQUE and NOT NULL */
    size_t version; /* the resourceVersion of the latest event or tombstone, in decimal */
    size_t stated; /* the resourceVersion of the newest event, in a row that is closed; else NULL */
    size_t status; /* what the object does, in one word */
    size_t kind;  /* the object's kind; TABLE_NO_COLUMN if the table has objects of one kind only */
    size_t group; /* the kind's API group; TABLE_NO_COLUMN as for `kind` */
    size_t in_etcd;   /* 1 while the API server has the object, then 0 */
    size_t finished;  /* when the object ended */
    size_t deleted;   /* 1 once the object is known to be gone */
    size_t region;    /* the setting REGION */
    size_t cluster;   /* the setting CLUSTER_ID */
    size_t namespace; /* the object's namespace */
    size_t created;   /* when the object was created; never NULL in an upsert */
    size_t modified;  /* when the latest event or tombstone was received */
    const struct index
        *indexes; /* the indexes besides the primary key `id` and the unique key on `uid` */
    size_t index_count;
};

extern const struct table table_job; /* job_info */
extern const struct table table_pod; /* replica_info */

/* All tables; the list ends in NULL. */
#define TABLE_COUNT 2
extern const struct table *const tables[TABLE_COUNT + 1];

/* Returns the index of a table in tables[]. */
size_t table_number(const struct table *table);

/* True if the status stays when the object is deleted: Succeeded and Failed. */
bool table_status_is_final(struct text status);

/* The status of a deleted object that had not ended by itself; the word is KubeDL's. */
#define STATUS_STOPPED "Stopped"

#endif
