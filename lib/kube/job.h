/* job: makes the row of job_info from a job of any kind.
 *
 * A field that is absent or malformed leaves its column empty (lib/kube/object). So only memory can be
 * lacking. */
#ifndef LIB_JOB_H
#define LIB_JOB_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/json/members.h"
#include "lib/kube/kind.h"
#include "lib/kube/object.h"
#include "lib/kube/requirements.h"
#include "lib/rows/row.h"

/* Paths for json_keep(), each list ends in NULL. job_paths: what is read of a job in addition to
 * object_paths. replica_paths: what is read of each of its replica specs in addition to requirements_paths,
 * which are below the replica spec's `template spec`. */
extern const char *const job_paths[];
extern const char *const replica_paths[];

struct job_converter {
    struct text region;      /* the column deploy_region; "": the job's tenancy annotation has it */
    struct text cluster_id;  /* the column cluster_id; "": it is NULL */
    struct json *annotation; /* the reader of the tenancy annotation, which is JSON in a string */
    struct members replica_specs; /* memory that is used again for each job */
    struct requirements requirements;
    struct buffer json; /* the column resources */
};

/* region and cluster_id are borrowed for the converter's life. */
void job_converter_init(struct job_converter *converter, struct text region,
                        struct text cluster_id);
void job_converter_fini(struct job_converter *converter);

/* Makes *row, which is the caller's. The caller has checked the object's uid and version. ERROR_NOMEM. */
enum error_code job_convert(struct job_converter *converter, struct object *object,
                            const struct resource *resource, struct row **row,
                            struct error *err) MUST_CHECK;

#endif
