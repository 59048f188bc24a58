/* job: a job of any kind -> its row of job_info. */
#ifndef LIB_JOB_H
#define LIB_JOB_H

#include "lib/base/buffer.h"
#include "lib/base/error.h"
#include "lib/json/members.h"
#include "lib/kube/kind.h"
#include "lib/kube/object.h"
#include "lib/kube/resources.h"
#include "lib/rows/row.h"

/* What is read of a job, beside object_paths, and of each of its replica specs, beside, below
 * `template spec`, resources_paths; as paths for json_keep(), end in NULL. */
extern const char *const job_paths[];
extern const char *const replica_paths[];

struct job_converter {
    struct text region;      /* "": the job's annotation says it */
    struct text cluster_id;  /* "": NULL */
    struct json *annotation; /* a second reader: the tenancy annotation is JSON in a string */
    struct members replica_specs;
    struct resources resources;
    struct buffer json; /* the resources column */
};

/* region and cluster_id are borrowed for the converter's life. */
void job_converter_init(struct job_converter *converter, struct text region,
                        struct text cluster_id);
void job_converter_fini(struct job_converter *converter);

/* The object's uid and version have been found valid. ERROR_NOMEM. */
enum error_code job_convert(struct job_converter *converter, struct object *object,
                            const struct resource *resource, struct row **row,
                            struct error *err) MUST_CHECK;

#endif
