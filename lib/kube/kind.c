/* kind: the table of job kinds. Sources: the CRDs of KubeDL, and pkg/apis/kubeflow.org/v1 of Kubeflow's
 * training operator. MPIJob is Kubeflow's MPI operator's, too, in v2beta1, whose pods have a role but no
 * replica type; a cluster has one of the two, since their CRDs have one name. */
#include "lib/kube/kind.h"

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

/* convention, group, version, other version */
#define TRAINING     &kubedl, "training.kubedl.io", "v1alpha1", NULL
#define INFERENCE    &kubedl, "inference.kubedl.io", "v1alpha1", NULL
#define KUBEFLOW     &kubeflow, "kubeflow.org", "v1", NULL
#define KUBEFLOW_MPI &kubeflow, "kubeflow.org", "v1", "v2beta1"

/* KubeDL's come first: see kind_find(). */
/* clang-format off */
static const struct kind kinds[] = {
    {"TFJob",           TRAINING,     "tfjobs",           "tfReplicaSpecs",           "tensorflow"},
    {"PyTorchJob",      TRAINING,     "pytorchjobs",      "pytorchReplicaSpecs",      "pytorch"},
    {"XGBoostJob",      TRAINING,     "xgboostjobs",      "xgbReplicaSpecs",          "xgboostjob"},
    {"XDLJob",          TRAINING,     "xdljobs",          "xdlReplicaSpecs",          "xdl"},
    {"MarsJob",         TRAINING,     "marsjobs",         "marsReplicaSpecs",         "mars"},
    {"MPIJob",          TRAINING,     "mpijobs",          "mpiReplicaSpecs",          "mpi"},
    {"ElasticDLJob",    TRAINING,     "elasticdljobs",    "elasticdlReplicaSpecs",    "elasticdl"},
    {"ElasticBatchJob", INFERENCE,    "elasticbatchjobs", "elasticBatchReplicaSpecs", "elasticbatch"},
    {"TFJob",           KUBEFLOW,     "tfjobs",           "tfReplicaSpecs",           "tensorflow"},
    {"PyTorchJob",      KUBEFLOW,     "pytorchjobs",      "pytorchReplicaSpecs",      "pytorch"},
    {"XGBoostJob",      KUBEFLOW,     "xgboostjobs",      "xgbReplicaSpecs",          "xgboost"},
    {"MPIJob",          KUBEFLOW_MPI, "mpijobs",          "mpiReplicaSpecs",          "mpi"},
    {"PaddleJob",       KUBEFLOW,     "paddlejobs",       "paddleReplicaSpecs",       "paddle"},
    {"JAXJob",          KUBEFLOW,     "jaxjobs",          "jaxReplicaSpecs",          "jax"},
};
/* clang-format on */

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

const struct kind *kind_at(size_t number)
{
    return number < KIND_COUNT ? &kinds[number] : NULL;
}

const struct kind *kind_find(struct text kind)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (text_is(kind, kinds[i].kind))
            return &kinds[i];
    }
    return NULL;
}

const struct kind *kind_find_api(struct text api_version, struct text kind)
{
    const char *slash =
        api_version.length > 0 ? memchr(api_version.data, '/', api_version.length) : NULL;
    struct text group = {api_version.data, slash != NULL ? (size_t)(slash - api_version.data) : 0};
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (text_is(kind, kinds[i].kind) && text_is(group, kinds[i].group))
            return &kinds[i];
    }
    return NULL;
}
