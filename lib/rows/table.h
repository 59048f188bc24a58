/* table: one description of each table. DDL, migration, upsert, binding, merge and printing are
 * all made from it.
 *
 * To add a column: one line in JOB_COLUMNS or POD_COLUMNS here, and one line in its converter
 * (lib/kube/job.c or lib/kube/pod.c), which also lists the paths of what it reads. To add a table: one list, one struct table, one converter. */
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

/* How a column is merged when two rows of one uid meet: the one that is there (O) and the one that
 * comes (N). "Newer" is by version: length, then text. An *update* is a row that changes what is
 * there but never makes a row; its NULLs mean "unknown". row_merge (lib/rows/row.c) says this in C,
 * sql_upsert and sql_update (lib/sql/sql.c) say it in SQL; a test holds them together.
 *
 *                N is newer                  N is newer, an update         N is not newer
 *  NEWEST        N                           N, or O where N is NULL       O
 *  LAST_KNOWN    N, or O where N is NULL     the same                      O, or N where O is NULL
 *  FIRST_KNOWN   O, or N where O is NULL     the same                      O
 *  STATUS        N                           as NEWEST, but O where N is   O
 *                                            Stopped and O is final
 *  FINISH        N                           O, or N where O is NULL       O
 *  FIRST_FINISH  as FIRST_KNOWN, but N       as FIRST_KNOWN                O
 *                where it revives the row
 *                (O deleted, N not)
 */
enum merge_rule {
    MERGE_NEWEST,
    MERGE_LAST_KNOWN,
    MERGE_FIRST_KNOWN,
    MERGE_STATUS,
    MERGE_FINISH,
    MERGE_FIRST_FINISH,
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
/*   enum suffix    name in the database  type  max     merge         default */
#define JOB_COLUMNS(X)                                                                             \
    X(NAME,         "name",             TEXT,  253,    NEWEST,       NULL)                         \
    X(NAMESPACE,    "namespace",        TEXT,  128,    NEWEST,       NULL)                         \
    X(UID,          "job_id",           KEY,   64,     NEWEST,       NULL)                         \
    X(VERSION,      "version",          KEY,   32,     NEWEST,       NULL)                         \
    X(STATUS,       "status",           TEXT,  32,     STATUS,       NULL)                         \
    X(KIND,         "kind",             TEXT,  32,     NEWEST,       NULL)                         \
    X(RESOURCES,    "resources",        TEXT,  65535,  NEWEST,       NULL)                         \
    X(REGION,       "deploy_region",    TEXT,  64,     LAST_KNOWN,   NULL)                         \
    X(TENANT,       "tenant",           TEXT,  255,    NEWEST,       "''")                         \
    X(OWNER,        "owner",            TEXT,  255,    NEWEST,       "''")                         \
    X(DELETED,      "deleted",          INT,   0,      NEWEST,       NULL)                         \
    X(IN_ETCD,      "is_in_etcd",       INT,   0,      NEWEST,       NULL)                         \
    X(REMARK,       "remark",           TEXT,  65535,  NEWEST,       NULL)                         \
    X(CREATED,      "gmt_created",      TIME,  0,      NEWEST,       NULL)                         \
    X(MODIFIED,     "gmt_modified",     TIME,  0,      NEWEST,       NULL)                         \
    X(RUNNING,      "gmt_job_running",  TIME,  0,      LAST_KNOWN,   NULL)                         \
    X(FINISHED,     "gmt_job_finished", TIME,  0,      FINISH,       NULL)                         \
    X(CLUSTER,      "cluster_id",       TEXT,  64,     LAST_KNOWN,   NULL)                         \
    X(GROUP,        "api_group",        KEY,   253,    LAST_KNOWN,   NULL)

#define POD_COLUMNS(X)                                                                             \
    X(NAME,         "name",             TEXT,  253,    NEWEST,       NULL)                         \
    X(NAMESPACE,    "namespace",        TEXT,  128,    NEWEST,       NULL)                         \
    X(UID,          "pod_id",           KEY,   64,     NEWEST,       NULL)                         \
    X(VERSION,      "version",          KEY,   32,     NEWEST,       NULL)                         \
    X(STATUS,       "status",           TEXT,  32,     STATUS,       NULL)                         \
    X(IMAGE,        "image",            TEXT,  65535,  NEWEST,       NULL)                         \
    X(JOB_UID,      "job_id",           KEY,   64,     NEWEST,       NULL)                         \
    X(REPLICA_TYPE, "replica_type",     TEXT,  63,     NEWEST,       NULL)                         \
    X(RESOURCES,    "resources",        TEXT,  65535,  NEWEST,       NULL)                         \
    X(HOST_IP,      "host_ip",          TEXT,  64,     LAST_KNOWN,   NULL)                         \
    X(POD_IP,       "pod_ip",           TEXT,  64,     LAST_KNOWN,   NULL)                         \
    X(REGION,       "deploy_region",    TEXT,  64,     LAST_KNOWN,   NULL)                         \
    X(DELETED,      "deleted",          INT,   0,      NEWEST,       NULL)                         \
    X(IN_ETCD,      "is_in_etcd",       INT,   0,      NEWEST,       NULL)                         \
    X(REMARK,       "remark",           TEXT,  65535,  NEWEST,       NULL)                         \
    X(CREATED,      "gmt_created",      TIME,  0,      NEWEST,       NULL)                         \
    X(MODIFIED,     "gmt_modified",     TIME,  0,      NEWEST,       NULL)                         \
    X(STARTED,      "gmt_started",      TIME,  0,      FIRST_KNOWN,  NULL)                         \
    X(FINISHED,     "gmt_finished",     TIME,  0,      FIRST_FINISH, NULL)                         \
    X(CLUSTER,      "cluster_id",       TEXT,  64,     LAST_KNOWN,   NULL)

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
    size_t modified;             /* when the event was received */
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
