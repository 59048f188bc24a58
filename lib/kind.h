/* kind: the job kinds that are recorded. To add one is one line in kind.c. */
#ifndef LIB_KIND_H
#define LIB_KIND_H

#include "lib/text.h"

struct kind {
    const char *kind;              /* "TFJob" */
    const char *group;             /* API group, "training.kubedl.io" */
    const char *version;           /* of the group, in which it is asked for: "v1alpha1" */
    const char *resource;          /* its name in paths of the API: "tfjobs" */
    const char *replica_specs;     /* key in spec: "tfReplicaSpecs" */
    const char *default_container; /* whose image and state stand for the pod: "tensorflow" */
};

/* All of them, by number; NULL behind the last one. */
const struct kind *kind_at(size_t number);

/* NULL if kind is none of ours. */
const struct kind *kind_find(struct text kind);

/* NULL if kind is not ours, or is but of another API group ("batch/v1" has a group and a version,
 * "v1" only a version: the core group is ""). */
const struct kind *kind_find_api(struct text api_version, struct text kind);

#endif
