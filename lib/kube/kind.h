/* kind: the table of all resources that are recorded: the pods, and each kind of job.
 *
 * To add a kind of job, add a line to the table in kind.c and increase RESOURCE_COUNT. Whatever is kept
 * for each resource (windows of snapshots, counters, watches) is an array of RESOURCE_COUNT elements,
 * indexed by resource_number().
 *
 * A kind is known by its name and its API group, since KubeDL and Kubeflow both have a TFJob. */
#ifndef LIB_KIND_H
#define LIB_KIND_H

#include "lib/base/text.h"
#include "lib/rows/table.h"

#include <stdbool.h>

/* The labels and conditions that the operators of several kinds of job have in common. */
struct convention {
    const char *job_label;          /* each pod of a job has this label, whatever its value */
    const char *replica_type_label; /* so has it this one; its value is the column replica_type */
    const char *role_label;         /* is read where that one is not set; NULL: none */
    bool suspends; /* jobs can be suspended: a condition whose status is False is over */
};

struct resource {
    const char *kind;          /* "TFJob" */
    const char *group;         /* API group, "training.kubedl.io"; "": the core group */
    const char *version;       /* of the group, asked for first: "v1alpha1" */
    const char *other_version; /* in which another operator serves it; NULL: none */
    const char *name;          /* in the API's paths: "tfjobs" */
    const struct table *table; /* of the database, for its rows */

    /* Of jobs only; NULL for pods. */
    const struct convention *convention; /* of its operator */
    const char *replica_specs;           /* key in the job's spec: "tfReplicaSpecs" */
    const char *default_container;       /* its image and state stand for its pod: "tensorflow" */
};

#define RESOURCE_COUNT 15

/* The table, RESOURCE_COUNT elements; the first one is the pods. */
extern const struct resource *const resource_table;

/* The index of the resource in the table. resource: a pointer into the table. */
size_t resource_number(const struct resource *resource);

/* The resource of that kind in the API group of api_version ("batch/v1", or "v1" in the core group), in any
 * version of the group; NULL if it is not recorded. */
const struct resource *resource_find(struct text api_version, struct text kind);

/* The first kind of job in the table that has this name; NULL if there is none. It is meant where no API
 * group is named, as in the rows of KubeDL's own writer. */
const struct resource *resource_find_job(struct text kind);

#define RESOURCE_TITLE_SIZE 48

/* Writes the title: the kind, and "." and the API group if it has one: "Pod", "TFJob.kubeflow.org". */
void resource_title(const struct resource *resource, char title[RESOURCE_TITLE_SIZE]);

/* The resource that a title names; NULL if there is none. The title may be followed by "/" and a
 * namespace, to which *namespace then points; without one it points to the NUL at the end of title. */
const struct resource *resource_find_title(const char *title, const char **namespace);

/* All conventions; the list ends in NULL. */
extern const struct convention *const conventions[];

#endif
