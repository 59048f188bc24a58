/* kind: the table of all resources that are recorded: the pods, and the jobs of each kind.
 *
 * To add a kind of jobs: one line in kind.c, and RESOURCE_COUNT. Whatever is kept for each resource (windows of
 * snapshots, counters, watches) is an array of RESOURCE_COUNT elements, indexed by resource_number().
 *
 * A kind is a name in an API group: KubeDL and Kubeflow both have a TFJob. */
#ifndef LIB_KIND_H
#define LIB_KIND_H

#include "lib/base/text.h"
#include "lib/rows/table.h"

#include <stdbool.h>

/* What the operators of some kinds have in common. */
struct convention {
    const char *job_label;          /* that each pod of a job has, whatever its value */
    const char *replica_type_label; /* the same; its value is the column replica_type */
    const char *role_label;         /* in place of that one where it is not set; NULL: none */
    bool suspends; /* its jobs can be suspended: conditions may be False, and so be over */
};

struct resource {
    const char *kind;          /* "TFJob" */
    const char *group;         /* API group, "training.kubedl.io"; "": the core group */
    const char *version;       /* of the group, in which it is asked for: "v1alpha1" */
    const char *other_version; /* in which it is served by another operator; NULL: none */
    const char *name;          /* in paths of the API: "tfjobs" */
    const struct table *table; /* that has its rows */

    /* Of jobs only; NULL for pods. */
    const struct convention *convention; /* of its operator */
    const char *replica_specs;           /* key in spec: "tfReplicaSpecs" */
    const char *default_container;       /* whose image and state stand for the pod: "tensorflow" */
};

#define RESOURCE_COUNT 15

/* The pods are the first one. */
extern const struct resource *const resource_table;

/* The place of a resource in the table, to which it points. */
size_t resource_number(const struct resource *resource);

/* The resource of that kind and API group; NULL if it is not recorded. "batch/v1" has a group and a version,
 * "v1" only a version: the core group is "". */
const struct resource *resource_find(struct text api_version, struct text kind);

/* The first kind of jobs of that name, which is meant where no API group is named, as in rows of KubeDL's own
 * writer. NULL if there is none. */
const struct resource *resource_find_job(struct text kind);

#define RESOURCE_TITLE_SIZE 48

/* "Pod", "TFJob.kubeflow.org" */
void resource_title(const struct resource *resource, char title[RESOURCE_TITLE_SIZE]);

/* The resource of a title that may have "/" and a namespace behind it; NULL if there is none. *namespace
 * points into the title, at its end where it has none. */
const struct resource *resource_find_title(const char *title, const char **namespace);

/* All conventions, ending in NULL. */
extern const struct convention *const conventions[];

#endif
