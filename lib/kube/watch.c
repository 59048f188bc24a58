/* watch: finds the fate of each document of a stream, and hands jobs and pods to their converters.
 *
 *   {"type":"ADDED","object":{"kind":"TFJob",...}}   job     -> row
 *   {"type":"DELETED","object":{"kind":"Pod",...}}   pod     -> row, if it is a job's
 *   anything else                                    the fate that names what it is
 */
#include "lib/kube/watch.h"

#include "lib/base/memory.h"
#include "lib/json/json.h"
#include "lib/kube/job.h"
#include "lib/kube/kind.h"
#include "lib/kube/object.h"
#include "lib/kube/pod.h"

#include <stdio.h>
#include <stdlib.h>

/* What is read here of an event, and of an object, be it in an event or without one around it. */
static const char *const event_paths[] = {"type", NULL};
static const char *const any_object_paths[] = {
    "kind",    "apiVersion", "metadata annotations " INITIAL_EVENTS_END, "reason", "code",
    "message", NULL,
};

/* Of a List without an event around it only the presence and the type of `items` are read: no path leads
 * to a member of it. */
static const char *const presence[] = {NULL};

/* The kind of a line's object is looked for in this many bytes at its beginning. */
#define BEGINNING ((size_t)128)

struct watch {
    struct json *any;  /* a reader of all fields that any document needs */
    struct json *pods; /* a reader that leaves out the fields that only jobs need */
    struct job_converter job;
    struct pod_converter pod;
};

#define NAME(fate, name, ...)         [WATCH_##fate] = name,
#define CLASS(fate, name, class, ...) [WATCH_##fate] = WATCH_CLASS_##class,
#define TYPE_NAME(type, name, ...)    [WATCH_TYPE_##type] = name,
#define TYPE_TEXT(type, name, text)   [WATCH_TYPE_##type] = (text),

const char *watch_fate_name(enum watch_fate fate)
{
    static const char *const names[] = {WATCH_FATES(NAME)};
    return names[fate];
}

enum watch_class watch_fate_class(enum watch_fate fate)
{
    static const enum watch_class classes[] = {WATCH_FATES(CLASS)};
    return classes[fate];
}

const char *watch_type_name(enum watch_type type)
{
    static const char *const names[] = {WATCH_TYPES(TYPE_NAME)};
    return names[type];
}

static enum watch_type find_type(struct text text)
{
    static const char *const texts[] = {WATCH_TYPES(TYPE_TEXT)};
    for (unsigned type = 0; type < WATCH_TYPE_COUNT; type++) {
        if (texts[type] != NULL && text_is(text, texts[type]))
            return (enum watch_type)type;
    }
    return WATCH_TYPE_OTHER;
}

static void keep_labels(struct json *json, const struct convention *convention)
{
    const char *const paths[] = {convention->job_label, convention->replica_type_label,
                                 convention->role_label, NULL};
    json_keep(json, "object metadata labels", paths);
}

static void keep_replicas(struct json *json, const struct resource *resource)
{
    char base[128];
    (void)snprintf(base, sizeof(base), "object spec %s *", resource->replica_specs);
    json_keep(json, base, replica_paths);
    (void)snprintf(base, sizeof(base), "object spec %s * template spec", resource->replica_specs);
    json_keep(json, base, requirements_paths);
}

static void keep_pods(struct json *json)
{
    json_keep(json, "", event_paths);
    json_keep(json, "items", presence);
    json_keep(json, "", any_object_paths);
    json_keep(json, "", object_paths);
    json_keep(json, "object", any_object_paths);
    json_keep(json, "object", object_paths);
    json_keep(json, "object", pod_paths);
    json_keep(json, "object spec", requirements_paths);
    for (size_t i = 0; conventions[i] != NULL; i++)
        keep_labels(json, conventions[i]);
}

void watch_keep(struct json *json)
{
    keep_pods(json);
    json_keep(json, "object", job_paths);
    for (size_t i = 0; i < RESOURCE_COUNT; i++) {
        if (resource_table[i].replica_specs != NULL)
            keep_replicas(json, &resource_table[i]);
    }
}

struct watch *watch_new(const struct watch_settings *settings)
{
    struct watch *watch = memory_new(sizeof(*watch));
    pod_converter_init(&watch->pod, settings->region, settings->cluster_id);
    job_converter_init(&watch->job, settings->region, settings->cluster_id);
    watch->any = json_new();
    watch->pods = json_new();
    watch_keep(watch->any);
    keep_pods(watch->pods);
    return watch;
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    job_converter_fini(&watch->job);
    pod_converter_fini(&watch->pod);
    json_free(watch->any);
    json_free(watch->pods);
    free(watch);
}

