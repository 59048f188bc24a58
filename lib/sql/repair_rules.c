/* repair_rules: the rules, and the statements that are made from them (see repair_rules.h).
 *
 * In the texts, `old` is the row that may be wrong. Text in square brackets needs columns that KubeDL does
 * not make, and is left out if the tables do not have them yet. @ stands for the condition that the id of
 * `slice` is within the bounds. */
#include "lib/sql/repair_rules.h"

#include <string.h>

/* clang-format off */

/* An event of an object may be on its way while this runs. So rows that changed later than this are left
 * alone. */
#define A_WHILE_AGO "(UTC_TIMESTAMP() - INTERVAL 1 HOUR)"

/* A job must have ended before this for its pods to count as ended. */
#define LONG_AGO "(UTC_TIMESTAMP() - INTERVAL 1 DAY)"

/* Zero dates stand for "unknown" in tables that were not migrated yet. */
#define NEVER           "TIMESTAMP'1000-01-01 00:00:00'"
#define KNOWN(time)     "IF(" time " >= '1000-01-01', " time ", NULL)"
#define OR_NEVER(time)  "COALESCE(" KNOWN(time) ", " NEVER ")"
#define NOT_NEVER(time) "NULLIF(" time ", " NEVER ")"

#define GONE(row)    "(COALESCE(" row ".deleted, 0) <> 0 OR COALESCE(" row ".is_in_etcd, 1) = 0)"
#define ENDED(row)   "COALESCE(" row ".status, '') IN ('Succeeded', 'Failed', '" STATUS_STOPPED "')"
#define IS_OPEN(row) "NOT " GONE(row) " AND NOT " ENDED(row)

/* The newest time at which the object existed, as far as its row tells. */
#define LATEST(a, b, c, d) \
    "GREATEST(" OR_NEVER(a) ", " OR_NEVER(b) ", " OR_NEVER(c) ", " OR_NEVER(d) ")"
#define LAST_NEWS_OF_JOB(job) \
    LATEST(job ".gmt_created", job ".gmt_modified", job ".gmt_job_running", job ".gmt_job_finished")
#define LAST_NEWS_OF_POD(pod) \
    LATEST(pod ".gmt_created", pod ".gmt_modified", pod ".gmt_started", pod ".gmt_finished")

/* KubeDL's writer leaves the group NULL. It is one of KubeDL's groups then, which have no kind in common. */
#define KUBEDL_GROUPS "('training.kubedl.io', 'inference.kubedl.io')"
#define GROUP(job) \
    "IF(" job ".api_group IS NULL OR " job ".api_group IN " KUBEDL_GROUPS ", '', " job ".api_group)"

/* Jobs of the same kind and name that were created later, in the same cluster as far as the rows tell. If a
 * row changed after the later job was created, both jobs existed at once, so they belong to different
 * clusters. */
#define SUCCESSORS_OF_JOB(job)                                        \
    " FROM job_info AS later"                                         \
    " WHERE later.namespace = " job ".namespace"                      \
    " AND later.name = " job ".name"                                  \
    " AND later.kind = " job ".kind"                                  \
    " AND later.job_id <> " job ".job_id"                             \
    " AND later.gmt_created > " job ".gmt_created"                    \
    " AND later.gmt_created < " A_WHILE_AGO                           \
    " AND " LAST_NEWS_OF_JOB(job) " <= later.gmt_created"             \
    " AND later.deploy_region <=> " job ".deploy_region"              \
    "[ AND later.cluster_id <=> " job ".cluster_id"                   \
    " AND " GROUP("later") " = " GROUP(job) "]"
#define JOB_IS_REPLACED(job)    "(" IS_OPEN(job) " AND EXISTS (SELECT 1" SUCCESSORS_OF_JOB(job) "))"
#define TIME_OF_SUCCESSOR(job)  "(SELECT MIN(later.gmt_created)" SUCCESSORS_OF_JOB(job) ")"

/* For each pod, the time at which its job created the next pod of the same name. It is computed for all pods
 * of the jobs that have open pods in the slice, so that each pod is read only once. The uid of the job says
 * which cluster it is. */
#define TURNS                                                                             \
    "JOIN (SELECT id, LEAD(gmt_created) OVER"                                             \
    " (PARTITION BY job_id, namespace, name ORDER BY gmt_created, id) AS replaced"        \
    " FROM replica_info WHERE job_id IN"                                                  \
    " (SELECT slice.job_id FROM replica_info AS slice WHERE @ AND " IS_OPEN("slice") "))" \
    " AS turn ON turn.id = old.id "
#define POD_IS_REPLACED \
    "COALESCE(turn.replaced > old.gmt_created AND turn.replaced < " A_WHILE_AGO ", 0)"
#define POD_IS_QUIET LAST_NEWS_OF_POD("old") " < " A_WHILE_AGO
#define POD_IS_OPEN  IS_OPEN("old") " AND " POD_IS_QUIET

