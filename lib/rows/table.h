/* table: one description of each table. DDL, migration, upsert, binding, merge and printing are
 * all made from it.
 *
 * To add a column: one line in JOB_COLUMNS or POD_COLUMNS here, and one line in its converter
 * (lib/kube/job.c or lib/kube/pod.c), which also lists the paths of what it reads. To add a table: one
 * list, one struct table, one converter. */
#ifndef LIB_TABLE_H
#define LIB_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum column_type {
    COLUMN_TEXT, /* UTF-8 */
    COLUMN_KEY,  /* ASCII, compared byte by byte: uids, versions, API groups */
    COLUMN_INT,  /* small integer */
    COLUMN_TIME, /* UTC, whole seconds in the database, microseconds in memory */
};

/* How a column is merged when two rows of one uid meet. row_merge (lib/rows/row.c) says this in C,
 * sql_upsert and sql_update (lib/sql/sql.c) say it in SQL; a test holds them together. Every rule is
 * commutative and associative: what a table ends in depends on the set of rows that came, never on
 * their order.
 *
 * A row holds up to two statements. One is what an *event* said of the object, at its version: all of
 * it, or, in an update, which changes what is there but never makes a row, all but what an update
 * cannot know and leaves NULL. The other one is a *tombstone*: at its version the object was not there
 * any more. A row that has a tombstone over it has the tombstone's version in `version` and the event's
 * in `stated_version`, which is NULL otherwise. A row that is nothing but a tombstone has the empty
 * version there.
 *
 * Of two rows that meet, "says" is the one with the newer event, and "top" the one with the newer version:
 * versions are compared by length, then by text. Rows of equal version are one, and the one that is there
 * stays. But an event at the version of a
 * tombstone is on top of it, and one that shows the object alive counts before one of the same version
 * that deletes it: what was alive at a version was not gone. The merged row is closed if top has a
 * tombstone.
 *
 *  NEWEST      what says has
 *  SETTLED     the same, unless it is NULL: then what the other one has. For what does not change while
 *              the object lives, and is unknown at times
 *  LAST_KNOWN  of the row in which it was known at the newer version
 *  KNOWN_AT    the version at which the column before it, which is LAST_KNOWN, was known: the newer one
 *  EARLIEST    the earlier of the two times, NULL only if both are. A time that is gmt_created stands
 *              for one that is not known, and gives way to any other
 *  STATUS      NEWEST; Stopped if the merged row is closed and that is not final
 *  END         NEWEST; if the merged row is closed and there is none, the time of the tombstone, which
 *              is in gmt_modified of top. (So an end in a closed row that is the same second as
 *              gmt_modified is the tombstone's, and a newer tombstone's takes its place.)
 *  TOP         what top has
 *  STATED      the version of the event of says ("" if it has none), if the merged row is closed; else
 *              NULL
 *  VERSION     the version of top
 */
enum merge_rule {
    MERGE_NEWEST,
    MERGE_SETTLED,
    MERGE_LAST_KNOWN,
    MERGE_KNOWN_AT,
    MERGE_EARLIEST,
    MERGE_STATUS,
    MERGE_END,
    MERGE_TOP,
    MERGE_STATED,
    MERGE_VERSION,
};

struct column {
    const char *name; /* in the database */
    enum column_type type;
    uint32_t max_chars; /* text: characters (varchar), or bytes where it is over 16383 (text) */
    enum merge_rule merge;
    const char *initial; /* SQL default of the column, as a literal; NULL: NULL is the default */
};

struct index {
    const char *name;
    const char *columns; /* "a, b" as in SQL */
};

/* The value of a column that a TEXT column may hold at the most. */
#define TEXT_MAX_BYTES 65535U

/* Up to here a text column is a varchar, which counts characters; from here on SQL's `text`, which
 * counts bytes. */
#define VARCHAR_MAX_CHARS 16383U

/* clang-format off */
/*   enum suffix    name in the database        type  max     merge        default */
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
    X(TENANT,       "tenant",                  TEXT, 255,    NEWEST,      "''")                    \
    X(OWNER,        "owner",                   TEXT, 255,    NEWEST,      "''")                    \
    X(DELETED,      "deleted",                 INT,  0,      TOP,         NULL)                    \
    X(IN_ETCD,      "is_in_etcd",              INT,  0,      TOP,         NULL)                    \
    X(REMARK,       "remark",                  TEXT, 65535,  NEWEST,      NULL)                    \
    X(CREATED,      "gmt_created",             TIME, 0,      SETTLED,     NULL)                    \
    X(MODIFIED,     "gmt_modified",            TIME, 0,      TOP,         NULL)                    \
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
    X(DELETED,      "deleted",                 INT,  0,      TOP,         NULL)                    \
    X(IN_ETCD,      "is_in_etcd",              INT,  0,      TOP,         NULL)                    \
    X(REMARK,       "remark",                  TEXT, 65535,  NEWEST,      NULL)                    \
    X(CREATED,      "gmt_created",             TIME, 0,      SETTLED,     NULL)                    \
    X(MODIFIED,     "gmt_modified",            TIME, 0,      TOP,         NULL)                    \
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

/* Bound on the columns of any table, for arrays on the stack. */
#define TABLE_MAX_COLUMNS 32

#define TABLE_NO_COLUMN SIZE_MAX

struct table {
    const char *name;
    const struct column *columns;
    size_t column_count;
    size_t uid;      /* index of the column that identifies the object; UNIQUE, NOT NULL */
    size_t version;  /* resourceVersion: decimal digits; assigned last in an upsert */
    size_t stated;   /* that of the newest event, where a tombstone lies over it; else NULL */
    size_t status;   /* what the object does: a word */
    size_t kind;     /* tells objects of one table apart; TABLE_NO_COLUMN if they are of one kind */
    size_t group;    /* the kind's API group; likewise */
    size_t in_etcd;  /* 1 while the API server has the object */
    size_t finished; /* when it ended */
    size_t deleted;  /* 1 once the object is known to be gone */
    size_t region;   /* filled from REGION */
    size_t cluster;  /* filled from CLUSTER_ID */
    size_t namespace;
    size_t created;              /* never NULL in a row that makes one */
    size_t modified;             /* when the event, or the tombstone, was received */
    const struct index *indexes; /* besides PRIMARY KEY (id) and the unique key on uid */
    size_t index_count;
};

extern const struct table table_job; /* job_info */
extern const struct table table_pod; /* replica_info */

/* All tables, ending in NULL. */
#define TABLE_COUNT 2
extern const struct table *const tables[TABLE_COUNT + 1];

/* The place of a table in tables[]. */
size_t table_number(const struct table *table);

/* Statuses that a job or pod does not leave by being deleted. */
bool table_status_is_final(const char *status, size_t length);

/* The status that a deletion gives to what had not ended by itself (KubeDL's own word). */
#define STATUS_STOPPED "Stopped"

#endif