void watch_set_cluster(struct watch *watch, struct text cluster_id)
{
    watch->job.cluster_id = cluster_id;
    watch->pod.cluster_id = cluster_id;
}

static enum watch_fate refuse(struct watch_result *result, enum watch_fate fate, const char *reason)
{
    text_copy(result->reason, sizeof(result->reason), text_from(reason));
    return fate;
}

/* Like refuse(); the reason ends in the text that is to blame. */
static enum watch_fate refuse_text(struct watch_result *result, enum watch_fate fate,
                                   const char *reason, struct text text)
{
    size_t used = (size_t)snprintf(result->reason, sizeof(result->reason), "%s: ", reason);
    text_copy(result->reason + used, sizeof(result->reason) - used, text);
    return fate;
}

/* The reason is what the server said: "410 Expired: too old resource version: 600 (3601)". */
static enum watch_fate report_status(struct object *status, struct watch_result *result,
                                     enum watch_fate fate)
{
    char why[64];
    char said[96];
    text_copy(why, sizeof(why), object_text(status, status->root, "reason"));
    (void)snprintf(said, sizeof(said), "%lld %s",
                   (long long)object_integer(status, status->root, "code"), why);
    return refuse_text(result, fate, said, object_text(status, status->root, "message"));
}

static bool is_printed_table(struct text kind)
{
    return text_is(kind, "Table") || text_is(kind, "PartialObjectMetadata") ||
           text_is(kind, "PartialObjectMetadataList");
}

static enum watch_fate decode_object(struct watch *watch, struct object *object, struct text kind,
                                     struct watch_result *result)
{
    if (kind.length == 0)
        return refuse(result, WATCH_NOT_EVENT, "its object has no kind");
    if (result->resource == NULL)
        return is_printed_table(kind) ? WATCH_TABLE : WATCH_OTHER_KIND;

    /* A live pod that is not ours, or not any more, gives no row. Once it is gone, a row that it may have from the
     * time when it was ours is closed. */
    struct pod_owner owner;
    bool is_pod = result->resource->table == &table_pod;
    if (is_pod) {
        pod_find_owner(object, &owner);
        if (owner.claim == POD_FOREIGN)
            return WATCH_FOREIGN_POD;
        if (owner.claim != POD_OURS && !object->gone)
            return owner.claim == POD_ORPHAN ? WATCH_ORPHAN_POD : WATCH_FOREIGN_POD;
    }

    if (!object_is_uid(object->uid))
        return refuse_text(result, WATCH_BAD_UID, "metadata.uid", object->uid);
    if (!version_is_valid(object->version))
        return refuse_text(result, WATCH_BAD_VERSION, "metadata.resourceVersion", object->version);

    struct error err;
    enum error_code code =
        is_pod ? pod_convert(&watch->pod, object, &owner, &result->row, &err)
               : job_convert(&watch->job, object, result->resource, &result->row, &err);
    /* A converter fails only for want of memory. */
    return code == ERROR_NONE ? WATCH_ROW : refuse(result, WATCH_NO_MEMORY, err.text);
}

/* A mark counts only for a resource that is recorded: other API groups have kinds of the same names. */
static enum watch_fate decode_bookmark(struct object *object, struct watch_result *result)
{
    const json_value *annotations = object_child(object, object->metadata, "annotations");
    result->initial_events_end =
        result->resource != NULL &&
        text_is(object_text(object, annotations, INITIAL_EVENTS_END), "true");
    return WATCH_BOOKMARK;
}

/* The fate of a document without an event around it. */
static enum watch_fate decode_bare(struct object *object, struct text kind,
                                   struct watch_result *result)
{
    if (text_is(kind, "Status"))
        return report_status(object, result, WATCH_STATUS);
    if (is_printed_table(kind))
        return WATCH_TABLE;
    if (text_ends_in(kind, TEXT("List")) &&
        json_type(json_member(object->root, "items")) == JSON_ARRAY)
        return WATCH_LIST;
    if (kind.length > 0 && object->metadata != NULL)
        return WATCH_BARE_OBJECT;
    return refuse(result, WATCH_NOT_EVENT, "it has no type and object");
}