#define JOB_OF_POD "JOIN job_info AS job ON job.job_id = old.job_id"
#define JOB_IS_OVER \
    "((" GONE("job") " AND " LAST_NEWS_OF_JOB("job") " < " A_WHILE_AGO ") OR " JOB_IS_REPLACED("job") ")"
#define END_OF_JOB                                                               \
    "COALESCE(" KNOWN("job.gmt_job_finished")                                    \
    ", IF(" JOB_IS_REPLACED("job") ", " TIME_OF_SUCCESSOR("job") ", NULL)"       \
    ", " NOT_NEVER(LAST_NEWS_OF_JOB("job")) ")"
#define NEWS_OF_PODS_OF_JOB \
    "(SELECT MAX(" LAST_NEWS_OF_POD("pod") ") FROM replica_info AS pod WHERE pod.job_id = old.job_id)"

static const struct repair_rule rules[] = {
    {
        .name = "jobs-gone",
        .table = &table_job,
        .why = "the row itself says that the job is gone, so it has ended: at the newest time that "
               "the tables know of it or its pods",
        .join = "",
        .where = GONE("old") " AND NOT " ENDED("old"),
        .end = "COALESCE(" KNOWN("old.gmt_job_finished")
               ", " NOT_NEVER("GREATEST(" LAST_NEWS_OF_JOB("old")
                              ", COALESCE(" NEWS_OF_PODS_OF_JOB ", " NEVER "))") ")",
    },
    {
        .name = "jobs-replaced",
        .table = &table_job,
        .why = "a job of the same kind, namespace and name was made later, and a cluster has only "
               "one at a time: it ended then at the latest",
        .join = "",
        .where = JOB_IS_REPLACED("old"),
        .end = TIME_OF_SUCCESSOR("old"),
    },
    {
        .name = "pods-gone",
        .table = &table_pod,
        .why = "the row itself says that the pod is gone, so it has ended",
        .join = "",
        .where = GONE("old") " AND NOT " ENDED("old"),
        .end = "COALESCE(" KNOWN("old.gmt_finished") ", " NOT_NEVER(LAST_NEWS_OF_POD("old")) ")",
    },
    {
        .name = "pods-replaced",
        .table = &table_pod,
        .why = "the same job has made a pod of the same name later, which it cannot while the old "
               "one is there",
        .join = TURNS,
        .where = POD_IS_OPEN " AND " POD_IS_REPLACED,
        .end = "turn.replaced",
    },
    {
        .name = "pods-of-gone-jobs",
        .table = &table_pod,
        .why = "Kubernetes removes the pods of a job that is gone: they ended with it at the latest",
        .join = TURNS JOB_OF_POD,
        .where = POD_IS_OPEN " AND NOT " POD_IS_REPLACED " AND " JOB_IS_OVER,
        .end = END_OF_JOB,
    },
    {
        .name = "pods-of-ended-jobs",
        .table = &table_pod,
        .why = "KubeDL removes the pods of a job that has ended, unless its cleanPodPolicy is None; "
               "this one ended over a day ago, and nothing was heard of the pod since, nor does a "
               "sidecar with a CLUSTER_ID know it",
        .join = TURNS JOB_OF_POD,
        .where = POD_IS_OPEN " AND NOT " POD_IS_REPLACED
                 " AND NOT " GONE("job") " AND " ENDED("job")
                 " AND " KNOWN("job.gmt_job_finished") " < " LONG_AGO
                 " AND " LAST_NEWS_OF_POD("old") " < job.gmt_job_finished + INTERVAL 1 HOUR"
                 "[ AND old.cluster_id IS NULL AND " GROUP("job") " = '']",
        .end = "job.gmt_job_finished",
    },
    {
        .name = "ended-pods-of-gone-jobs",
        .table = &table_pod,
        .why = "Kubernetes removes the pods of a job that is gone; their status is right, but they "
               "still count as being in the cluster",
        .join = JOB_OF_POD,
        .where = "NOT " GONE("old") " AND " ENDED("old") " AND " POD_IS_QUIET " AND " JOB_IS_OVER,
        .end = "COALESCE(" KNOWN("old.gmt_finished") ", " END_OF_JOB ")",
    },
};

/* clang-format on */

#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

_Static_assert(RULE_COUNT <= REPAIR_MAX_RULES, "raise REPAIR_MAX_RULES");

const struct repair_rule *repair_rule_at(size_t number)
{
    return number < RULE_COUNT ? &rules[number] : NULL;
}

/* The rows that are selected, and what their tables have. */
struct slice {
    bool has_ours;
    const char *after;
    const char *until;
};

