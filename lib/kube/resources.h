/* resources: the limits and requests of a pod, added up over its containers, as the JSON that KubeDL writes:
 * {"limits":{"cpu":"2"},"requests":{"cpu":"500m","memory":"1Gi"}}. */
#ifndef LIB_RESOURCES_H
#define LIB_RESOURCES_H

#include "lib/base/buffer.h"
#include "lib/json/members.h"
#include "lib/json/write.h"
#include "lib/kube/object.h"
#include "lib/rows/table.h"

#include <stdbool.h>

/* Memory that is used again for each pod. */
struct resources {
    struct members limits;
    struct members requests;
};

/* What is read of a pod's spec, as paths for json_keep(); ends in NULL. */
extern const char *const resources_paths[];

/* The limit in bytes of a buffer for resources. A text that is longer than its column is cut when the row
 * is made, so writing stops once that is certain (resources_are_enough()). The last key may come on top of
 * a full column, with each of its TEXT_MAX_BYTES escaped to six bytes. With this limit a buffer fails only
 * for want of memory. */
#define RESOURCES_BUFFER_LIMIT (8 * (size_t)TEXT_MAX_BYTES)

/* True once out is longer than a column can be, or has failed: nothing more need be appended. */
bool resources_are_enough(const struct buffer *out);

/* Writes the name of the next member: key, of which at most one byte more than a column can hold. */
void resources_write_name(struct json_writer *writer, struct text key);

/* Writes the resources of pod_spec (NULL: there is none). A resource of which a quantity does not parse is
 * left out, and its bad quantities are counted in object. Without memory the writer's buffer fails. */
void resources_write(struct resources *resources, struct object *object, const json_value *pod_spec,
                     struct json_writer *writer);

#endif
