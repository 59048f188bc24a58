/* tenancy: reads the annotation (see tenancy.h). */
#include "lib/kube/tenancy.h"

#include <strings.h>

static bool is_key(struct text key, const char *name)
{
    return key.length == strlen(name) && strncasecmp(key.data, name, key.length) == 0;
}

static const struct tenancy nobody = {TEXT(""), TEXT(""), TEXT("")};

static struct text *field_of(struct tenancy *tenancy, struct text key, struct text *idc)
{
    if (is_key(key, "tenant"))
        return &tenancy->tenant;
    if (is_key(key, "user"))
        return &tenancy->owner;
    if (is_key(key, "region"))
        return &tenancy->region;
    return is_key(key, "idc") ? idc : NULL;
}

enum error_code tenancy_read(struct json *reader, struct text annotation, struct tenancy *tenancy)
{
    const json_value *root = NULL;
    *tenancy = nobody;
    enum json_result result = json_read(reader, annotation, &root, NULL);
    if (result == JSON_NO_MEMORY)
        return ERROR_NOMEM;
    if (result != JSON_OK)
        return ERROR_INPUT;
    if (json_type(root) == JSON_NULL)
        return ERROR_NONE;
    if (json_type(root) != JSON_OBJECT)
        return ERROR_INPUT;

    struct text idc; /* it is not recorded, but must be a string */
    for (const json_value *value = json_first(root); value != NULL; value = json_next(value)) {
        struct text *field = field_of(tenancy, json_key(value), &idc);
        if (field != NULL && json_type(value) != JSON_NULL && !json_text(value, field)) {
            *tenancy = nobody;
            return ERROR_INPUT;
        }
    }
    return ERROR_NONE;
}