static void append_slice(struct buffer *out, const struct slice *slice, const char *alias)
{
    buffer_append_string(out, "1 = 1");
    if (slice->after[0] != '\0')
        buffer_appendf(out, " AND %s.id > %s", alias, slice->after);
    if (slice->until[0] != '\0')
        buffer_appendf(out, " AND %s.id <= %s", alias, slice->until);
}

static void append_template(struct buffer *out, const char *template, const struct slice *slice)
{
    for (; *template != '\0'; template ++) {
        if (*template == '[' && !slice->has_ours)
            template += strcspn(template, "]");
        else if (*template == '@')
            append_slice(out, slice, "slice");
        else if (*template != '[' && *template != ']')
            buffer_append_char(out, *template);
    }
}

static const char *start_of(const struct table *table)
{
    return table->columns[table == &table_pod ? (size_t)POD_STARTED : (size_t)JOB_RUNNING].name;
}

void repair_select(struct buffer *out, const struct repair_rule *rule, bool has_ours,
                   const char *after, const char *until, size_t limit)
{
    const struct table *table = rule->table;
    const struct column *columns = table->columns;
    const struct slice slice = {has_ours, after, until};
    buffer_appendf(out,
                   "SELECT id, namespace, name, uid, status, ended, QUOTE(version), QUOTE(status), "
                   "QUOTE(deleted), QUOTE(in_etcd), QUOTE(ended) FROM (SELECT old.id, "
                   "old.namespace, old.name, old.`%s` AS uid, old.`%s` AS status, old.`%s` AS "
                   "version, old.`%s` AS deleted, old.`%s` AS in_etcd, GREATEST(COALESCE(",
                   columns[table->uid].name, columns[table->status].name,
                   columns[table->version].name, columns[table->deleted].name,
                   columns[table->in_etcd].name);
    append_template(out, rule->end, &slice);
    buffer_append_string(out, ", UTC_TIMESTAMP())");
    /* An object does not end before it was created or has started. */
    const char *const earlier[] = {columns[table->created].name, start_of(table)};
    for (size_t i = 0; i < 2; i++)
        buffer_appendf(out, ", COALESCE(IF(old.`%s` >= '1000-01-01', old.`%s`, NULL), " NEVER ")",
                       earlier[i], earlier[i]);
    buffer_appendf(out, ") AS ended FROM `%s` AS old ", table->name);
    append_template(out, rule->join, &slice);
    buffer_append_string(out, " WHERE ");
    append_template(out, rule->where, &slice);
    buffer_append_string(out, " AND ");
    append_slice(out, &slice, "old");
    buffer_append_string(out, ") AS found ORDER BY id");
    if (limit > 0)
        buffer_appendf(out, " LIMIT %zu", limit);
}

void repair_update(struct buffer *out, const struct table *table, const struct repair_row *rows,
                   size_t count)
{
    const struct column *columns = table->columns;
    const char *status = columns[table->status].name;
    const char *finished = columns[table->finished].name;
    const char *start = start_of(table);
    buffer_appendf(out, "UPDATE `%s` SET `%s` = IF(`%s` >= '1000-01-01', `%s`, CASE `id`",
                   table->name, finished, finished, finished);
    for (size_t i = 0; i < count; i++) {
        buffer_append_string(out, " WHEN ");
        buffer_append(out, rows[i].values[REPAIR_ID]);
        buffer_append_string(out, " THEN ");
        buffer_append(out, rows[i].values[REPAIR_NEW_ENDED]);
    }
    buffer_append_string(out, " END)");
    if (table == &table_pod)
        buffer_appendf(out, ", `%s` = IF(`%s` >= '1000-01-01', `%s`, `%s`)", start, start, start,
                       columns[table->created].name);
    buffer_appendf(out,
                   ", `%s` = IF(`%s` IN ('Succeeded', 'Failed'), `%s`, '" STATUS_STOPPED
                   "'), `%s` = 1, `%s` = 0 WHERE ",
                   status, status, status, columns[table->deleted].name,
                   columns[table->in_etcd].name);
    /* The version guards a row that a sidecar has written since; the other columns guard one that KubeDL has
     * written, which stops a job without giving it a new version. */
    const struct {
        size_t column;
        enum repair_value value;
    } guards[] = {
        {table->version, REPAIR_OLD_VERSION},
        {table->status, REPAIR_OLD_STATUS},
        {table->deleted, REPAIR_OLD_DELETED},
        {table->in_etcd, REPAIR_OLD_IN_ETCD},
    };
    for (size_t i = 0; i < count; i++) {
        buffer_append_string(out, i == 0 ? "(`id` = " : " OR (`id` = ");
        buffer_append(out, rows[i].values[REPAIR_ID]);
        for (size_t guard = 0; guard < sizeof(guards) / sizeof(guards[0]); guard++) {
            buffer_appendf(out, " AND `%s` <=> ", columns[guards[guard].column].name);
            buffer_append(out, rows[i].values[guards[guard].value]);
        }
        buffer_append_char(out, ')');
    }
}
