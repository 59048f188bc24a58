/* resources: what the containers of a pod ask for, as KubeDL prints it:
 * {"limits":{"cpu":"2"},"requests":{"cpu":"500m","memory":"1Gi"}}. */
#ifndef LIB_RESOURCES_H
#define LIB_RESOURCES_H

#include "lib/base/buffer.h"
#include "lib/json/members.h"
#include "lib/json/write.h"
#include "lib/kube/object.h"
#include "lib/rows/table.h"

#include <stdbool.h>

struct resources { /* memory that is used again */
    struct members limits;
    struct members requests;
};

/* What is read of a pod_spec, as paths for json_keep(); ends in NULL. */
extern const char *const resources_paths[];

/* For a buffer of resources: what is longer than its column is cut, so no more is built than shows
 * that. One key of TEXT_MAX_BYTES, each byte escaped to six, may come on top of a full column; with
 * this limit a buffer fails only where there is no memory. */
#define RESOURCES_BUFFER_LIMIT (8 * (size_t)TEXT_MAX_BYTES)

/* True once out is longer than a column can be: nothing more is worth appending. */
bool resources_are_enough(const struct buffer *out);

/* The name of the member that comes next: key, at most one byte more of it than a column can hold. */
void resources_write_name(struct json_writer *writer, struct text key);

/* Writes the resources of pod_spec. A resource whose quantity does not parse is left out and
 * counted in object. */
void resources_write(struct resources *resources, struct object *object, const json_value *pod_spec,
                     struct json_writer *writer);

#endif
