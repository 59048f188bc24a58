/* tenancy: who a job belongs to, from the JSON of its annotation kubedl.io/tenancy:
 * {"tenant":"vision","user":"ann","idc":"...","region":"cn-hangzhou"}. */
#ifndef LIB_TENANCY_H
#define LIB_TENANCY_H

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/json/json.h"

#define TENANCY_ANNOTATION "kubedl.io/tenancy"

struct tenancy { /* "" where it is not said; valid until the next json_read of its reader */
    struct text tenant;
    struct text owner;
    struct text region;
};

/* Reads the annotation as Go does: keys in any case, the last of duplicates wins, a null changes
 * nothing, unknown keys are ignored. A field of a wrong type or text behind the end makes all of it
 * invalid: ERROR_INPUT, *tenancy is then empty. Also ERROR_NOMEM. */
enum error_code tenancy_read(struct json *reader, struct text annotation,
                             struct tenancy *tenancy) MUST_CHECK;

#endif
