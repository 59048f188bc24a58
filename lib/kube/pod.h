/* pod: makes the row of replica_info from a pod that belongs to a job.
 *
 * A field that is absent or malformed leaves its column empty (lib/kube/object). So only memory can be
 * lacking. */
#ifndef LIB_POD_H
#define LIB_POD_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/kube/kind.h"
#include "lib/kube/object.h"
#include "lib/kube/requirements.h"
#include "lib/rows/row.h"

/* Whose a pod is. "A job of ours" is a job of a kind in the table of lib/kube/kind. */
enum pod_claim {
    POD_OURS,    /* a job of ours controls it, and it has the labels of that job's operator */
    POD_ORPHAN,  /* it has an operator's labels, but nothing controls it */
    POD_UNKNOWN, /* a job of ours or nothing controls it, but labels or the job's uid are missing */
    POD_FOREIGN, /* something else controls it */
};

struct pod_owner {
    enum pod_claim claim;
    const struct resource
        *job;            /* the kind of the job of ours that controls the pod; NULL: none does */
    struct text job_uid; /* the uid of that job; "" if it is not known */
    struct text replica_type; /* the value of the operator's label for the replica type */
    bool has_replica_type;    /* the pod has that label */
};

/* Fills in *owner. Its texts point into the object's document. */
void pod_find_owner(struct object *object, struct pod_owner *owner);

/* Paths for json_keep(), ends in NULL: what is read of a pod in addition to object_paths, the labels of all
 * conventions and, below its spec, requirements_paths. */
extern const char *const pod_paths[];

struct pod_converter {
    struct text region;     /* the column deploy_region; "": it is NULL */
    struct text cluster_id; /* the column cluster_id; "": it is NULL */
    struct requirements requirements;
    struct buffer json;   /* the column resources */
    struct buffer remark; /* the column remark */
};

/* region and cluster_id are borrowed for the converter's life. */
void pod_converter_init(struct pod_converter *converter, struct text region,
                        struct text cluster_id);
void pod_converter_fini(struct pod_converter *converter);

/* Makes *row, which is the caller's. The caller has checked the object's uid and version. A pod with the
 * claim POD_OURS gets an upsert. Any other pod, which must be gone, gets an update of the row that it may
 * have from before: the row is brought to its end, and columns that cannot be known without the owner keep
 * their values. ERROR_NOMEM. */
enum error_code pod_convert(struct pod_converter *converter, struct object *object,
                            const struct pod_owner *owner, struct row **row,
                            struct error *err) MUST_CHECK;

#endif
