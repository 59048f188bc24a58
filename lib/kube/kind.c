/* kind: the table of resources. Sources: the CRDs of KubeDL, and pkg/apis/kubeflow.org/v1 of Kubeflow's
 * training operator.
 *
 * Kubeflow has a second operator for MPIJob, the MPI operator, with the version v2beta1. Its pods have the
 * label job-role but no replica-type. A cluster has only one of these two operators, since their CRDs have
 * the same name. */
#include "lib/kube/kind.h"

#include "lib/base/invariant.h"

#include <stdio.h>

static const struct convention kubedl = {
    .job_label = "group-name",
    .replica_type_label = "replica-type",
};

static const struct convention kubeflow = {
    .job_label = "training.kubeflow.org/job-name",
    .replica_type_label = "training.kubeflow.org/replica-type",
    .role_label = "training.kubeflow.org/job-role",
    .suspends = true,
};

const struct convention *const conventions[] = {&kubedl, &kubeflow, NULL};

/* group, version, other version */
#define TRAINING     "training.kubedl.io", "v1alpha1", NULL
#define INFERENCE    "inference.kubedl.io", "v1alpha1", NULL
#define KUBEFLOW     "kubeflow.org", "v1", NULL
#define KUBEFLOW_MPI "kubeflow.org", "v1", "v2beta1"

/* KubeDL's kinds come before Kubeflow's: see resource_find_job(). */
/* clang-format off */
static const struct resource resources[] = {
    {"Pod",             "", "v1", NULL, "pods",           &table_pod, NULL,      NULL,                       NULL},
    {"TFJob",           TRAINING,     "tfjobs",           &table_job, &kubedl,   "tfReplicaSpecs",           "tensorflow"},
    {"PyTorchJob",      TRAINING,     "pytorchjobs",      &table_job, &kubedl,   "pytorchReplicaSpecs",      "pytorch"},
    {"XGBoostJob",      TRAINING,     "xgboostjobs",      &table_job, &kubedl,   "xgbReplicaSpecs",          "xgboostjob"},
    {"XDLJob",          TRAINING,     "xdljobs",          &table_job, &kubedl,   "xdlReplicaSpecs",          "xdl"},
    {"MarsJob",         TRAINING,     "marsjobs",         &table_job, &kubedl,   "marsReplicaSpecs",         "mars"},
    {"MPIJob",          TRAINING,     "mpijobs",          &table_job, &kubedl,   "mpiReplicaSpecs",          "mpi"},
    {"ElasticDLJob",    TRAINING,     "elasticdljobs",    &table_job, &kubedl,   "elasticdlReplicaSpecs",    "elasticdl"},
    {"ElasticBatchJob", INFERENCE,    "elasticbatchjobs", &table_job, &kubedl,   "elasticBatchReplicaSpecs", "elasticbatch"},
    {"TFJob",           KUBEFLOW,     "tfjobs",           &table_job, &kubeflow, "tfReplicaSpecs",           "tensorflow"},
    {"PyTorchJob",      KUBEFLOW,     "pytorchjobs",      &table_job, &kubeflow, "pytorchReplicaSpecs",      "pytorch"},
    {"XGBoostJob",      KUBEFLOW,     "xgboostjobs",      &table_job, &kubeflow, "xgbReplicaSpecs",          "xgboost"},
    {"MPIJob",          KUBEFLOW_MPI, "mpijobs",          &table_job, &kubeflow, "mpiReplicaSpecs",          "mpi"},
    {"PaddleJob",       KUBEFLOW,     "paddlejobs",       &table_job, &kubeflow, "paddleReplicaSpecs",       "paddle"},
    {"JAXJob",          KUBEFLOW,     "jaxjobs",          &table_job, &kubeflow, "jaxReplicaSpecs",          "jax"},
};
/* clang-format on */

_Static_assert(sizeof(resources) / sizeof(resources[0]) == RESOURCE_COUNT,
               "RESOURCE_COUNT is the number of lines above");

const struct resource *const resource_table = resources;

size_t resource_number(const struct resource *resource)
{
    size_t number = (size_t)(resource - resource_table);
    invariant(number < RESOURCE_COUNT);
    return number;
}

const struct resource *resource_find(struct text api_version, struct text kind)
{
    const char *slash =
        api_version.length > 0 ? memchr(api_version.data, '/', api_version.length) : NULL;
    struct text group = {api_version.data, slash != NULL ? (size_t)(slash - api_version.data) : 0};
    for (const struct resource *r = resource_table; r < resource_table + RESOURCE_COUNT; r++) {
        bool is_version = r->group[0] != '\0' || text_is(api_version, r->version);
        if (text_is(kind, r->kind) && text_is(group, r->group) && is_version)
            return r;
    }
    return NULL;
}

const struct resource *resource_find_job(struct text kind)
{
    for (const struct resource *r = resource_table; r < resource_table + RESOURCE_COUNT; r++) {
        if (r->table == &table_job && text_is(kind, r->kind))
            return r;
    }
    return NULL;
}

void resource_title(const struct resource *resource, char title[RESOURCE_TITLE_SIZE])
{
    (void)snprintf(title, RESOURCE_TITLE_SIZE, "%s%s%s", resource->kind,
                   resource->group[0] != '\0' ? "." : "", resource->group);
}

const struct resource *resource_find_title(const char *title, const char **namespace)
{
    size_t length = strcspn(title, "/");
    *namespace = title + length + (title[length] == '/');
    for (const struct resource *r = resource_table; r < resource_table + RESOURCE_COUNT; r++) {
        char own[RESOURCE_TITLE_SIZE];
        resource_title(r, own);
        if (text_is((struct text){title, length}, own))
            return r;
    }
    return NULL;
}
