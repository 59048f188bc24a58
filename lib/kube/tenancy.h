/* tenancy: to whom a job belongs, as the JSON in its annotation kubedl.io/tenancy says:
 * {"tenant":"vision","user":"ann","idc":"...","region":"cn-hangzhou"}. */
#ifndef LIB_TENANCY_H
#define LIB_TENANCY_H

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/json/json.h"

#define TENANCY_ANNOTATION "kubedl.io/tenancy"

/* "" if the annotation does not say it. The texts are valid until the next json_read() of the reader. */
struct tenancy {
    struct text tenant;
    struct text owner;
    struct text region;
};

/* Reads the annotation as Go's encoding/json does: upper and lower case of keys are the same, the last of
 * several equal keys wins, a null changes nothing, and unknown keys are ignored. ERROR_INPUT if it is no
 * JSON object or null, if text stands behind its end, or if a field is of a wrong type; *tenancy is then
 * empty. ERROR_NOMEM. */
enum error_code tenancy_read(struct json *reader, struct text annotation,
                             struct tenancy *tenancy) MUST_CHECK;

#endif
