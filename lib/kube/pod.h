/* pod: a pod -> its row of replica_info, if it is a job's. */
#ifndef LIB_POD_H
#define LIB_POD_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/kube/kind.h"
#include "lib/kube/object.h"
#include "lib/kube/resources.h"
#include "lib/rows/row.h"

/* Whose a pod is. */
enum pod_claim {
    POD_OURS,    /* a job of ours controls it, and it has the labels of that job's operator */
    POD_ORPHAN,  /* it has an operator's labels, but nothing controls it */
    POD_UNKNOWN, /* a job of ours or nothing controls it, and labels or the job's uid are missing */
    POD_FOREIGN, /* something else controls it */
};

struct pod_owner {
    enum pod_claim claim;
    const struct resource
        *job;                 /* the kind of the job that controls it; NULL if none of ours does */
    struct text job_uid;      /* "" if it is not known */
    struct text replica_type; /* label replica-type, of whichever operator */
    bool has_replica_type;
};

void pod_find_owner(struct object *object, struct pod_owner *owner);

/* What is read of a pod, beside object_paths, the conventions' labels and, below its spec,
 * resources_paths; as paths for json_keep(), ends in NULL. */
extern const char *const pod_paths[];

struct pod_converter {
    struct text region;     /* "": NULL */
    struct text cluster_id; /* "": NULL */
    struct resources resources;
    struct buffer json;   /* the resources column */
    struct buffer remark; /* the remark column */
};

/* region and cluster_id are borrowed for the converter's life. */
void pod_converter_init(struct pod_converter *converter, struct text region,
                        struct text cluster_id);
void pod_converter_fini(struct pod_converter *converter);

/* The object's uid and version have been found valid. A pod that is ours gets a whole row. Another
 * one gets an update: whatever row it may have had is brought to its end, and what cannot be known
 * without the owner is kept. ERROR_NOMEM. */
enum error_code pod_convert(struct pod_converter *converter, struct object *object,
                            const struct pod_owner *owner, struct row **row,
                            struct error *err) MUST_CHECK;

#endif
