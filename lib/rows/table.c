/* table: the descriptions of job_info and replica_info, made from the lists in table.h. */
#include "lib/rows/table.h"

#define COLUMN(suffix, name, type, max, merge, initial)                                            \
    {name, COLUMN_##type, max, MERGE_##merge, initial},
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct column job_columns[] = {JOB_COLUMNS(COLUMN)};
static const struct column pod_columns[] = {POD_COLUMNS(COLUMN)};

_Static_assert(COUNT_OF(job_columns) <= TABLE_MAX_COLUMNS, "raise TABLE_MAX_COLUMNS");
_Static_assert(COUNT_OF(pod_columns) <= TABLE_MAX_COLUMNS, "raise TABLE_MAX_COLUMNS");

/* idx_alive serves the sweeps, which ask for the live objects of a cluster. The other indexes serve KubeDL's
 * console. */
static const struct index job_indexes[] = {
    {"idx_gmt_created", "gmt_created"},
    {"idx_status_gmt_created", "status, gmt_created"},
    {"idx_namespace_name", "namespace, name"},
    {"idx_alive", "is_in_etcd, cluster_id, kind"},
};

static const struct index pod_indexes[] = {
    {"idx_job_id", "job_id"},
    {"idx_alive", "is_in_etcd, cluster_id"},
};

const struct table table_job = {
    .name = "job_info",
    .columns = job_columns,
    .column_count = JOB_COLUMN_COUNT,
    .uid = JOB_UID,
    .version = JOB_VERSION,
    .stated = JOB_STATED,
    .status = JOB_STATUS,
    .kind = JOB_KIND,
    .group = JOB_GROUP,
    .in_etcd = JOB_IN_ETCD,
    .finished = JOB_FINISHED,
    .deleted = JOB_DELETED,
    .region = JOB_REGION,
    .cluster = JOB_CLUSTER,
    .namespace = JOB_NAMESPACE,
    .created = JOB_CREATED,
    .modified = JOB_MODIFIED,
    .indexes = job_indexes,
    .index_count = COUNT_OF(job_indexes),
};

const struct table table_pod = {
    .name = "replica_info",
    .columns = pod_columns,
    .column_count = POD_COLUMN_COUNT,
    .uid = POD_UID,
    .version = POD_VERSION,
    .stated = POD_STATED,
    .status = POD_STATUS,
    .kind = TABLE_NO_COLUMN,
    .group = TABLE_NO_COLUMN,
    .in_etcd = POD_IN_ETCD,
    .finished = POD_FINISHED,
    .deleted = POD_DELETED,
    .region = POD_REGION,
    .cluster = POD_CLUSTER,
    .namespace = POD_NAMESPACE,
    .created = POD_CREATED,
    .modified = POD_MODIFIED,
    .indexes = pod_indexes,
    .index_count = COUNT_OF(pod_indexes),
};

const struct table *const tables[TABLE_COUNT + 1] = {&table_job, &table_pod, NULL};

size_t table_number(const struct table *table)
{
    size_t number = 0;
    while (number < TABLE_COUNT && tables[number] != table)
        number++;
    return number;
}

bool table_status_is_final(struct text status)
{
    return text_is(status, "Succeeded") || text_is(status, "Failed");
}
