/* kind: the table of job kinds. */
#include "lib/kind.h"

/* group and version */
#define TRAINING  "training.kubedl.io", "v1alpha1"
#define INFERENCE "inference.kubedl.io", "v1alpha1"

/* clang-format off */
static const struct kind kinds[] = {
    {"TFJob",           TRAINING,  "tfjobs",           "tfReplicaSpecs",           "tensorflow"},
    {"PyTorchJob",      TRAINING,  "pytorchjobs",      "pytorchReplicaSpecs",      "pytorch"},
    {"XGBoostJob",      TRAINING,  "xgboostjobs",      "xgbReplicaSpecs",          "xgboostjob"},
    {"XDLJob",          TRAINING,  "xdljobs",          "xdlReplicaSpecs",          "xdl"},
    {"MarsJob",         TRAINING,  "marsjobs",         "marsReplicaSpecs",         "mars"},
    {"MPIJob",          TRAINING,  "mpijobs",          "mpiReplicaSpecs",          "mpi"},
    {"ElasticDLJob",    TRAINING,  "elasticdljobs",    "elasticdlReplicaSpecs",    "elasticdl"},
    {"ElasticBatchJob", INFERENCE, "elasticbatchjobs", "elasticBatchReplicaSpecs", "elasticbatch"},
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
    const struct kind *found = kind_find(kind);
    if (found == NULL)
        return NULL;
    const char *slash =
        api_version.length > 0 ? memchr(api_version.data, '/', api_version.length) : NULL;
    struct text group = {api_version.data, slash != NULL ? (size_t)(slash - api_version.data) : 0};
    return text_is(group, found->group) ? found : NULL;
}