/* Copies into result what logs say of the object. Returns its kind. */
static struct text describe(struct object *object, struct watch_result *result)
{
    struct text kind = object_text(object, object->root, "kind");
    struct text api_version = object_text(object, object->root, "apiVersion");
    result->resource = resource_find(api_version, kind);
    text_copy(result->api_version, sizeof(result->api_version), api_version);
    text_copy(result->kind, sizeof(result->kind), kind);
    text_copy(result->namespace, sizeof(result->namespace), object->namespace);
    text_copy(result->name, sizeof(result->name), object->name);
    text_copy(result->uid, sizeof(result->uid), object->uid);
    text_copy(result->version, sizeof(result->version), object->version);
    return kind;
}

static enum watch_fate decode_event(struct watch *watch, struct text type, struct object *object,
                                    struct text kind, struct watch_result *result)
{
    switch (result->type) {
    case WATCH_TYPE_ADDED:
    case WATCH_TYPE_MODIFIED:
    case WATCH_TYPE_DELETED:
        return decode_object(watch, object, kind, result);
    case WATCH_TYPE_BOOKMARK:
        return decode_bookmark(object, result);
    case WATCH_TYPE_ERROR:
        return report_status(object, result, WATCH_ERROR_EVENT);
    case WATCH_TYPE_OTHER:
    case WATCH_TYPE_COUNT:
        break;
    }
    return refuse_text(result, WATCH_BAD_TYPE, "type", type);
}

static enum watch_fate decode_document(struct watch *watch, const json_value *root,
                                       int64_t received_us, struct watch_result *result)
{
    const json_value *inner = json_member(root, "object");
    const json_value *type_value = json_member(root, "type");
    bool is_event = json_type(inner) == JSON_OBJECT;
    struct text type = TEXT("");
    if (json_type(root) != JSON_OBJECT)
        return refuse(result, WATCH_NOT_EVENT, "it is no JSON object");
    if (is_event && type_value == NULL)
        return refuse(result, WATCH_NOT_EVENT, "it has no type");
    if (is_event && !json_text(type_value, &type))
        return refuse(result, WATCH_BAD_TYPE, "its type is no string");

    struct object object;
    result->type = find_type(type);
    object_init(&object, is_event ? inner : root, result->type == WATCH_TYPE_DELETED, received_us);
    struct text kind = describe(&object, result);
    enum watch_fate fate = is_event ? decode_event(watch, type, &object, kind, result)
                                    : decode_bare(&object, kind, result);
    if (fate == WATCH_ROW) {
        result->bad_fields = object.bad_fields;
        if (object.first_bad_field != NULL)
            text_copy(result->reason, sizeof(result->reason), text_from(object.first_bad_field));
        result->bad_quantities = object.bad_quantities;
    }
    return fate;
}

/* API servers and kubectl write the kind of an object before its large parts. */
static bool seems_to_be_a_pod(struct text line)
{
    size_t length = line.length < BEGINNING ? line.length : BEGINNING;
    return text_contains((struct text){line.data, length}, "\"Pod\"");
}

/* Most documents are pods. A pod has fields with the names of fields of a job, above all its conditions,
 * that are read of jobs only, and they are a third of its values; so pods have a reader of their own,
 * which leaves them out. A document that seemed to be a pod and is none is read once more with the reader
 * of all fields. */
static enum json_result read_document(struct watch *watch, struct text line,
                                      const json_value **root, struct error *err)
{
    if (seems_to_be_a_pod(line)) {
        struct text kind;
        enum json_result result = json_read(watch->pods, line, root, err);
        if (result != JSON_OK ||
            (json_text(json_path(*root, "object", "kind", NULL), &kind) && text_is(kind, "Pod")))
            return result;
    }
    return json_read(watch->any, line, root, err);
}

void watch_decode(struct watch *watch, struct text line, int64_t received_us,
                  struct watch_result *result)
{
    const json_value *root = NULL;
    struct error err;
    *result = (struct watch_result){0};
    switch (read_document(watch, line, &root, &err)) {
    case JSON_OK:
        result->fate = decode_document(watch, root, received_us, result);
        break;
    case JSON_MALFORMED:
        result->fate = refuse(result, WATCH_NOT_JSON, err.text);
        break;
    case JSON_TOO_DEEP:
        result->fate = refuse(result, WATCH_TOO_DEEP, err.text);
        break;
    case JSON_NO_MEMORY:
        result->fate = refuse(result, WATCH_NO_MEMORY, err.text);
        break;
    }
}

void watch_decode_head(struct watch *watch, struct text head, struct watch_result *result)
{
    struct object object;
    *result = (struct watch_result){.fate = WATCH_TOO_LONG};
    const json_value *inner = json_member(json_read_beginning(watch->any, head), "object");
    object_init(&object, inner, false, 0);
    (void)describe(&object, result);
}
