/* requirements: what a pod asks of its node. These are the limits and requests of its containers, which Kubernetes
 * calls ResourceRequirements, added up as the JSON that KubeDL writes into the column `resources`:
 * {"limits":{"cpu":"2"},"requests":{"cpu":"500m","memory":"1Gi"}}. */
#ifndef LIB_REQUIREMENTS_H
#define LIB_REQUIREMENTS_H

#include "lib/base/buffer.h"
#include "lib/json/members.h"
#include "lib/json/write.h"
#include "lib/kube/object.h"
#include "lib/rows/table.h"

#include <stdbool.h>

/* Memory that is used again for each pod. */
struct requirements {
    struct members limits;
    struct members requests;
};

/* What is read of a pod's spec, as paths for json_keep(); ends in NULL. */
extern const char *const requirements_paths[];

/* The limit in bytes of a buffer for requirements. Writing stops once the text is longer than its column
 * (requirements_overflow()). The last key may come behind a full column, with each of its TEXT_MAX_BYTES escaped
 * to six bytes. So with this limit a buffer fails only for want of memory. */
#define REQUIREMENTS_BUFFER_LIMIT (8 * (size_t)TEXT_MAX_BYTES)

/* True if out is longer than its column, or has failed. Nothing more need be appended then, since the row cuts the
 * text. */
bool requirements_overflow(const struct buffer *out);

/* Writes key as the name of the next member, but at most one byte more of it than its column can hold. */
void requirements_write_name(struct json_writer *writer, struct text key);

/* Writes the requirements of pod_spec (NULL: there is none). A resource of which a quantity does not parse is
 * left out, and its bad quantities are counted in object. Without memory the writer's buffer fails. */
void requirements_write(struct requirements *requirements, struct object *object,
                        const json_value *pod_spec, struct json_writer *writer);

#endif
