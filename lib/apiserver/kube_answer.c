/* kube_answer: reading of Status, APIResourceList and Namespace objects, and of what is around the object
 * of a watch event (see kube_answer.h). */
#include "lib/apiserver/kube_answer.h"

#include "lib/json/write.h"
#include "lib/kube/watch.h"
#include "lib/rows/row.h"

#include <stdio.h>

struct json *kube_answer_reader(void)
{
    static const char *const paths[] = {
        "type",
        "object metadata resourceVersion",
        "object metadata annotations " INITIAL_EVENTS_END,
        "object code",
        "object reason",
        "object message",
        "kind",
        "code",
        "reason",
        "message",
        "resources name",
        "metadata uid",
        "metadata resourceVersion",
        "metadata continue",
        NULL,
    };
    struct json *json = json_new();
    json_keep(json, "", paths);
    return json;
}

static void copy_member(const json_value *object, const char *key, char *to, size_t size)
{
    struct text value = TEXT("");
    (void)json_text(json_member(object, key), &value);
    text_copy_line(to, size, value);
}

static void take_status(const json_value *object, struct kube_status *status)
{
    (void)json_integer(json_member(object, "code"), &status->code);
    copy_member(object, "reason", status->reason, sizeof(status->reason));
    copy_member(object, "message", status->message, sizeof(status->message));
}

/* The root of the document; NULL if the text is no JSON or its root is no object. */
static const json_value *read_object(struct json *json, struct text text)
{
    const json_value *root = NULL;
    return json_read(json, text, &root, NULL) == JSON_OK && json_type(root) == JSON_OBJECT ? root
                                                                                           : NULL;
}

void kube_status_read(struct json *json, struct text text, struct kube_status *status)
{
    *status = (struct kube_status){0};
    struct text kind;
    const json_value *root = read_object(json, text);
    if (json_text(json_member(root, "kind"), &kind) && text_is(kind, "Status"))
        take_status(root, status);
    else
        text_copy_line(status->message, sizeof(status->message), text);
}

bool kube_discovery_has(struct json *json, struct text body, const char *resource_name)
{
    const json_value *resources = json_member(read_object(json, body), "resources");
    const json_value *resource = json_type(resources) == JSON_ARRAY ? json_first(resources) : NULL;
    for (; resource != NULL; resource = json_next(resource)) {
        struct text name;
        if (json_text(json_member(resource, "name"), &name) && text_is(name, resource_name))
            return true;
    }
    return false;
}

bool kube_uid_read(struct json *json, struct text body, char uid[KUBE_UID_SIZE])
{
    struct text value;
    if (!json_text(json_path(read_object(json, body), "metadata", "uid", NULL), &value) ||
        value.length == 0 || value.length >= KUBE_UID_SIZE)
        return false;
    text_copy_line(uid, KUBE_UID_SIZE, value);
    return true;
}

void kube_event_read(struct json *json, struct text line, struct kube_event *event)
{
    const json_value *root = read_object(json, line);
    const json_value *object = json_member(root, "object");
    const json_value *metadata = json_member(object, "metadata");
    struct text type = TEXT(""), version = TEXT(""), annotation = TEXT("");
    *event = (struct kube_event){.type = KUBE_OBJECT};
    (void)json_text(json_member(root, "type"), &type);
    if (json_text(json_member(metadata, "resourceVersion"), &version) &&
        version.length < KUBE_VERSION_SIZE && version_is_valid(version))
        text_copy_line(event->version, KUBE_VERSION_SIZE, version);
    if (text_is(type, "BOOKMARK")) {
        event->type = KUBE_BOOKMARK;
        event->ends_snapshot =
            json_text(json_path(metadata, "annotations", INITIAL_EVENTS_END, NULL), &annotation) &&
            text_is(annotation, "true");
    } else if (text_is(type, "ERROR")) {
        event->type = KUBE_ERROR;
        take_status(object, &event->status);
    }
}

void kube_mark_append(struct buffer *out, const struct resource *resource, const char *version)
{
    char api_version[128];
    struct json_writer writer = json_writer(out);
    (void)snprintf(api_version, sizeof(api_version), "%s%s%s", resource->group,
                   resource->group[0] == '\0' ? "" : "/", resource->version);
    json_begin_object(&writer, NULL);
    json_write_string(&writer, "type", "BOOKMARK");
    json_begin_object(&writer, "object");
    json_write_string(&writer, "kind", resource->kind);
    json_write_string(&writer, "apiVersion", api_version);
    json_begin_object(&writer, "metadata");
    json_write_string(&writer, "resourceVersion", version);
    json_begin_object(&writer, "annotations");
    json_write_string(&writer, INITIAL_EVENTS_END, "true");
    for (int i = 0; i < 4; i++)
        json_end(&writer);
}
