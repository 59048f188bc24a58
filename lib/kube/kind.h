/* kind: the job kinds that are recorded. To add one is one line in kind.c.
 *
 * A kind is a name in an API group: KubeDL and Kubeflow both have a TFJob. */
#ifndef LIB_KIND_H
#define LIB_KIND_H

#include "lib/base/text.h"

/* What the operators of some kinds have in common. */
struct convention {
    const char *job_label;          /* that each pod of a job has, whatever its value */
    const char *replica_type_label; /* the same; its value is the column replica_type */
    const char *role_label;         /* in place of that one where it is not set; NULL: none */
    bool suspends; /* its jobs can be suspended: conditions may be False, and so be over */
};

struct kind {
    const char *kind;                    /* "TFJob" */
    const struct convention *convention; /* of its operator */
    const char *group;                   /* API group, "training.kubedl.io" */
    const char *version;                 /* of the group, in which it is asked for: "v1alpha1" */
    const char *other_version;           /* in which it is served by another operator; NULL: none */
    const char *resource;                /* its name in paths of the API: "tfjobs" */
    const char *replica_specs;           /* key in spec: "tfReplicaSpecs" */
    const char *default_container;       /* whose image and state stand for the pod: "tensorflow" */
};

/* All of them, by number; NULL behind the last one. */
const struct kind *kind_at(size_t number);

/* The first kind of that name: what is meant where no API group is named, as in rows of KubeDL's own
 * writer. NULL if there is none. */
const struct kind *kind_find(struct text kind);

/* The kind of that name and API group; NULL if it is none of ours. "batch/v1" has a group and a
 * version, "v1" only a version: the core group is "". */
const struct kind *kind_find_api(struct text api_version, struct text kind);

/* All conventions, ending in NULL. */
extern const struct convention *const conventions[];

#endif
